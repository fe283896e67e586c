#include "actors/build_workers.hpp"

#include "actors/build_world.hpp"

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
  CHECK(w.assign(0).empty());
  CHECK(w.join("one", worker(1), 0).empty());
  CHECK(w.assign(0) == given{{2, "one"}});
  CHECK(w.assign(0).empty());
  w.leave(2);
  CHECK(w.assign(0) == given{{3, "one"}});
  CHECK(w.waiting() == 1);
}

TEST_CASE("the idlest worker gets the next build") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  CHECK(w.join("two", worker(2), 0).empty());
  for (std::int64_t build = 1; build <= 4; ++build) {
    w.wait(build, "amd64", 0);
  }
  CHECK(w.assign(0) == given{{1, "one"}, {2, "two"}, {3, "one"}, {4, "two"}});
}

TEST_CASE("a silent worker loses its builds when its lease is over") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  w.wait(1, "amd64", 0);
  REQUIRE(w.assign(0).size() == 1);
  w.heard("one", 10'000);
  CHECK(w.expire(10'000 + messages::worker_lease_ms).empty());
  const auto lost = w.expire(10'001 + messages::worker_lease_ms);
  REQUIRE(lost.size() == 1);
  CHECK(lost[0].first == "one");
  CHECK(lost[0].second == std::vector<std::int64_t>{1});
  CHECK(w.worker_of(1).empty());
}

TEST_CASE("a silent worker whose connection lives gets builds again once it is heard") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  REQUIRE(w.expire(1 + messages::worker_lease_ms).size() == 1);
  CHECK(w.expire(2 + messages::worker_lease_ms).empty());  // once
  w.wait(1, "amd64", 30'000);
  CHECK(w.assign(30'000).empty());
  w.heard("one", 30'000);
  CHECK(w.assign(30'000) == given{{1, "one"}});
  CHECK(w.expire(31'000).empty());
}

TEST_CASE("a build is tried again elsewhere, and at the same worker where there is no other") {
  actors::build_workers w;
  CHECK(w.join("one", worker(1), 0).empty());
  w.wait(1, "amd64", 0, "one");
  CHECK(w.assign(0) == given{{1, "one"}});
  CHECK(w.join("two", worker(1), 0).empty());
  w.wait(2, "amd64", 0, "two");
  CHECK(w.assign(0).empty());  // the other one is busy, and will not be for ever
  w.leave(1);
  CHECK(w.assign(0) == given{{2, "one"}});
}

TEST_CASE("a worker that failed by its own fault rests while others have the builds") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  CHECK(w.join("two", worker(2), 0).empty());
  w.rest("one", 0);
  for (std::int64_t build = 1; build <= 3; ++build) {
    w.wait(build, "amd64", 0);
  }
  CHECK(w.assign(0) == given{{1, "two"}, {2, "two"}});
  CHECK(w.assign(actors::worker_rest_ms) == given{{3, "one"}});
}

TEST_CASE("a worker that stops takes no builds, and keeps those that it ends") {
  actors::build_workers w;
  CHECK(w.join("one", worker(2), 0).empty());
  w.wait(1, "amd64", 0);
  REQUIRE(w.assign(0).size() == 1);
  CHECK(w.join("one", worker(2, {1}, {}), 0).empty());
  w.wait(2, "amd64", 0);
  CHECK(w.assign(0).empty());
  CHECK(w.worker_of(1) == "one");
}

TEST_CASE("what a worker says that it builds is compared with what it was given") {
  actors::build_workers w;
  CHECK(w.join("one", worker(4), 0).empty());
  w.wait(1, "amd64", 0);
  w.wait(2, "amd64", 0);
  REQUIRE(w.assign(0).size() == 2);
  const auto d = w.compare("one", {2, 9});
  CHECK(d.missing == std::vector<std::int64_t>{1});
  CHECK(d.foreign == std::vector<std::int64_t>{9});
  CHECK(w.compare("nobody", {2}).foreign == std::vector<std::int64_t>{2});
}

TEST_CASE("a worker that comes back soon keeps the builds that it still knows") {
  actors::build_workers w;
  CHECK(w.join("one", worker(4), 0).empty());
  w.wait(1, "amd64", 0);
  w.wait(2, "amd64", 0);
  REQUIRE(w.assign(0).size() == 2);
  w.down("one", 1'000);
  w.wait(3, "amd64", 1'000);
  CHECK(w.assign(0).empty());
  CHECK(w.expire(3'000).empty());
  CHECK(w.join("one", worker(4, {2}), 3'000) == std::vector<std::int64_t>{1});
  CHECK(w.worker_of(2) == "one");
  CHECK(w.assign(0) == given{{3, "one"}});
  CHECK(w.expire(10'000).empty());
}

TEST_CASE("a worker that stays away loses its builds") {
  actors::build_workers w;
  CHECK(w.join("one", worker(1), 0).empty());
  w.wait(1, "amd64", 0);
  REQUIRE(w.assign(0).size() == 1);
  w.down("one", 1'000);
  CHECK(w.expire(7'000).size() == 1);
}
