#include "actors/build_workers.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using given = std::vector<std::pair<std::int64_t, std::string>>;

namespace {

messages::worker_joined worker(
  std::uint32_t slots,
  std::vector<std::int64_t> builds = {},
  std::vector<std::string> architectures = {"amd64"}) {
  messages::worker_joined w;
  w.slots = slots;
  w.builds = std::move(builds);
  w.architectures = std::move(architectures);
  return w;
}

}  // namespace

TEST_CASE("builds wait in line until a worker for their architecture has room") {
  actors::build_workers w;
  w.wait(1, "aarch64", 0);
  w.wait(2, "amd64", 0);
  w.wait(3, "amd64", 0);
  CHECK(w.assign().empty());
  CHECK(w.join("one", worker(1), 0).empty());
  CHECK(w.assign() == given{{2, "one"}});
  CHECK(w.assign().empty());
  w.leave(2);
  CHECK(w.assign() == given{{3, "one"}});
  CHECK(w.waiting() == 1);
}

TEST_CASE("the idlest worker gets the next build") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  CHECK(w.join("two", worker(2), 0).empty());
  for (std::int64_t build = 1; build <= 4; ++build) {
    w.wait(build, "amd64", 0);
  }
  CHECK(w.assign() == given{{1, "one"}, {2, "two"}, {3, "one"}, {4, "two"}});
}

TEST_CASE("a silent worker loses its builds when its lease is over") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  w.wait(1, "amd64", 0);
  REQUIRE(w.assign().size() == 1);
  w.heard("one", 10'000);
  CHECK(w.expire(10'000 + messages::worker_lease_ms).empty());
  const auto lost = w.expire(10'001 + messages::worker_lease_ms);
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].first == "one");
  CHECK(lost[0].second == std::vector<std::int64_t>{1});
  CHECK(w.worker_of(1).empty());
}

TEST_CASE("a worker that comes back soon keeps the builds that it still knows") {
  actors::build_workers w;
  CHECK(w.join("one", worker(4), 0).empty());
  w.wait(1, "amd64", 0);
  w.wait(2, "amd64", 0);
  REQUIRE(w.assign().size() == 2);
  w.down("one", 1'000);
  w.wait(3, "amd64", 1'000);
  CHECK(w.assign().empty());
  CHECK(w.expire(3'000).empty());
  CHECK(w.join("one", worker(4, {2}), 3'000) == std::vector<std::int64_t>{1});
  CHECK(w.worker_of(2) == "one");
  CHECK(w.assign() == given{{3, "one"}});
  CHECK(w.expire(10'000).empty());
}

TEST_CASE("a worker that stays away loses its builds") {
  actors::build_workers w;
  CHECK(w.join("one", worker(1), 0).empty());
  w.wait(1, "amd64", 0);
  REQUIRE(w.assign().size() == 1);
  w.down("one", 1'000);
  CHECK(w.expire(7'000).size() == 1);
}
