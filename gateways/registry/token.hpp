#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

/// A repository that the bearer may reach, and how.
struct token_access {
  std::string name;
  std::string alias;  ///< what the client calls it, "" when that is the name
  std::vector<std::string> actions;
  bool catalog = false;  ///< not a repository but the list of them: type `registry`, name `catalog`
};

/// By what credential a token was asked for, so that it can be seen whether that still holds. All 0 = by none.
struct token_bearer {
  std::int64_t key = 0;      ///< row of the API key
  std::int64_t session = 0;  ///< row of the login session
  std::int64_t user = 0;     ///< whose session it is
  std::int64_t build = 0;    ///< row of the build that it was made for
};

struct registry_claims {
  token_bearer bearer;
  std::string subject;
  std::int64_t expires_s = 0;  ///< seconds since 1970
  std::vector<token_access> access;
};

/// Mints and verifies registry tokens: JWT, ES256 only, signed with a key that only this server has.
class token_authority {
public:
  struct options {
    std::string key_file;  ///< PEM; made with mode 0600 when absent
    std::string issuer;    ///< `iss`
    std::string service;   ///< `aud`: the registry's host
    std::int64_t lifetime_s = 4 * 3600;
    std::size_t cached_max = 4096;  ///< verified tokens remembered; all are forgotten at the limit
    std::function<std::int64_t()> now_ms;
  };
  /// Errors: io_failed, corrupt (a key file that is no P-256 key).
  [[nodiscard]] static messages::result<std::unique_ptr<token_authority>> open(options o);
  virtual ~token_authority() = default;

  [[nodiscard]] virtual messages::result<std::string> mint(
    const std::string& subject,
    const std::vector<token_access>& access,
    const token_bearer& bearer) = 0;
  /// Errors: unauthorized. About a microsecond for a token seen before.
  [[nodiscard]] virtual messages::result<std::shared_ptr<const registry_claims>> verify(
    std::string_view token) = 0;
  /// libtrust fingerprint of the public key, so that other registries find it.
  [[nodiscard]] virtual const std::string& key_id() const = 0;
  [[nodiscard]] virtual const std::string& public_key_pem() const = 0;
  [[nodiscard]] virtual std::int64_t lifetime_s() const = 0;
};

}  // namespace slipway::gateways
