#pragma once

#include "actors/entity.hpp"
#include "actors/journal.hpp"
#include "domain/resource_model.hpp"
#include "runtime/directory.hpp"
#include "storage/embedded_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <rocksdb/env.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace slipway::tests {

struct server_config : caf::actor_system_config {
  explicit server_config(bool virtual_time) {
    add_message_types<caf::id_block::slipway>();
    if (virtual_time) {
      set("scheduler.policy", caf::atom("testing"));
    }
  }
};

/// A whole store in memory.
struct store_in_memory {
  std::unique_ptr<rocksdb::Env> env{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  std::shared_ptr<const domain::schema> model = domain::resource_model();
  storage::store store;

  store_in_memory() {
    auto opened = storage::open_embedded({"/store", env.get(), model});
    REQUIRE(opened);
    store = std::move(*opened);
  }
};

/// Stands in for the journal: appends at once, or keeps what comes until told; fails on demand.
struct fake_journal {
  struct held {
    caf::actor sender;
    std::uint64_t correlation = 0;
    messages::commit commit;
  };
  std::shared_ptr<storage::event_log> log;
  std::deque<held> waiting;
  std::vector<caf::actor> subscribers;
  std::optional<messages::error> failure;  ///< answered instead of appending
  bool hold = false;
  std::size_t appends = 0;

  /// Appends the oldest that waits, and answers.
  void flush_one() {
    REQUIRE_FALSE(waiting.empty());
    auto h = std::move(waiting.front());
    waiting.pop_front();
    messages::outcome o;
    if (failure) {
      o.failure = *failure;
    } else {
      auto done = log->append({&h.commit, 1}).at(0);
      ++appends;
      o = done ? messages::outcome{{messages::errc::none, ""}, *done}
               : messages::outcome{done.error(), {}};
    }
    caf::anon_send(h.sender, h.correlation, std::move(o));
  }
};

inline actors::journal_actor::behavior_type fake_journal_behavior(
  actors::journal_actor::pointer self,
  fake_journal* j) {
  return {
    [self, j](std::uint64_t correlation, messages::commit& c) {
      j->waiting.push_back(
        {caf::actor_cast<caf::actor>(self->current_sender()), correlation, std::move(c)});
      if (!j->hold) {
        j->flush_one();
      }
    },
    [](actors::flush_atom) {},
    [j](actors::tail_atom, const caf::actor& s) { j->subscribers.push_back(s); },
  };
}

/// Entities above a store in memory, on one thread and a clock that moves only when told.
class server_world {
public:
  using answer = std::pair<std::uint64_t, messages::outcome>;

  store_in_memory stored;
  fake_journal journal;
  runtime::directory directory;
  std::vector<answer> answers;

  server_world() : system_(config_) {
    journal.log = stored.store.log;
    auto w = std::make_shared<actors::world>();
    w->model = stored.model;
    w->store = stored.store;
    w->journal = system_.spawn(fake_journal_behavior, &journal);
    w->directory = &directory;
    w->now = [] { return std::int64_t{1'700'000'000'000}; };
    w->random_hex = [drawn = std::make_shared<int>(0)](std::size_t n) {
      const auto number = std::to_string(++*drawn);
      return std::string(n - number.size(), 'a') + number;
    };
    journal_handle_ = w->journal;
    for (const auto kind : {messages::entity_kind::organization, messages::entity_kind::fleet}) {
      directory.add(kind, [this, w](messages::entity_ref ref) {
        ++activations;
        return actors::spawn_entity(system_, ref, w);
      });
    }
    inbox_ = system_.spawn([this](caf::event_based_actor* self) {
      self->set_default_handler(caf::drop);
      return caf::behavior{
        [this](std::uint64_t n, const messages::outcome& o) { answers.emplace_back(n, o); }};
    });
  }
  ~server_world() {
    directory.stop();
    caf::anon_send_exit(inbox_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(
      caf::actor_cast<caf::actor>(journal_handle_),
      caf::exit_reason::user_shutdown);
    run();
    time().clock().cancel_all();
  }
  server_world(const server_world&) = delete;
  server_world& operator=(const server_world&) = delete;

  int activations = 0;
  caf::actor_system& system() { return system_; }
  [[nodiscard]] const actors::journal_actor& journal_handle() const { return journal_handle_; }
  void run() { time().run(); }
  void advance(std::chrono::seconds s) {
    for (; s.count() > 0; s -= std::chrono::seconds(1)) {
      time().advance_time(std::chrono::seconds(1));
      run();
    }
  }
  /// Sends without running anything.
  template <class Command>
  std::uint64_t send(messages::entity_ref to, Command cmd) {
    directory.send(inbox_, to, caf::make_message(++sent_, std::move(cmd)));
    return sent_;
  }
  template <class Command>
  messages::outcome ask(messages::entity_ref to, Command cmd) {
    const auto n = send(to, std::move(cmd));
    run();
    REQUIRE_FALSE(answers.empty());
    REQUIRE(answers.back().first == n);
    return answers.back().second;
  }

private:
  caf::scheduler::test_coordinator& time() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  server_config config_{true};
  caf::actor_system system_;
  actors::journal_actor journal_handle_;
  caf::actor inbox_;
  std::uint64_t sent_ = 0;
};

}  // namespace slipway::tests
