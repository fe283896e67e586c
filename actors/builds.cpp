#include "actors/builds.hpp"

#include "actors/build.hpp"
#include "actors/build_messages.hpp"
#include "actors/build_orphans.hpp"
#include "actors/build_rows.hpp"
#include "actors/build_workers.hpp"
#include "actors/entity_asker.hpp"
#include "actors/log_follower.hpp"
#include "actors/make_builds.hpp"
#include "domain/build_life.hpp"
#include "domain/numbers.hpp"
#include "runtime/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>

namespace slipway::actors {
namespace {

using messages::as_text;
using messages::outcome;

constexpr std::chrono::seconds tick_every{1};

struct submit_order {
  std::shared_ptr<build_order> order;
  builds::answer<build_ticket> done;
};
struct cancel_release {
  std::int64_t release = 0;
  std::string reason;
};
struct settle_release {
  std::int64_t release = 0;
  builds::answer<std::string> done;
};
struct worker_is_down {
  std::string name;
};

/// The first member of every word about a build.
struct word_head {
  std::int64_t build = 0;
  SLIPWAY_FIELDS(build)
};

}  // namespace
}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::submit_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::cancel_release)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::settle_release)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::worker_is_down)

namespace slipway::actors {
namespace {

/// A build that lives.
struct live_build {
  caf::actor actor;
  std::int64_t fleet = 0;
  std::int64_t build = 0;  ///< 0 = no row yet
  std::int64_t release = 0;
  std::vector<builds::answer<std::string>> settlers = {};  ///< told when it is gone
};

/// Gives out workers, and finds builds by row, by release and by actor.
struct builds_state {
  static inline const char* name = "builds";
  builds_state() = default;
  ~builds_state();

  void submit(const submit_order& s);
  void registered(const caf::actor_addr& who, const build_registered& r);
  void wants(const build_wants_worker& b);
  void left(const build_left_worker& b);
  void gone(const caf::actor_addr& who);
  void cancel(std::int64_t release, const std::string& reason);
  void settle(const settle_release& s);
  [[nodiscard]] messages::result<std::string> status_of(std::int64_t release) const;
  void said(const build_word& word);
  void tick();
  void take(const record_batch& batch);
  void look_at(const messages::log_record& r);

