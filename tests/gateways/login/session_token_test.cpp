#include "gateways/session_token.hpp"

#include <catch2/catch.hpp>
#include <jwt.h>

#include <cstdlib>

using namespace slipway::gateways;

namespace {

const std::string key(64, 'k');
constexpr std::int64_t now_s = 1'700'000'000;

session_claims whole() {
  session_claims c;
  c.user = 130;
  c.secret = "0123456789abcdef";
  c.auth_time = now_s * 1000;
  c.issued = now_s;
  c.expires = now_s + session_seconds;
  c.session = 194;
  return c;
}

/// A token with claims of the test's own, signed with the right key.
std::string hand_made(const std::string& claims, jwt_alg_t algorithm = JWT_ALG_HS256) {
  jwt_t* j = nullptr;
  REQUIRE(jwt_new(&j) == 0);
  REQUIRE(jwt_add_grants_json(j, claims.c_str()) == 0);
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
  const bool none = algorithm == JWT_ALG_NONE;
  REQUIRE(
    jwt_set_alg(j, algorithm, none ? nullptr : bytes, none ? 0 : static_cast<int>(key.size()))
    == 0);
  char* text = jwt_encode_str(j);
  std::string out(text);
  std::free(text);
  jwt_free(j);
  return out;
}

std::string claims_with(const std::string& more) {
  return R"({"id":130,"jwt_secret":"0123456789abcdef","authTime":1,"iat":1,"exp":1700001000)" + more
         + "}";
}

}  // namespace

TEST_CASE("a session's token comes back as it was") {
  for (const auto factor : {second_factor::none, second_factor::passed}) {
    auto c = whole();
    c.second_factor = factor;
    const auto back = verify_session(key, mint_session(key, c), now_s);
    REQUIRE(back);
    CHECK(back->user == c.user);
    CHECK(back->secret == c.secret);
    CHECK(back->auth_time == c.auth_time);
    CHECK(back->session == c.session);
    CHECK(back->second_factor == factor);
  }
}

TEST_CASE("a token that owes its second factor has no session") {
  auto c = whole();
  c.session = 0;
  c.second_factor = second_factor::pending;
  const auto back = verify_session(key, mint_session(key, c), now_s);
  REQUIRE(back);
  CHECK(back->second_factor == second_factor::pending);
  CHECK(back->session == 0);
}

TEST_CASE("a token expires, and one of another key or altered is refused") {
  const auto token = mint_session(key, whole());
  CHECK(verify_session(key, token, now_s + session_seconds - 1));
  CHECK_FALSE(verify_session(key, token, now_s + session_seconds));
  CHECK_FALSE(verify_session(std::string(64, 'x'), token, now_s));
  for (const std::size_t at : {std::size_t{5}, token.size() / 2, token.size() - 5}) {
    auto altered = token;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    CHECK_FALSE(verify_session(key, altered, now_s));
  }
}

TEST_CASE("the algorithm is not the token's to choose") {
  CHECK(verify_session(key, hand_made(claims_with(R"(,"session":194)")), now_s));
  CHECK_FALSE(
    verify_session(key, hand_made(claims_with(R"(,"session":194)"), JWT_ALG_NONE), now_s));
  CHECK_FALSE(
    verify_session(key, hand_made(claims_with(R"(,"session":194)"), JWT_ALG_HS512), now_s));
}

TEST_CASE("a token without a session is refused unless it owes its second factor") {
  CHECK_FALSE(verify_session(key, hand_made(claims_with("")), now_s));
  CHECK_FALSE(verify_session(key, hand_made(claims_with(R"(,"twoFactorRequired":false)")), now_s));
  CHECK(verify_session(key, hand_made(claims_with(R"(,"twoFactorRequired":true)")), now_s));
  CHECK_FALSE(
    verify_session(key, hand_made(claims_with(R"(,"twoFactorRequired":true,"session":1)")), now_s));
}

TEST_CASE("a second factor of another type does not count as passed") {
  for (const auto* claim :
       {R"(,"session":194,"twoFactorRequired":"false")",
        R"(,"session":194,"twoFactorRequired":0)"}) {
    CHECK_FALSE(verify_session(key, hand_made(claims_with(claim)), now_s));
  }
}

TEST_CASE("tokens and API keys are told apart") {
  CHECK(is_session(mint_session(key, whole())));
  CHECK_FALSE(is_session("AbCdEfGhIjKlMnOpQrStUvWxYz012345"));
  CHECK_FALSE(is_session(""));
}
