#pragma once

#include "runtime/certificates.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace slipway::runtime {

/// Keeps the server's certificates: given files, read again when they change, or an authority of its own that signs a certificate and
/// renews it (ADR 60). Not safe for several threads; `context` is.
class certificate_keeper {
public:
  struct options {
    std::string domain;
    /// Chain and key of each given certificate, the default first; empty = an own authority.
    std::vector<std::pair<std::string, std::string>> files = {};
    /// PEM of the root that clients of the given certificates must be told to trust; "" = they trust it anyway.
    std::string root_file = {};
    /// Folder of the own authority, made when missing: root.pem, root.key, leaf.pem, leaf.key.
    std::string own_folder = {};
  };
  /// Renewed when less than this is left.
  static constexpr std::int64_t renew_before_ms = 30 * day_ms;

  /// Errors name the file: io_failed, invalid_argument.
  [[nodiscard]] static messages::result<std::unique_ptr<certificate_keeper>> open(
    options o,
    std::int64_t now_ms);
  ~certificate_keeper();

  [[nodiscard]] const std::shared_ptr<tls_context>& context() const;
  /// PEM that clients must trust; "" when the public roots do.
  [[nodiscard]] const std::string& root() const;
  /// End of the certificate that ends first.
  [[nodiscard]] std::int64_t not_after_ms() const;
  /// To be called every few seconds: reads changed files, renews. What cannot be used is logged, and the old stays in use.
  void refresh(std::int64_t now_ms);

private:
  struct impl;
  explicit certificate_keeper(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
