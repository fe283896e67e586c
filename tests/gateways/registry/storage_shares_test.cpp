#include "gateways/registry/storage_shares.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using slipway::gateways::storage_shares;

namespace {

constexpr std::int64_t ours = 7;

}  // namespace

TEST_CASE("uploads count with what they hold, and what is stored counts at once") {
  storage_shares shares;
  CHECK(shares.room(ours) == 0);
  shares.set(ours, 1000, 300, shares.stored(ours));
  CHECK(shares.room(ours) == 700);
  CHECK(shares.hold(ours, "a", 400));
  CHECK_FALSE(shares.hold(ours, "b", 301));
  CHECK(shares.hold(ours, "b", 200));
  CHECK(shares.resize("b", 300));
  CHECK_FALSE(shares.resize("b", 301));
  CHECK(shares.room(ours) == 0);
  shares.release("b", false);
  CHECK(shares.room(ours) == 300);
  shares.release("a", true);
  CHECK(shares.room(ours) == 300);
  shares.release("a", true);
  CHECK(shares.room(ours) == 300);
  shares.set(8, 50, 0, shares.stored(8));
  CHECK(shares.room(8) == 50);
}

TEST_CASE("a count that began before something was stored does not hide it") {
  storage_shares shares;
  shares.set(ours, 1000, 0, 0);
  CHECK(shares.hold(ours, "a", 600));
  const auto before = shares.stored(ours);
  shares.release("a", true);
  shares.set(ours, 1000, 0, before);
  CHECK(shares.room(ours) == 400);
  shares.set(ours, 1000, 600, shares.stored(ours));
  CHECK(shares.room(ours) == 400);
}

TEST_CASE("what a paused upload holds can be taken from it, and not from one that goes on") {
  storage_shares shares;
  shares.set(ours, 1000, 0, 0);
  CHECK(shares.hold(ours, "a", 900));
  CHECK(shares.paused(ours).empty());
  shares.forget("a");
  CHECK(shares.room(ours) == 100);
  shares.pause("a", 800);
  CHECK(shares.room(ours) == 200);
  CHECK(shares.paused(ours) == std::vector<std::string>{"a"});
  CHECK(shares.hold(ours, "a", 900));
  CHECK(shares.paused(ours).empty());
  shares.pause("a", 900);
  CHECK_FALSE(shares.hold(ours, "a", 1001));
  shares.forget("a");
  CHECK(shares.room(ours) == 1000);
  CHECK(shares.hold(ours, "empty", 0));
  shares.pause("empty", 0);
  CHECK(shares.paused(ours).empty());
}

TEST_CASE("a limit that was lowered refuses more and lets uploads shrink") {
  storage_shares shares;
  shares.set(ours, 1000, 0, 0);
  CHECK(shares.hold(ours, "a", 900));
  shares.set(ours, 500, 0, 0);
  CHECK(shares.room(ours) == 0);
  CHECK_FALSE(shares.resize("a", 901));
  CHECK(shares.resize("a", 700));
}

TEST_CASE("uploads at once never hold more than there is") {
  storage_shares shares;
  shares.set(ours, 100'000, 0, 0);
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        granted += shares.hold(ours, std::to_string(t) + "-" + std::to_string(i), 17) ? 1 : 0;
      }
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  CHECK(granted == 100'000 / 17);
}
