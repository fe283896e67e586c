#include "gateways/login/attempt_limiter.hpp"

#include <catch2/catch.hpp>

using slipway::gateways::attempt_limiter;
using slipway::gateways::limited_address;

namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t start = 1'700'000'000'000;

int attempts_let_through(attempt_limiter& l, const std::string& what, std::int64_t now) {
  int passed = 0;
  while (passed < 1000 && l.begin(what, now) == 0) {
    ++passed;
  }
  return passed;
}

}  // namespace

TEST_CASE("ten attempts are let through, then none for an hour") {
  attempt_limiter l({});
  CHECK(attempts_let_through(l, "ann", start) == 10);
  CHECK(l.begin("ann", start) == hour);
  CHECK(l.begin("ann", start + 59 * minute) == minute);
  CHECK(l.begin("bob", start) == 0);
  CHECK(attempts_let_through(l, "ann", start + hour) == 10);
}

TEST_CASE("attempts are forgotten two hours after the first") {
  attempt_limiter l({});
  for (int i = 0; i < 9; ++i) {
    REQUIRE(l.begin("ann", start) == 0);
  }
  CHECK(attempts_let_through(l, "ann", start + 2 * hour) == 10);
}

TEST_CASE("a success forgets a name's attempts, and takes back only itself for an address") {
  attempt_limiter l({});
  for (int i = 0; i < 9; ++i) {
    REQUIRE(l.begin("ann", start) == 0);
    REQUIRE(l.begin("address", start) == 0);
  }
  l.forget("ann");
  l.take_back("address");
  CHECK(attempts_let_through(l, "ann", start) == 10);
  CHECK(attempts_let_through(l, "address", start) == 2);
}

TEST_CASE("who fills the table resets nobody who is blocked") {
  attempt_limiter::limits small;
  small.sets = 4;
  attempt_limiter l(small);
  REQUIRE(attempts_let_through(l, "victim", start) == 10);
  for (int i = 0; i < 10'000; ++i) {
    (void)l.begin("name" + std::to_string(i), start);
  }
  CHECK(l.begin("victim", start) > 0);
}

TEST_CASE("who fills the table with single attempts does not displace what counted more") {
  attempt_limiter::limits small;
  small.sets = 4;
  attempt_limiter l(small);
  for (int i = 0; i < 9; ++i) {
    REQUIRE(l.begin("victim", start) == 0);
  }
  for (int i = 0; i < 10'000; ++i) {
    (void)l.begin("name" + std::to_string(i), start);
  }
  CHECK(attempts_let_through(l, "victim", start) == 1);
}

TEST_CASE("a table full of blocked names refuses newcomers rather than forgetting") {
  attempt_limiter::limits one;
  one.sets = 1;
  attempt_limiter l(one);
  for (int i = 0; i < 8; ++i) {
    REQUIRE(attempts_let_through(l, "name" + std::to_string(i), start) == 10);
  }
  CHECK(l.begin("newcomer", start) == hour);
  CHECK(l.begin("newcomer", start + hour) == 0);
}

TEST_CASE("addresses are counted as their owners hold them") {
  CHECK(limited_address("192.0.2.7") == "192.0.2.7");
  CHECK(limited_address("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(limited_address("2001:db8:1:2::1") == limited_address("2001:db8:1:2:ffff::9"));
  CHECK(limited_address("2001:db8:1:2::1") != limited_address("2001:db8:1:3::1"));
  CHECK(limited_address("127.0.0.1").empty());
  CHECK(limited_address("::1").empty());
  CHECK(limited_address("::ffff:127.0.0.1").empty());
}
