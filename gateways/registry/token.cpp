#include "gateways/registry/token.hpp"

#include "gateways/registry/signing_key.hpp"
#include "runtime/crypto.hpp"

#include <jwt.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <mutex>
#include <unordered_map>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr std::int64_t not_before_slack_s = 10;  // for a registry whose clock is a little behind

struct jwt_release {
  void operator()(jwt_t* t) const { jwt_free(t); }
  void operator()(char* text) const { std::free(text); }
};
using jwt_handle = std::unique_ptr<jwt_t, jwt_release>;
using jwt_text = std::unique_ptr<char, jwt_release>;

const unsigned char* bytes_of(const std::string& s) {
  return reinterpret_cast<const unsigned char*>(s.data());
}

tl::unexpected<messages::error> refuse(std::string why) {
  return fail(errc::unauthorized, "invalid token: " + std::move(why));
}

std::string decode_base64url(std::string_view text) {
  std::string padded(text);
  for (auto& c : padded) {
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  padded.append((4 - padded.size() % 4) % 4, '=');
  return runtime::base64_decode(padded);
}

json access_json(const std::vector<token_access>& access) {
  auto out = json::array();
  for (const auto& a : access) {
    json entry{
      {"type", a.catalog ? "registry" : "repository"},
      {"name", a.name},
      {"actions", a.actions}};
    if (!a.alias.empty()) {
      entry["alias"] = a.alias;
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::vector<token_access> parse_access(const json& claims) {
  std::vector<token_access> out;
  for (const auto& entry : claims.value("access", json::array())) {
    const auto type = entry.value("type", "");
    const bool catalog = type == "registry" && entry.value("name", "") == "catalog";
    if (type == "repository" || catalog) {
      out.push_back(
        {entry.value("name", ""),
         entry.value("alias", ""),
         entry.value("actions", std::vector<std::string>{}),
         catalog});
    }
  }
  return out;
}

/// Version 4, of random bits.
std::string new_uuid() {
  auto hex = runtime::random_hex(32);
  hex[12] = '4';
  hex[16] = "89ab"[runtime::random_u64() % 4];
  for (const std::size_t at : {20U, 16U, 12U, 8U}) {
    hex.insert(at, 1, '-');
  }
  return hex;
}

class authority final : public token_authority {
public:
  authority(options o, signing_key key) : options_(std::move(o)), key_(std::move(key)) {}

  result<std::string> mint(
    const std::string& subject,
    const std::vector<token_access>& access,
    const token_bearer& bearer) override;
  result<std::shared_ptr<const registry_claims>> verify(std::string_view token) override;
  const std::string& key_id() const override { return key_.id; }
  const std::string& public_key_pem() const override { return key_.public_pem; }
  std::int64_t lifetime_s() const override { return options_.lifetime_s; }

private:
  using claims_ptr = std::shared_ptr<const registry_claims>;
  std::int64_t now_s() const { return options_.now_ms() / 1000; }
  result<void> check_header(std::string_view token) const;
  result<claims_ptr> check(const std::string& token) const;
  result<claims_ptr> check_claims(const json& claims) const;
  claims_ptr remembered(const std::string& fingerprint);
  void remember(const std::string& fingerprint, claims_ptr claims);

  options options_;
  signing_key key_;
  std::mutex mutex_;
  std::unordered_map<std::string, claims_ptr> cache_;  // by SHA-256 of the token
};

result<std::string> authority::mint(
  const std::string& subject,
  const std::vector<token_access>& access,
  const token_bearer& bearer) {
  const auto now = now_s();
  const json claims{
    {"iss", options_.issuer},
    {"aud", options_.service},
    {"sub", subject},
    {"iat", now},
    {"nbf", now - not_before_slack_s},
    {"exp", now + options_.lifetime_s},
    {"jti", new_uuid()},
    {"by", {bearer.key, bearer.session, bearer.user, bearer.build}},
    {"access", access_json(access)}};
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) {
    return fail(errc::internal, "no memory for a token");
  }
  const jwt_handle token(raw);
  const auto text = claims.dump(-1, ' ', false, json::error_handler_t::replace);
  const bool built = jwt_set_alg(
                       raw,
                       JWT_ALG_ES256,
                       bytes_of(key_.private_pem),
                       static_cast<int>(key_.private_pem.size()))
                       == 0
                     && jwt_add_header(raw, "kid", key_.id.c_str()) == 0
                     && jwt_add_grants_json(raw, text.c_str()) == 0;
  const jwt_text encoded(built ? jwt_encode_str(raw) : nullptr);
  if (!encoded) {
    return fail(errc::internal, "a token could not be signed");
  }
  return std::string(encoded.get());
}

/// The algorithm and the key are ours to choose, never the token's: anything but ES256 with our key ends here, before any
/// signature is looked at.
result<void> authority::check_header(std::string_view token) const {
  const auto dot = token.find('.');
  if (dot == std::string_view::npos) {
    return refuse("not a JWT");
  }
  const auto header = json::parse(decode_base64url(token.substr(0, dot)), nullptr, false);
  if (!header.is_object()) {
    return refuse("no header");
  }
  const auto alg = header.find("alg");
  const auto kid = header.find("kid");
  if (alg == header.end() || *alg != "ES256" || kid == header.end() || *kid != key_.id) {
    return refuse("not signed by this server");
  }
  return {};
}

result<authority::claims_ptr> authority::check(const std::string& token) const {
  if (auto header = check_header(token); !header) {
    return tl::unexpected(header.error());
  }
  jwt_t* raw = nullptr;
  const int failed = jwt_decode(
    &raw,
    token.c_str(),
    bytes_of(key_.public_pem),
    static_cast<int>(key_.public_pem.size()));
  const jwt_handle decoded(failed == 0 ? raw : nullptr);
  if (!decoded || jwt_get_alg(raw) != JWT_ALG_ES256) {
    return refuse("bad signature");
  }
  const jwt_text grants(jwt_get_grants_json(raw, nullptr));
  try {
    return check_claims(json::parse(grants ? grants.get() : ""));
  } catch (const json::exception&) {
    return refuse("claims of the wrong type");
  }
}

result<authority::claims_ptr> authority::check_claims(const json& claims) const {
  const auto now = now_s();
  if (claims.value("iss", "") != options_.issuer || claims.value("aud", "") != options_.service) {
    return refuse("meant for another registry");
  }
  if (now < claims.at("nbf").get<std::int64_t>() || now >= claims.at("exp").get<std::int64_t>()) {
    return refuse("expired or not yet valid");
  }
  auto out = std::make_shared<registry_claims>();
  const auto by = claims.value("by", std::vector<std::int64_t>{});
  if (by.size() == 4) {
    out->bearer = {by[0], by[1], by[2], by[3]};
  } else {
    return refuse("of an earlier version");
  }
  out->subject = claims.value("sub", "");
  out->expires_s = claims.at("exp").get<std::int64_t>();
  out->access = parse_access(claims);
  return out;
}

authority::claims_ptr authority::remembered(const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  const auto it = cache_.find(fingerprint);
  return it == cache_.end() ? nullptr : it->second;
}

void authority::remember(const std::string& fingerprint, claims_ptr claims) {
  const std::lock_guard lock(mutex_);
  if (cache_.size() >= options_.cached_max) {
    cache_.clear();  // costs each live token one verification
  }
  cache_[fingerprint] = std::move(claims);
}

result<authority::claims_ptr> authority::verify(std::string_view token) {
  if (token.size() > token_bytes_max || token.find('\0') != std::string_view::npos) {
    return refuse("too long");
  }
  // By hash: looking up a secret must not tell by its time how much of it was right.
  const auto fingerprint = runtime::sha256_hex(token);
  if (auto known = remembered(fingerprint); known) {
    if (now_s() >= known->expires_s) {
      return refuse("expired");
    }
    return known;
  }
  auto claims = check(std::string(token));
  if (claims) {
    remember(fingerprint, *claims);
  }
  return claims;
}

}  // namespace

result<std::unique_ptr<token_authority>> token_authority::open(options o) {
  auto key = load_signing_key(o.key_file);
  if (!key) {
    return tl::unexpected(messages::with_context("registry tokens", key.error()));
  }
  return std::make_unique<authority>(std::move(o), std::move(*key));
}

}  // namespace slipway::gateways
