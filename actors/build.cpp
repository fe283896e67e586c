#include "actors/build.hpp"

#include "actors/build_messages.hpp"
#include "actors/build_record.hpp"
#include "actors/build_rows.hpp"
#include "domain/build_life.hpp"
#include "domain/build_summary.hpp"
#include "runtime/log.hpp"
#include "storage/posix_file.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

namespace slipway::actors {
namespace {

using messages::errc;
using messages::outcome;
using messages::output_line;
using messages::service_progress;
namespace status = domain::build_status;

struct build_state {
  static inline const char* name = "build";
  build_state() = default;
  ~build_state();

  // Its beginning.
  void start();
  void registered(const outcome& o);
  void refuse(const messages::error& e);
  // Words of the manager.
  void granted(const std::string& worker);
  void lost_worker(const std::string& reason, bool by_its_fault = false);
  void missed(const std::string& by);
  void cancel(const std::string& reason);
  void settle();
  void ask_ref();
  void said(const build_word& w);
  // Words of the worker.
  void run();
  void send_source(const messages::get_source& g);
  void send_token(const messages::get_push_token& g);
  void output(const messages::build_output& o);
  void service(const messages::service_changed& s);
  void worker_ended(const messages::build_ended& e);
  void pushed();
  void log_summary();
  // Its end.
  void finish(std::string_view how, std::string error);
  void over(const std::string& how, const std::string& error);

  template <class T>
  bool send(const T& message);
  template <class T>
  void take(const messages::envelope& e, void (build_state::*handler)(const T&));
  [[nodiscard]] bool holds(const std::string& of) const { return !ending && current == of; }

  caf::event_based_actor* self = nullptr;
  std::shared_ptr<const build_world> w;
  caf::actor manager;
  build_order order;
  builds::answer<build_ticket> started;
  build_record record;

