#include "gateways/registry/token.hpp"

#include "gateways/registry/signing_key.hpp"
#include "runtime/crypto.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <jwt.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

using namespace slipway;
using namespace slipway::gateways;
using messages::errc;
using nlohmann::json;

namespace {

struct fixture {
  test::temp_folder folder;
  std::int64_t now_ms = 1'800'000'000'000;

  std::unique_ptr<token_authority> open(
    const std::string& file = "key.pem",
    const std::string& issuer = "api.test",
    const std::string& service = "registry.test") {
    token_authority::options o;
    o.key_file = folder.path() + "/" + file;
    o.issuer = issuer;
    o.service = service;
    o.now_ms = [this] { return now_ms; };
    return std::move(token_authority::open(std::move(o)).value());
  }
};

std::string decode(std::string part) {
  for (auto& c : part) {
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  part.append((4 - part.size() % 4) % 4, '=');
  return runtime::base64_decode(part);
}

std::string encode(const std::string& bytes) {
  auto text = runtime::base64(bytes);
  for (auto& c : text) {
    c = c == '+' ? '-' : c == '/' ? '_' : c;
  }
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

std::vector<std::string> parts_of(const std::string& token) {
  std::istringstream in(token);
  std::vector<std::string> out;
  for (std::string part; std::getline(in, part, '.');) {
    out.push_back(part);
  }
  return out;
}

const std::vector<token_access> some_access{{"v2/abc", "", {"pull", "push"}}};

}  // namespace

TEST_CASE("a minted token verifies and carries what was granted") {
  fixture f;
  const auto tokens = f.open();
  const auto token = tokens->mint("d_123", {{"v2/abc", "org/fleet", {"pull"}}}, {1, 2, 3}).value();
  const auto claims = tokens->verify(token).value();
  CHECK(claims->subject == "d_123");
  REQUIRE(claims->access.size() == 1);
  CHECK(claims->access[0].name == "v2/abc");
  CHECK(claims->access[0].alias == "org/fleet");
  CHECK(claims->access[0].actions == std::vector<std::string>{"pull"});
  CHECK(tokens->verify(token).value() == claims);  // from the cache
}

TEST_CASE("header and claims are those that docker's registries expect") {
  fixture f;
  const auto tokens = f.open();
  const auto parts = parts_of(tokens->mint("user", some_access, {}).value());
  REQUIRE(parts.size() == 3);
  const auto header = json::parse(decode(parts[0]));
  CHECK(header["alg"] == "ES256");
  CHECK(header["kid"] == tokens->key_id());
  const auto claims = json::parse(decode(parts[1]));
  const auto now = f.now_ms / 1000;
  CHECK(claims["iss"] == "api.test");
  CHECK(claims["aud"] == "registry.test");
  CHECK(claims["sub"] == "user");
  CHECK(claims["iat"] == now);
  CHECK(claims["nbf"] == now - 10);
  CHECK(claims["exp"] == now + 4 * 3600);
  CHECK(claims["jti"].get<std::string>().size() == 36);
  CHECK(
    claims["access"][0]
    == json({{"type", "repository"}, {"name", "v2/abc"}, {"actions", {"pull", "push"}}}));
}

TEST_CASE("the signing key is made once, kept with mode 0600 and used again") {
  fixture f;
  const auto token = f.open()->mint("user", some_access, {}).value();
  struct stat info {};
  REQUIRE(::stat((f.folder.path() + "/key.pem").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(f.open()->verify(token));
  CHECK(!f.open("other.pem")->verify(token));
}

TEST_CASE("a key file that holds no key stops the start") {
  fixture f;
  const auto path = f.folder.path() + "/bad.pem";
  std::ofstream(path) << "-----BEGIN NOTHING-----\n";
  CHECK(load_signing_key(path).error().code == errc::corrupt);
}

TEST_CASE("the key id has libtrust's form") {
  // base32 of the first 30 bytes of SHA-256("abc"), computed with coreutils.
  CHECK(
    libtrust_fingerprint("abc") == "XJ4B:NP4P:AHH6:UQKB:IDPF:3LRC:EOYA:GYND:SYLX:VHFU:CD7W:D4QA");
}

TEST_CASE("tokens expire and are not valid before their time, also when cached") {
  fixture f;
  const auto tokens = f.open();
  const auto token = tokens->mint("user", some_access, {}).value();
  CHECK(tokens->verify(token));
  f.now_ms += 4 * 3600 * 1000 - 1;
  CHECK(tokens->verify(token));
  f.now_ms += 1000;
  CHECK(tokens->verify(token).error().code == errc::unauthorized);
  CHECK(f.open()->verify(token).error().code == errc::unauthorized);
  f.now_ms -= 5 * 3600 * 1000;
  CHECK(f.open()->verify(token).error().code == errc::unauthorized);
}

TEST_CASE("tokens of another issuer, service or key are refused") {
  fixture f;
  const auto tokens = f.open();
  CHECK(!tokens->verify(f.open("key.pem", "evil.test")->mint("u", some_access, {}).value()));
  CHECK(!tokens->verify(
    f.open("key.pem", "api.test", "other.test")->mint("u", some_access, {}).value()));
  CHECK(!tokens->verify(f.open("foreign.pem")->mint("u", some_access, {}).value()));
}

TEST_CASE("unsigned tokens and tokens that choose their algorithm are refused") {
  fixture f;
  const auto tokens = f.open();
  const auto parts = parts_of(tokens->mint("user", some_access, {}).value());
  const auto header = [&](const char* alg) {
    return encode(json{{"alg", alg}, {"typ", "JWT"}, {"kid", tokens->key_id()}}.dump());
  };
  CHECK(!tokens->verify(header("none") + "." + parts[1] + "."));
  CHECK(!tokens->verify(header("none") + "." + parts[1] + "." + parts[2]));
  CHECK(!tokens->verify(header("None") + "." + parts[1] + "."));
  CHECK(!tokens->verify(header("HS256") + "." + parts[1] + "." + parts[2]));
  CHECK(!tokens->verify(header("ES384") + "." + parts[1] + "." + parts[2]));
  CHECK(!tokens->verify(parts[0] + "." + parts[1] + "."));
  CHECK(!tokens->verify(parts[0] + "." + parts[1]));
  CHECK(tokens->verify(parts[0] + "." + parts[1] + "." + parts[2]));
}

TEST_CASE("the public key is no secret to sign with") {
  fixture f;
  const auto tokens = f.open();
  const auto parts = parts_of(tokens->mint("user", some_access, {}).value());
  const auto& pem = tokens->public_key_pem();
  jwt_t* forged = nullptr;
  REQUIRE(jwt_new(&forged) == 0);
  jwt_set_alg(
    forged,
    JWT_ALG_HS256,
    reinterpret_cast<const unsigned char*>(pem.data()),
    static_cast<int>(pem.size()));
  jwt_add_header(forged, "kid", tokens->key_id().c_str());
  jwt_add_grants_json(forged, decode(parts[1]).c_str());
  char* text = jwt_encode_str(forged);
  REQUIRE(text != nullptr);
  CHECK(!tokens->verify(text));
  std::free(text);
  jwt_free(forged);
}

TEST_CASE("a changed claim or signature is refused, and garbage too") {
  fixture f;
  const auto tokens = f.open();
  const auto token = tokens->mint("user", some_access, {}).value();
  const auto parts = parts_of(token);
  auto claims = json::parse(decode(parts[1]));
  claims["access"][0]["name"] = "v2/other";
  CHECK(!tokens->verify(parts[0] + "." + encode(claims.dump()) + "." + parts[2]));
  auto signature = decode(parts[2]);
  signature[5] = static_cast<char>(signature[5] ^ 1);
  CHECK(!tokens->verify(parts[0] + "." + parts[1] + "." + encode(signature)));
  for (const auto& bad :
       {std::string(),
        std::string("."),
        std::string(".."),
        std::string("a.b.c"),
        std::string("\0\0", 2),
        token + std::string(1, '\0'),
        std::string(100'000, 'x'),
        parts[0] + ".." + parts[2]}) {
    CHECK(tokens->verify(bad).error().code == errc::unauthorized);
  }
}

TEST_CASE("more tokens than the cache holds still verify") {
  fixture f;
  token_authority::options o;
  o.key_file = f.folder.path() + "/key.pem";
  o.issuer = o.service = "x";
  o.cached_max = 2;
  o.now_ms = [&f] { return f.now_ms; };
  const auto tokens = token_authority::open(std::move(o)).value();
  for (int i = 0; i < 6; ++i) {
    const auto token = tokens->mint(std::to_string(i), some_access, {}).value();
    CHECK(tokens->verify(token));
    CHECK(tokens->verify(token).value()->subject == std::to_string(i));
  }
}