  void dispatch();
  void lose(const std::vector<std::int64_t>& builds, const std::string& reason);
  void beat(const build_word& word);
  void refuse_foreign(const std::string& worker, std::int64_t build);
  [[nodiscard]] const live_build* by_build(std::int64_t build) const;
  [[nodiscard]] const live_build* by_release(std::int64_t release) const;

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<const build_world> w;
  entity_asker entities;
  std::optional<log_follower> follower;
  build_workers workers;
  std::unordered_map<caf::actor_addr, live_build> live;
  std::unordered_map<std::int64_t, caf::actor_addr> of_build;
  std::unordered_map<std::int64_t, caf::actor_addr> of_release;
  build_orphans orphans;
};

builds_state::~builds_state() {
  for (const auto& [who, b] : live) {
    caf::anon_send_exit(b.actor, caf::exit_reason::user_shutdown);
  }
}

void builds_state::submit(const submit_order& s) {
  const auto of_fleet = std::count_if(live.begin(), live.end(), [&](const auto& l) {
    return l.second.fleet == s.order->fleet;
  });
  if (
    workers.waiting() >= builds_waiting_max
    || of_fleet >= static_cast<std::ptrdiff_t>(builds_per_fleet_max)) {
    ::unlink(s.order->source_file.c_str());  // there will be no build whose it could be
    s.done(messages::fail(
      messages::errc::too_many_requests,
      "too many builds are waiting: try again when some are done"));
    return;
  }
  const auto fleet = s.order->fleet;
  const auto actor =
    spawn_build(self->system(), w, caf::actor_cast<caf::actor>(self), std::move(*s.order), s.done);
  self->monitor(actor);
  live[actor.address()] = {actor, fleet};
}

void builds_state::registered(const caf::actor_addr& who, const build_registered& r) {
  const auto at = live.find(who);
  if (at != live.end()) {
    at->second.build = r.build;
    at->second.release = r.release;
    orphans.forget(r.build);
    of_build[r.build] = who;
    of_release[r.release] = who;
  }
}

void builds_state::wants(const build_wants_worker& b) {
  if (!by_build(b.build)) {
    return;
  }
  if (!workers.any_for(b.architecture)) {
    const messages::output_line line{
      "",
      "[Info]    No worker that builds for " + b.architecture + " is here yet: waiting",
      false,
      false};
    (void)w->logs->append(by_build(b.build)->release, w->now(), {&line, 1});
  }
  workers.wait(b.build, b.architecture, w->steady_ms(), b.avoid);
  dispatch();
}

void builds_state::left(const build_left_worker& b) {
  workers.leave(b.build);
  if (!b.failed.empty()) {
    workers.rest(b.failed, w->steady_ms());
  }
  if (!b.unreachable.empty()) {
    workers.mute(b.unreachable);
  }
  dispatch();
}

void builds_state::gone(const caf::actor_addr& who) {
  const auto at = live.find(who);
  if (at == live.end()) {
    return;
  }
  const auto gone = std::move(at->second);
  live.erase(at);
  of_build.erase(gone.build);
  of_release.erase(gone.release);
  workers.leave(gone.build);
  dispatch();
  auto how = status_of(gone.release);
  if (how && !domain::is_over(*how)) {
    how = messages::fail(messages::errc::unavailable, "how the build ends is not known yet");
  }
  for (const auto& done : gone.settlers) {
    done(how);
  }
  if (gone.build != 0) {
    orphans.end(
      gone.build,
      build_failed_within);  // an actor that failed leaves its rows as they are
  }
  if (gone.release != 0 && !facts_of_release(*w->store.rows->view(), gone.release)) {
    (void)w->logs->remove(gone.release);  // removed meanwhile: its last words made the log anew
  }
}

const live_build* builds_state::by_build(std::int64_t build) const {
  const auto who = of_build.find(build);
  const auto at = who == of_build.end() ? live.end() : live.find(who->second);
  return at == live.end() ? nullptr : &at->second;
}

const live_build* builds_state::by_release(std::int64_t release) const {
  const auto who = of_release.find(release);
  const auto at = who == of_release.end() ? live.end() : live.find(who->second);
  return at == live.end() ? nullptr : &at->second;
}

void builds_state::cancel(std::int64_t release, const std::string& reason) {
  if (const auto* b = by_release(release)) {
    self->send(b->actor, build_cancel{reason});
  }
}

void builds_state::settle(const settle_release& s) {
  if (const auto who = of_release.find(s.release); who != of_release.end()) {
    auto& b = live[who->second];
    b.settlers.push_back(s.done);
    self->send(b.actor, build_settle{});
    return;
  }
  s.done(status_of(s.release));
}

messages::result<std::string> builds_state::status_of(std::int64_t release) const {
  const auto view = w->store.rows->view();
  const auto facts = facts_of_release(*view, release);
  if (!facts) {
    return messages::fail(messages::errc::not_found, "there is no build of this release");
  }
  return facts->status;
}

// Workers.

void builds_state::said(const build_word& word) {
  using messages::message_type;
  const auto now = w->steady_ms();
  if (word.word.type == message_type::worker_joined) {
    const auto joined = messages::open<messages::worker_joined>(word.word);
    if (!joined) {
      return;
    }
    runtime::log::info(
      "build worker joined",
      {{"worker", word.worker}, {"engine", joined->engine}});
    lose(workers.join(word.worker, *joined, now), "worker " + word.worker + " began anew");
    for (const auto build : workers.compare(word.worker, joined->builds).foreign) {
      refuse_foreign(word.worker, build);
    }
    dispatch();
    return;
  }
  workers.heard(word.worker, now);
  if (word.word.type == message_type::worker_beat) {
    beat(word);
    return;
  }
  const auto head = messages::unpack<word_head>(
    std::string_view(word.word.payload.data(), word.word.payload.size()));
  const auto* b = head ? by_build(head->build) : nullptr;
  if (b != nullptr && workers.worker_of(head->build) == word.worker) {
    self->send(b->actor, word);
  } else if (head && word.word.type == message_type::get_source) {
    refuse_foreign(word.worker, head->build);
  }
}

/// Worker and server agree on who builds what, whatever was lost on the way.
void builds_state::beat(const build_word& word) {
  const auto beat = messages::open<messages::worker_beat>(word.word);
  if (!beat) {
    return;
  }
  const auto difference = workers.compare(word.worker, beat->builds);
  for (const auto build : difference.foreign) {
    refuse_foreign(word.worker, build);
  }
  for (const auto build : difference.missing) {
    if (const auto* b = by_build(build)) {
      self->send(b->actor, build_missed{word.worker});
    }
  }
  dispatch();
}

void builds_state::refuse_foreign(const std::string& worker, std::int64_t build) {
  (void)w->send(worker, messages::seal(messages::cancel_build{build}, 0, w->now()));
}

void builds_state::dispatch() {
  for (const auto& [build, worker] : workers.assign(w->steady_ms())) {
    if (const auto* b = by_build(build)) {
      self->send(b->actor, build_granted{worker});
    } else {
      workers.leave(build);
    }
  }
}

void builds_state::lose(const std::vector<std::int64_t>& builds, const std::string& reason) {
  for (const auto build : builds) {
    if (const auto* b = by_build(build)) {
      self->send(b->actor, build_lost_worker{reason});
    }
  }
}

void builds_state::tick() {
  self->delayed_send(self, tick_every, tick_atom::value);
  const auto now = w->steady_ms();
  for (const auto& [worker, builds] : workers.expire(now)) {
    runtime::log::warn("build worker lost", {{"worker", worker}});
    lose(builds, "worker " + worker + " was lost");
  }
  for (const auto build : workers.waited_too_long(now)) {
    if (const auto* b = by_build(build)) {
      self->send(b->actor, build_cancel{"no worker took the build in time"});
    }
  }
  dispatch();  // to workers that have rested
}

// The log: whoever cancels a release cancels its build.

void builds_state::take(const record_batch& batch) {
  const auto ok = follower->take(*batch, [this](const auto& r) { look_at(r); });
  if (!ok) {
    runtime::log::error("builds cannot read the log", {{"reason", ok.error().detail}});
  }
}

void builds_state::look_at(const messages::log_record& r) {
  const auto& release = domain::numbers::get().release;
  for (const auto& e : r.commit.events) {
    if (e.resource != release.resource || e.type == messages::event_type::row_created) {
      continue;
    }
    if (e.type == messages::event_type::row_removed) {
      cancel(e.id, "the release was removed");
      if (by_release(e.id) == nullptr) {
        (void)w->logs->remove(e.id);  // what fails is left over, no more
      }
      continue;
    }
    const bool ended = std::any_of(e.values.begin(), e.values.end(), [&](const auto& v) {
      return v.field == release.status && as_text(v.value) != "running";
    });
    if (ended) {
      cancel(e.id, "the release was cancelled");
    }
  }
}

caf::behavior builds_actor(
  caf::stateful_actor<builds_state>* self,
  std::shared_ptr<const build_world> world,
  const journal_actor& journal) {
  auto& s = self->state;
  s.self = self;
  s.w = std::move(world);
  s.entities.begin(self, s.w->directory);
  s.follower.emplace(s.w->store.log, s.w->store.log->last());
  caf::anon_send(journal, tail_atom::value, caf::actor_cast<caf::actor>(self));
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](const caf::down_msg& m) { self->state.gone(m.source); });
  self->delayed_send(self, tick_every, tick_atom::value);
  s.orphans.begin(self, s.w, &s.entities, [self](std::int64_t build) {
    return self->state.by_build(build) != nullptr;
  });
  s.orphans.recover("the server was restarted while the build was under way");
  return {
    [self](const submit_order& m) { self->state.submit(m); },
    [self](const build_registered& m) {
      self->state.registered(caf::actor_cast<caf::actor_addr>(self->current_sender()), m);
    },
    [self](const build_wants_worker& m) { self->state.wants(m); },
    [self](const build_left_worker& m) { self->state.left(m); },
    [self](const cancel_release& m) { self->state.cancel(m.release, m.reason); },
    [self](const settle_release& m) { self->state.settle(m); },
    [self](const worker_is_down& m) {
      self->state.workers.down(m.name, self->state.w->steady_ms());
    },
    [self](const build_word& m) { self->state.said(m); },
    [self](const record_batch& m) { self->state.take(m); },
    [self](std::uint64_t number, const outcome& o) { self->state.entities.answered(number, o); },
    [self](const ask_overdue& a) { self->state.entities.overdue(a); },
    [self](const build_again& a) { a.what(); },
    [self](tick_atom) { self->state.tick(); },
  };
}

