#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;

namespace slipway::runtime {

/// A certificate chain, leaf first, and its private key; both PEM.
struct tls_identity {
  std::string chain;
  std::string key;
};

/// Certificates as new connections find them. A connection keeps what it began with.
class tls_generation {
public:
  tls_generation() = default;
  tls_generation(const tls_generation&) = delete;
  tls_generation& operator=(const tls_generation&) = delete;
  ~tls_generation();

  /// For a client that names `host` (SNI, any case): the first certificate that covers it, else the first of all.
  [[nodiscard]] ssl_ctx_st* for_host(std::string_view host) const;

private:
  friend class tls_context;
  struct entry {
    ssl_ctx_st* context = nullptr;  ///< owned
    std::vector<std::string> names;
  };
  std::vector<entry> entries_;
};

/// How the server speaks TLS: 1.2 and 1.3, http/1.1 by ALPN, tickets for resumption, certificate by SNI (ADR 59).
/// Certificates can be exchanged at any time from any thread.
class tls_context {
public:
  struct options {
    /// Answers carry Strict-Transport-Security: only for certificates that every client trusts.
    bool hsts = false;
  };
  explicit tls_context(options o) : options_(o) {}

  /// New connections use these from now on. Errors, which leave everything as it was: invalid_argument, with the place (0 = first) of
  /// the identity in the text: a chain or key that cannot be read, a key of another certificate. `now_ms` is for the ticket keys, which
  /// live a day.
  [[nodiscard]] messages::result<void> use(
    const std::vector<tls_identity>& identities,
    std::int64_t now_ms);
  /// Null before the first `use`.
  [[nodiscard]] std::shared_ptr<const tls_generation> current() const;
  [[nodiscard]] bool hsts() const { return options_.hsts; }

private:
  options options_;
  mutable std::mutex guard_;
  std::shared_ptr<const tls_generation> current_;
  std::string ticket_keys_;
  std::int64_t ticket_keys_since_ms_ = 0;
};

/// Does the certificate's name `pattern` (`*.example.org` too) cover `host`? Both in lower case. RFC 6125: a star is one whole label.
[[nodiscard]] bool name_covers(std::string_view pattern, std::string_view host);

}  // namespace slipway::runtime
