#include "domain/notice_queue.hpp"
#include "domain/presence.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace slipway;
using domain::decide_presence;
using domain::notice_queue;
using domain::presence;
using messages::notice_kind;

namespace {

notice_queue::item
item(std::uint64_t id, notice_kind kind = notice_kind::restart, std::int64_t expires = 0) {
  return {id, kind, expires, std::make_shared<const std::string>(std::to_string(id)), 0};
}

}  // namespace

TEST_CASE("presence changes as the table says") {
  struct row {
    presence known;
    messages::set_presence word;  // edge, epoch, online, time
    bool changes;
    bool flips;
  };
  const row table[] = {
    {{0, 0, false}, {1, 5, true, 9}, true, true},    // first seen
    {{1, 5, true}, {1, 5, false, 9}, true, true},    // its session ended
    {{1, 5, true}, {1, 5, true, 9}, false, false},   // announced again
    {{1, 5, false}, {1, 5, true, 9}, true, true},    // a lapsed lease was renewed after all
    {{1, 5, true}, {1, 7, true, 9}, true, false},    // reconnected before the end was seen
    {{1, 7, true}, {1, 5, false, 9}, false, false},  // the late end of the session before
    {{2, 7, true}, {1, 5, false, 9}, false, false},  // the same, from another edge
    {{2, 7, true}, {1, 5, true, 9}, false, false},   // the late beginning of the session before
    {{1, 5, true}, {2, 7, false, 9}, true, true},    // a later session came and went elsewhere
    {{1, 5, false}, {2, 7, false, 9}, true, false},  // the same while offline
    {{2, 7, true}, {1, 7, false, 9}, false, false},  // not that edge's to say
  };
  for (const auto& r : table) {
    INFO("epoch " << r.known.epoch << " then " << r.word.epoch << " online " << r.word.online);
    const auto change = decide_presence(r.known, r.word);
    CHECK(change.has_value() == r.changes);
    if (change) {
      CHECK(change->flipped == r.flips);
      CHECK(change->next == presence{r.word.edge, r.word.epoch, r.word.online});
    }
  }
}

TEST_CASE("however the words of several edges are mixed, the latest session decides") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    // Each edge speaks in order: on, off for each of its sessions; the last session of all stays online.
    std::vector<std::vector<messages::set_presence>> edges(3);
    for (std::uint64_t epoch = 1; epoch <= 12; ++epoch) {
      const auto edge = random() % 3;
      edges[edge].push_back({static_cast<std::int64_t>(edge), epoch, true, 0});
      if (epoch < 12) {
        edges[edge].push_back({static_cast<std::int64_t>(edge), epoch, false, 0});
      }
    }
    presence p;
    std::vector<std::size_t> next(3, 0);
    while (true) {
      std::vector<std::size_t> left;
      for (std::size_t e = 0; e < 3; ++e) {
        if (next[e] < edges[e].size()) {
          left.push_back(e);
        }
      }
      if (left.empty()) {
        break;
      }
      const auto e = left[random() % left.size()];
      if (const auto change = decide_presence(p, edges[e][next[e]++])) {
        p = change->next;
      }
    }
    REQUIRE(p.online);
    REQUIRE(p.epoch == 12);
  }
}

TEST_CASE("of update notices only the latest waits") {
  notice_queue q;
  CHECK(q.add(item(1, notice_kind::update)) == 0);
  CHECK(q.add(item(2, notice_kind::reboot)) == 0);
  CHECK(q.add(item(3, notice_kind::update)) == 0);
  CHECK(q.size() == 2);
  CHECK_FALSE(q.acknowledge(1));
  CHECK(q.acknowledge(3));
  CHECK(q.acknowledge(2));
  CHECK(q.empty());
}

TEST_CASE("a full queue drops its oldest notice and says so") {
  notice_queue q;
  for (std::uint64_t id = 1; id <= notice_queue::items_max; ++id) {
    REQUIRE(q.add(item(id)) == 0);
  }
  CHECK(q.add(item(1)) == 0);  // there already
  CHECK(q.add(item(100)) == 1);
  CHECK(q.size() == notice_queue::items_max);
  CHECK_FALSE(q.acknowledge(1));
  CHECK(q.acknowledge(100));
}

TEST_CASE("a notice goes out once a connection, again after a while, and never after it expired") {
  notice_queue q;
  q.add(item(1, notice_kind::restart, 500));
  CHECK(q.due(100, 50).size() == 1);
  CHECK(q.due(120, 50).empty());
  CHECK(q.due(150, 50).size() == 1);
  q.unsend();
  CHECK(q.due(151, 50).size() == 1);
  CHECK(q.expire(499) == 0);
  CHECK(q.expire(500) == 1);
  CHECK(q.due(600, 50).empty());
}
