#include "runtime/directory.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <thread>

using namespace slipway;
using messages::entity_kind;
using messages::entity_ref;

namespace {

constexpr std::size_t entity_count = 4, senders = 4, messages_each = 3000;

/// What all incarnations of one entity tell.
struct book {
  std::atomic<int> incarnation{0};  ///< the newest
  std::atomic<int> handled{0};
  std::atomic<int> by_an_old_one{0};
  std::atomic<int> at_once{0};
  std::atomic<int> overlaps{0};
};

struct restless_world {
  std::array<book, entity_count> books;
  runtime::directory directory;
  caf::actor_system_config config;
  caf::actor_system system{config};

  restless_world() {
    directory.add(entity_kind::device, [this](entity_ref ref) {
      auto& b = books[static_cast<std::size_t>(ref.id)];
      const int me = ++b.incarnation;
      return system.spawn([this, ref, &b, me](caf::event_based_actor* self) {
        return caf::behavior{[this, self, ref, &b, me](int) {
          // Another incarnation at work at the same time, or after this one was let go, is a second life.
          b.overlaps += b.at_once.fetch_add(1) == 0 ? 0 : 1;
          b.by_an_old_one += b.incarnation == me ? 0 : 1;
          ++b.handled;
          --b.at_once;
          auto* scheduled = static_cast<caf::scheduled_actor*>(self);
          // Wants to sleep after every message.
          if (directory.release(ref, [scheduled] { return scheduled->mailbox().empty(); })) {
            self->quit();
          }
        }};
      });
    });
  }
};

}  // namespace

TEST_CASE("an entity that falls asleep under messages never lives twice and loses none") {
  restless_world w;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < senders; ++t) {
    threads.emplace_back([&w] {
      for (std::size_t i = 0; i < messages_each; ++i) {
        const entity_ref to{entity_kind::device, static_cast<std::int64_t>(i % entity_count)};
        w.directory.send(caf::actor{}, to, caf::make_message(1));
      }
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  w.system.await_all_actors_done();
  int handled = 0;
  int lives = 0;
  for (const auto& b : w.books) {
    CHECK(b.overlaps == 0);
    CHECK(b.by_an_old_one == 0);
    handled += b.handled;
    lives += b.incarnation;
  }
  CHECK(handled == static_cast<int>(senders * messages_each));
  CHECK(lives >= static_cast<int>(entity_count));
  CHECK(w.directory.active() == 0);
}

TEST_CASE("an entity that ended is forgotten only by its own end, not by that of the one before") {
  caf::actor_system_config config;
  caf::actor_system system{config};
  runtime::directory directory;
  std::vector<std::uint64_t> ids;
  directory.add(entity_kind::device, [&](entity_ref) {
    const auto actor =
      system.spawn([](caf::event_based_actor*) { return caf::behavior{[](int) {}}; });
    ids.push_back(actor.id());
    return actor;
  });
  const entity_ref ref{entity_kind::device, 65};
  directory.send(caf::actor{}, ref, caf::make_message(1));
  directory.forget(ref, ids.at(0) + 1000);
  CHECK(directory.active() == 1);
  directory.forget(ref, ids.at(0));
  CHECK(directory.active() == 0);
  directory.send(caf::actor{}, ref, caf::make_message(1));
  CHECK(ids.size() == 2);
  directory.forget(ref, ids.at(0));
  CHECK(directory.active() == 1);
  directory.stop();
  directory.send(caf::actor{}, ref, caf::make_message(1));
  CHECK(directory.active() == 0);
  CHECK(ids.size() == 2);
}
