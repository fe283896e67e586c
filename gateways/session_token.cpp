#include "gateways/session_token.hpp"

#include "runtime/assert.hpp"

#include <jwt.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace slipway::gateways {
namespace {

struct jwt_deleter {
  void operator()(jwt_t* j) const { jwt_free(j); }
};
using jwt_ptr = std::unique_ptr<jwt_t, jwt_deleter>;

const unsigned char* bytes(std::string_view key) {
  return reinterpret_cast<const unsigned char*>(key.data());
}

std::string text_grant(jwt_t* j, const char* name) {
  const char* text = jwt_get_grant(j, name);
  return text == nullptr ? "" : text;
}

/// A row's id, 0 for none: libjwt says -1 of a claim that is absent.
std::int64_t id_grant(jwt_t* j, const char* name) {
  return std::max<std::int64_t>(jwt_get_grant_int(j, name), 0);
}

second_factor factor_grant(jwt_t* j) {
  // As JSON: libjwt reads a claim of another type as false, and a second factor that is not clearly passed is owed.
  char* text = jwt_get_grants_json(j, "twoFactorRequired");
  const std::string claim = text == nullptr ? "" : text;
  std::free(text);
  return claim.empty()      ? second_factor::none
         : claim == "false" ? second_factor::passed
                            : second_factor::pending;
}

}  // namespace

std::string mint_session(std::string_view key, const session_claims& claims) {
  jwt_t* raw = nullptr;
  SLIPWAY_ASSERT(jwt_new(&raw) == 0);
  const jwt_ptr j(raw);
  jwt_add_grant_int(raw, "id", claims.user);
  jwt_add_grant(raw, "jwt_secret", claims.secret.c_str());
  jwt_add_grant_int(raw, "authTime", claims.auth_time);
  jwt_add_grant_int(raw, "iat", claims.issued);
  jwt_add_grant_int(raw, "exp", claims.expires);
  if (claims.session != 0) {
    jwt_add_grant_int(raw, "session", claims.session);
  }
  if (claims.second_factor != second_factor::none) {
    jwt_add_grant_bool(raw, "twoFactorRequired", claims.second_factor == second_factor::pending);
  }
  SLIPWAY_ASSERT(jwt_set_alg(raw, JWT_ALG_HS256, bytes(key), static_cast<int>(key.size())) == 0);
  char* text = jwt_encode_str(raw);
  SLIPWAY_ASSERT(text != nullptr);
  std::string out(text);
  std::free(text);  // libjwt 1.10 allocates with malloc
  return out;
}

messages::result<session_claims>
verify_session(std::string_view key, std::string_view token, std::int64_t now_s) {
  jwt_t* raw = nullptr;
  const std::string text(token);
  const bool decoded =
    jwt_decode(&raw, text.c_str(), bytes(key), static_cast<int>(key.size())) == 0;
  const jwt_ptr j(raw);
  // The algorithm is ours to choose, never the token's.
  if (!decoded || jwt_get_alg(raw) != JWT_ALG_HS256) {
    return messages::fail(messages::errc::unauthorized, "not a valid session");
  }
  session_claims c;
  c.user = id_grant(raw, "id");
  c.secret = text_grant(raw, "jwt_secret");
  c.auth_time = jwt_get_grant_int(raw, "authTime");
  c.issued = jwt_get_grant_int(raw, "iat");
  c.expires = jwt_get_grant_int(raw, "exp");
  c.session = id_grant(raw, "session");
  c.second_factor = factor_grant(raw);
  const bool whole = (c.session != 0) != (c.second_factor == second_factor::pending);
  if (!whole || c.user == 0 || c.secret.empty() || c.expires <= now_s) {
    return messages::fail(messages::errc::unauthorized, "the session is over");
  }
  return c;
}

bool is_session(std::string_view credential) {
  return std::count(credential.begin(), credential.end(), '.') == 2;
}

}  // namespace slipway::gateways
