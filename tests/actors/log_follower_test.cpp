#include "actors/log_follower.hpp"

#include "tests/storage/store_fixture.hpp"

#include <random>

using namespace slipway;
using actors::log_follower;
using messages::log_record;

namespace {

using seen = std::vector<std::pair<int, std::uint64_t>>;

struct fixture {
  tests::memory_store stored;
  seen got;
  log_follower::visitor visit = [this](const log_record& r) {
    got.emplace_back(r.position.partition, r.position.seq);
  };

  /// Writes one commit in the partition and gives the record that the journal would tell of it.
  log_record write(int partition) {
    const auto id = stored.store.log->next_id(partition);
    tests::story s({messages::entity_kind::fleet, id});
    s.create(tests::fleets::resource, id, {{tests::fleets::slug, "s" + std::to_string(id)}});
    const auto done = stored.append(s.c);
    REQUIRE(done);
    return {done->position, done->version, s.c};
  }
};

}  // namespace

TEST_CASE("a follower that is told everything sees everything once") {
  fixture f;
  log_follower follower(f.stored.store.log, f.stored.store.log->last());
  for (int i = 0; i < 3; ++i) {
    const std::array batch{f.write(5), f.write(6)};
    REQUIRE(follower.take(batch, f.visit));
  }
  CHECK(f.got == seen{{5, 1}, {6, 1}, {5, 2}, {6, 2}, {5, 3}, {6, 3}});
}

TEST_CASE("what was in a batch that was missed comes before the next, in order") {
  fixture f;
  log_follower follower(f.stored.store.log, f.stored.store.log->last());
  static_cast<void>(f.write(5));
  static_cast<void>(f.write(5));
  const std::array batch{f.write(5)};
  REQUIRE(follower.take(batch, f.visit));
  CHECK(f.got == seen{{5, 1}, {5, 2}, {5, 3}});
}

TEST_CASE("a batch that is behind what was read already is not seen again") {
  fixture f;
  log_follower follower(f.stored.store.log, f.stored.store.log->last());
  const std::array batch{f.write(5), f.write(5)};
  REQUIRE(follower.catch_up(f.visit));
  REQUIRE(follower.take(batch, f.visit));
  REQUIRE(follower.take(batch, f.visit));
  CHECK(f.got == seen{{5, 1}, {5, 2}});
}

TEST_CASE("a follower goes on from the position that its owner kept") {
  fixture f;
  log_follower before(f.stored.store.log, f.stored.store.log->last());
  const std::array first{f.write(5)};
  REQUIRE(before.take(first, f.visit));
  const auto kept = before.position();
  static_cast<void>(f.write(5));
  static_cast<void>(f.write(9));
  log_follower after(f.stored.store.log, kept);
  REQUIRE(after.catch_up(f.visit));
  CHECK(f.got == seen{{5, 1}, {5, 2}, {9, 1}});
}

TEST_CASE("whatever batches are missed, doubled or late, each record is seen once and in order") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 rng(seed);
  fixture f;
  log_follower follower(f.stored.store.log, f.stored.store.log->last());
  std::vector<log_record> told;
  std::array<std::uint64_t, 3> written{};
  for (int i = 0; i < 200; ++i) {
    const auto p = rng() % 3;
    told.push_back(f.write(static_cast<int>(p)));
    ++written[p];
    if (rng() % 3 == 0) {
      const auto from = rng() % told.size();
      REQUIRE(follower.take(std::span(told).subspan(from), f.visit));
    }
  }
  REQUIRE(follower.catch_up(f.visit));
  std::array<std::uint64_t, 3> next{};
  for (const auto& [partition, seq] : f.got) {
    CHECK(seq == ++next[static_cast<std::size_t>(partition)]);
  }
  CHECK(next == written);
}