  std::string current;  ///< its status, "" = there is no row yet
  std::string worker;
  std::string avoid;             ///< the worker of the attempt before
  std::int64_t run_sent_at = 0;  ///< steady ms, 0 = the worker was not told of this attempt
  std::int64_t attempt = 1;
  std::vector<messages::image_place> images;
  std::map<std::string, service_progress> services;
  storage::unique_fd source;
  bool ending = false;
  std::string cancel_reason;  ///< asked for before there was a row
};

build_state::~build_state() {
  if (!order.source_file.empty()) {
    ::unlink(order.source_file.c_str());
  }
}

// Its beginning.

void build_state::start() {
  auto opened = storage::open_file(order.source_file, O_RDONLY);
  if (!opened) {
    refuse(messages::with_context("source", opened.error()));
    return;
  }
  source = std::move(*opened);
  record.make(order.command, [this](const outcome& o) { registered(o); });
}

void build_state::refuse(const messages::error& e) {
  started(tl::unexpected(e));
  self->quit();
}

void build_state::registered(const outcome& o) {
  if (!o.ok()) {
    // An unknown outcome leaves a queued build at worst; the next start ends it.
    refuse(o.failure);
    return;
  }
  const auto view = w->store.rows->view();
  const auto facts = facts_of(*view, o.appended.answer);
  if (!facts) {
    refuse({errc::internal, "the build is not in its fleet"});
    return;
  }
  record.made(facts->build, facts->release);
  current = facts->status;
  images = places_of(*view, order.fleet, facts->release);
  for (const auto& s : order.command.plan.services) {
    services[s.name].name = s.name;
  }
  self->send(manager, build_registered{facts->build, facts->release});
  std::vector<output_line> lines;
  for (const auto& warning : order.command.plan.warnings) {
    lines.push_back({"", "[Warn]    " + warning, false, false});
  }
  lines.push_back(
    {"", "[Info]    Build " + std::to_string(facts->build) + " is queued", false, false});
  record.log(std::move(lines));
  started(build_ticket{facts->build, facts->release, facts->commit});
  if (!cancel_reason.empty()) {
    cancel(cancel_reason);
    return;
  }
  self->send(manager, build_wants_worker{record.build(), order.architecture, ""});
}

// Words of the manager.

void build_state::granted(const std::string& to) {
  if (!holds(std::string(status::queued))) {
    self->send(manager, build_left_worker{record.build()});
    return;
  }
  worker = to;
  current = status::running;
  messages::advance_build step;
  step.status = status::running;
  step.worker = worker;
  step.attempt = attempt;
  record.advance(std::move(step), [this, to](const messages::error* refused) {
    if (refused != nullptr) {
      finish(status::failed, refused->detail);
    } else if (holds(std::string(status::running)) && worker == to) {
      run();
    }
  });
}

void build_state::run() {
  messages::run_build r;
  r.build = record.build();
  r.attempt = attempt;
  r.organization = order.organization;
  r.fleet = order.fleet;
  r.architecture = order.architecture;
  r.no_cache = order.no_cache;
  r.source_bytes = order.source_bytes;
  r.plan = order.command.plan;
  r.plan.registries = order.registries;
  r.images = images;
  r.limits = w->limits;
  r.plain_http = w->plain_http;
  r.registry_ca = w->registry_ca ? w->registry_ca() : std::string();
  record.say("[Info]    Building on " + worker);
  if (send(r)) {
    run_sent_at = w->steady_ms();
  } else {
    lost_worker("worker " + worker + " is not connected");
  }
}

void build_state::lost_worker(const std::string& reason, bool by_its_fault) {
  if (!holds(std::string(status::running))) {
    return;
  }
  const bool tried = std::exchange(run_sent_at, 0) != 0;
  self->send(
    manager,
    build_left_worker{record.build(), by_its_fault ? worker : "", tried ? "" : worker});
  avoid = std::exchange(worker, "");
  if (tried && attempt >= build_attempts_max) {
    finish(status::failed, reason);
    return;
  }
  attempt += tried ? 1 : 0;
  for (auto& [service_name, progress] : services) {
    progress = {};
    progress.name = service_name;
  }
  current = status::queued;
  record.say("[Warn]    " + reason + ": the build begins again");
  messages::advance_build step;
  step.status = status::queued;
  step.attempt = attempt;
  record.advance(std::move(step), [this](const messages::error* refused) {
    if (refused != nullptr) {
      finish(status::failed, refused->detail);
    } else if (!ending) {
      self->send(manager, build_wants_worker{record.build(), order.architecture, avoid});
    }
  });
}

/// A word may be on its way for a while, in both directions.
void build_state::missed(const std::string& by) {
  if (by == worker && run_sent_at != 0 && w->steady_ms() - run_sent_at > run_heard_ms_max) {
    lost_worker("worker " + worker + " does not have the build");
  }
}

void build_state::cancel(const std::string& reason) {
  if (current.empty()) {
    cancel_reason = reason;
  } else if (!ending) {
    if (!worker.empty()) {
      // A worker that is away hears of it when it joins again.
      (void)send(messages::cancel_build{record.build()});
    }
    finish(status::cancelled, reason);
  }
}

void build_state::settle() {
  if (ending) {
    return;
  }
  if (current != status::pushed) {
    cancel("the push ended before the build did");
    return;
  }
  ask_ref();
}

/// Only the ref says whether the push came through.
void build_state::ask_ref() {
  if (ending) {
    return;
  }
  const auto& c = order.command;
  const auto moved = ref_moved(*w, order.fleet, c.ref, c.commit);
  if (!moved) {
    self->delayed_send(self, ref_again_after, build_again{[this] { ask_ref(); }});
  } else {
    finish(
      *moved ? status::released : status::failed,
      *moved ? "" : "the push did not move " + c.ref);
  }
}

// Words of the worker.

void build_state::said(const build_word& word) {
  using messages::message_type;
  if (word.worker != worker || ending) {
    return;
  }
  switch (word.word.type) {
    case message_type::get_source:
      take(word.word, &build_state::send_source);
      break;
    case message_type::get_push_token:
      take(word.word, &build_state::send_token);
      break;
    case message_type::build_output:
      take(word.word, &build_state::output);
      break;
    case message_type::service_changed:
      take(word.word, &build_state::service);
      break;
    case message_type::build_ended:
      take(word.word, &build_state::worker_ended);
      break;
    default:
      break;
  }
}

template <class T>
void build_state::take(const messages::envelope& e, void (build_state::*handler)(const T&)) {
  if (const auto message = messages::open<T>(e)) {
    (this->*handler)(*message);
  } else {
    runtime::log::warn("a build worker's word is broken", {{"worker", worker}});
  }
}

template <class T>
bool build_state::send(const T& message) {
  return w->send(worker, messages::seal(message, 0, w->now()));
}

void build_state::send_source(const messages::get_source& g) {
  messages::source_part part;
  part.build = record.build();
  part.offset = g.offset;
  if (g.offset < order.source_bytes) {
    const auto left = order.source_bytes - g.offset;
    part.bytes.resize(std::min<std::uint64_t>(left, messages::source_part_bytes_max));
    const auto n =
      ::pread(source.get(), part.bytes.data(), part.bytes.size(), static_cast<off_t>(g.offset));
    part.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  (void)send(part);  // a worker that is gone asks again when it begins anew
}

void build_state::send_token(const messages::get_push_token& g) {
  const auto repository = [](const std::string& location) {
    const auto slash = location.find('/');
    return location.substr(slash + 1, location.find('@') - slash - 1);
  };
  messages::push_token answer{record.build(), g.service, ""};
  std::vector<std::string> push;
  std::vector<std::string> pull;
  for (const auto& place : images) {
    if (place.service == g.service || g.service.empty()) {
      push.push_back(repository(place.location));
      if (!place.previous.empty()) {
        pull.push_back(repository(place.previous));
      }
    }
  }
  if (auto token = w->mint_token(record.build(), push, pull); token && !push.empty()) {
    answer.token = std::move(*token);
  }
  (void)send(answer);
}

void build_state::output(const messages::build_output& o) {
  if (o.attempt == attempt) {
    record.log(o.lines);
  }
}

void build_state::service(const messages::service_changed& s) {
  const auto known = services.find(s.service.name);
  if (s.attempt != attempt || known == services.end()) {
    return;
  }
  known->second = s.service;
  // The end of the build says all of it again, but for a log that is kept by then.
  record.note(s.service, [this, name = s.service.name] { services[name].build_log.clear(); });
}

void build_state::worker_ended(const messages::build_ended& e) {
  if (e.attempt != attempt || current != status::running) {
    return;
  }
  const bool whole = std::all_of(services.begin(), services.end(), [](const auto& s) {
    return s.second.status == "success";
  });
  if (e.error.empty() && !e.cancelled && !whole) {
    lost_worker("worker " + worker + " ended without an image of every service", true);
    return;
  }
  if (!e.error.empty() && e.may_retry && !e.cancelled) {
    lost_worker(e.error, true);
    return;
  }
  self->send(manager, build_left_worker{record.build()});
  worker.clear();
  if (e.cancelled) {
    finish(status::cancelled, e.error);
  } else if (!e.error.empty()) {
    finish(status::failed, e.error);
  } else {
    pushed();
  }
}

void build_state::pushed() {
  current = status::pushed;
  messages::advance_build step;
  step.status = status::pushed;
  for (const auto& [service_name, progress] : services) {
    step.services.push_back(progress);
  }
  log_summary();
  record.advance(std::move(step), [this](const messages::error* refused) {
    if (ending) {
      return;
    }
    if (refused != nullptr) {
      finish(status::failed, refused->detail);
    } else if (order.command.source != "git") {
      finish(status::released, "");
    } else {
      // Whoever follows the log looks at the row when it grows, and finds it `pushed`.
      record.say("[Info]    Every image is in the registry");
      self->delayed_send(self, settle_wait_max, build_settle{});
    }
  });
}

void build_state::log_summary() {
  std::vector<service_progress> all;
  for (const auto& [service_name, progress] : services) {
    all.push_back(progress);
  }
  std::vector<output_line> lines;
  for (auto& line : domain::build_summary(all)) {
    lines.push_back({"", "[Info]    " + line, false, false});
  }
  record.log(std::move(lines));
}

// Its end.

void build_state::finish(std::string_view how, std::string error) {
  if (ending) {
    return;
  }
  ending = true;
  messages::advance_build step;
  step.status = how;
  step.error = error;
  step.log = record.log_tail();
  for (const auto& [service_name, progress] : services) {
    if (!progress.status.empty()) {
      step.services.push_back(progress);
    }
  }
  record.advance(
    std::move(step),
    [this, how = std::string(how), error = std::move(error)](const messages::error* refused) {
      if (refused == nullptr) {
        over(how, error);
      } else if (is_unknown(refused->code)) {
        // The manager goes on with it, by the ref: what is not known here must not be decided here.
        record.log({{"", "[Error]   " + refused->detail, false, true}});
        self->quit();
      } else if (how == status::released) {
        // The images are there, the release is not: somebody cancelled it, or there is one of that commit.
        ending = false;
        finish(status::failed, refused->detail);
      } else {
        if (refused->code != errc::not_found) {  // else its release was removed
          runtime::log::error(
            "a build could not be ended",
            {{"build", std::to_string(record.build())}, {"reason", refused->detail}});
        }
        over(how, error);
      }
    });
}

void build_state::over(const std::string& how, const std::string& error) {
  current = how;
  if (how == status::released) {
    record.say(
      "[Success] Release " + order.command.commit
      + (order.command.draft ? " is a draft" : " is out"));
  } else {
    const auto word = how == status::cancelled ? "[Cancelled] " : "[Error]   ";
    record.log({{"", word + error, false, true}});
  }
  record.close_log(how);
  self->quit();
}

caf::behavior build_actor(
  caf::stateful_actor<build_state>* self,
  std::shared_ptr<const build_world> world,
  caf::actor manager,
  const std::shared_ptr<build_order>& order,
  builds::answer<build_ticket> done) {
  auto& s = self->state;
  s.self = self;
  s.w = std::move(world);
  s.manager = std::move(manager);
  s.order = std::move(*order);
  s.started = std::move(done);
  s.record.begin(self, s.w, s.order.fleet);
  self->set_default_handler(caf::drop);
  s.start();
  return {
    [self](std::uint64_t number, const outcome& o) {
      self->state.record.entities().answered(number, o);
    },
    [self](const ask_overdue& a) { self->state.record.entities().overdue(a); },
    [self](const build_again& a) { a.what(); },
    [self](const build_granted& g) { self->state.granted(g.worker); },
    [self](const build_lost_worker& l) { self->state.lost_worker(l.reason); },
    [self](const build_missed& m) { self->state.missed(m.worker); },
    [self](const build_cancel& c) { self->state.cancel(c.reason); },
    [self](const build_settle&) { self->state.settle(); },
    [self](const build_word& word) { self->state.said(word); },
  };
}

}  // namespace

caf::actor spawn_build(
  caf::actor_system& system,
  std::shared_ptr<const build_world> world,
  caf::actor manager,
  build_order order,
  builds::answer<build_ticket> done) {
  return system.spawn(
    build_actor,
    std::move(world),
    std::move(manager),
    std::make_shared<build_order>(std::move(order)),
    std::move(done));
}

}  // namespace slipway::actors
