#include "gateways/login/totp.hpp"

#include <catch2/catch.hpp>

using namespace slipway::gateways;

namespace {

const std::string rfc_secret = "12345678901234567890";
constexpr std::int64_t never = -1;

std::string code_at(std::int64_t seconds) {
  return hotp(rfc_secret, static_cast<std::uint64_t>(seconds / totp_step_seconds), totp_digits);
}

}  // namespace

TEST_CASE("the codes of RFC 4226, appendix D, come out") {
  const char* expected[] = {
    "755224",
    "287082",
    "359152",
    "969429",
    "338314",
    "254676",
    "287922",
    "162583",
    "399871",
    "520489"};
  for (std::uint64_t counter = 0; counter < 10; ++counter) {
    CHECK(hotp(rfc_secret, counter, 6) == expected[counter]);
  }
}

TEST_CASE("the SHA-1 codes of RFC 6238, appendix B, come out") {
  const std::pair<std::uint64_t, const char*> expected[] = {
    {59, "94287082"},
    {1111111109, "07081804"},
    {1111111111, "14050471"},
    {1234567890, "89005924"},
    {2000000000, "69279037"},
    {20000000000, "65353130"}};
  for (const auto& [seconds, code] : expected) {
    CHECK(hotp(rfc_secret, seconds / 30, 8) == code);
  }
}

TEST_CASE("base32 is as RFC 4648 has it and reads what people type") {
  CHECK(base32("") == "");
  CHECK(base32("f") == "MY");
  CHECK(base32("fooba") == "MZXW6YTB");
  CHECK(base32("foobar") == "MZXW6YTBOI");
  CHECK(base32_decode("MZXW6YTBOI======") == "foobar");
  CHECK(base32_decode("mzxw6ytboi") == "foobar");
  CHECK_FALSE(base32_decode("MZXW1"));
  CHECK_FALSE(base32_decode("MZ XW"));
}

TEST_CASE("a code passes one step early or late, and no further") {
  const auto secret = base32(rfc_secret);
  const std::int64_t now = 1'700'000'010;
  const auto code = code_at(now);
  const auto step = now / totp_step_seconds;
  CHECK(totp_step_of(secret, code, now * 1000, never) == step);
  CHECK(totp_step_of(secret, code, (now + 30) * 1000, never) == step);
  CHECK(totp_step_of(secret, code, (now - 30) * 1000, never) == step);
  CHECK_FALSE(totp_step_of(secret, code, (now + 60) * 1000, never));
  CHECK_FALSE(totp_step_of(secret, code, (now - 60) * 1000, never));
}

TEST_CASE("a code whose step was used does not pass again, nor does an older one") {
  const auto secret = base32(rfc_secret);
  const std::int64_t now = 1'700'000'010;
  const auto used = totp_step_of(secret, code_at(now), now * 1000, never);
  REQUIRE(used);
  CHECK_FALSE(totp_step_of(secret, code_at(now), now * 1000, *used));
  CHECK_FALSE(totp_step_of(secret, code_at(now - 30), now * 1000, *used));
  CHECK(totp_step_of(secret, code_at(now + 30), now * 1000, *used) == *used + 1);
}

TEST_CASE("what is not a code of six digits never passes") {
  const auto secret = base32(rfc_secret);
  const std::int64_t now = 1'700'000'010;
  auto code = code_at(now);
  CHECK(totp_step_of(secret, code.substr(0, 3) + " " + code.substr(3), now * 1000, never));
  for (const std::string& wrong :
       {std::string(), std::string("12345"), code + "0", std::string("abcdef")}) {
    CHECK_FALSE(totp_step_of(secret, wrong, now * 1000, never));
  }
  CHECK_FALSE(totp_step_of("", code, now * 1000, never));
  CHECK_FALSE(totp_step_of("not base32!", code, now * 1000, never));
}

TEST_CASE("an authenticator's address names issuer, account and secret") {
  CHECK(
    otpauth_uri("Slipway 1", "ann@example.org", "MZXW6YTB")
    == "otpauth://totp/Slipway%201:ann%40example.org?secret=MZXW6YTB&issuer=Slipway%201"
       "&algorithm=SHA1&digits=6&period=30");
}
