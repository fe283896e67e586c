#include "gateways/git/push_tickets.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using gateways::git::push;
using gateways::git::push_tickets;

TEST_CASE("a ticket stands for its push until the push is over") {
  push_tickets tickets;
  push p;
  p.by.id = 7;
  p.fleet = 8;
  const auto one = tickets.open(p);
  p.fleet = 9;
  const auto other = tickets.open(p);
  CHECK(one != other);
  CHECK(one.size() >= 32);
  REQUIRE(tickets.find(one));
  CHECK(tickets.find(one)->fleet == 8);
  CHECK(tickets.find(one)->by.id == 7);
  CHECK(tickets.started(one, 100));
  CHECK(tickets.started(one, 101));
  CHECK(tickets.releases(one) == std::vector<std::int64_t>{100, 101});
  CHECK(tickets.releases(other).empty());
  CHECK(tickets.close(one) == std::vector<std::int64_t>{100, 101});
  CHECK_FALSE(tickets.find(one));
  CHECK_FALSE(tickets.started(one, 102));
  CHECK(tickets.close(one).empty());
  CHECK(tickets.find(other));
}

TEST_CASE("what is no ticket opens nothing") {
  push_tickets tickets;
  (void)tickets.open({});
  CHECK_FALSE(tickets.find(""));
  CHECK_FALSE(tickets.find("guess"));
}