class service final : public builds {
public:
  service(
    caf::actor_system& system,
    std::shared_ptr<const build_world> world,
    const journal_actor& journal)
    : system_(system), manager_(system.spawn(builds_actor, std::move(world), journal)) {}
  ~service() override {
    caf::scoped_actor self(system_);
    caf::anon_send_exit(manager_, caf::exit_reason::user_shutdown);
    self->wait_for(manager_);
  }

  void submit(build_order order, answer<build_ticket> done) override {
    caf::anon_send(
      manager_,
      submit_order{std::make_shared<build_order>(std::move(order)), std::move(done)});
  }
  void cancel(std::int64_t release, std::string reason) override {
    caf::anon_send(manager_, cancel_release{release, std::move(reason)});
  }
  void settle(std::int64_t release, answer<std::string> done) override {
    caf::anon_send(manager_, settle_release{release, std::move(done)});
  }
  void worker_down(std::string name) override {
    caf::anon_send(manager_, worker_is_down{std::move(name)});
  }
  void worker_said(std::string name, messages::envelope word) override {
    caf::anon_send(manager_, build_word{std::move(name), std::move(word)});
  }

private:
  caf::actor_system& system_;
  caf::actor manager_;
};

}  // namespace

std::unique_ptr<builds> make_builds(
  caf::actor_system& system,
  std::shared_ptr<const build_world> world,
  const journal_actor& journal) {
  return std::make_unique<service>(system, std::move(world), journal);
}

}  // namespace slipway::actors
