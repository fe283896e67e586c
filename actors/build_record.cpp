#include "actors/build_record.hpp"

#include "actors/build_messages.hpp"
#include "actors/build_rows.hpp"
#include "runtime/log.hpp"

#include <chrono>
#include <utility>

namespace slipway::actors {

using messages::outcome;

namespace {

constexpr std::chrono::seconds advance_again_after{1};
constexpr int advance_tries_max = 60;
constexpr std::size_t log_tail_bytes_max = 1'000'000;

}  // namespace

void build_record::begin(
  caf::event_based_actor* self,
  std::shared_ptr<const build_world> world,
  std::int64_t fleet) {
  self_ = self;
  w_ = std::move(world);
  fleet_ = fleet;
  entities_.begin(self, w_->directory);
}

void build_record::make(const messages::start_build& command, entity_asker::answer done) {
  entities_.ask(fleet(), command, std::move(done));
}

void build_record::made(std::int64_t build, std::int64_t release) {
  build_ = build;
  release_ = release;
}

void build_record::advance(messages::advance_build step, moved done) {
  step.build = build_;
  try_advance(std::make_shared<const messages::advance_build>(std::move(step)), std::move(done), 0);
}

void build_record::try_advance(
  std::shared_ptr<const messages::advance_build> step,
  moved done,
  int tries) {
  entities_.ask(fleet(), *step, [this, step, done = std::move(done), tries](const outcome& o) {
    if (o.ok()) {
      done(nullptr);
      return;
    }
    if (is_unknown(o.failure.code) && tries < advance_tries_max) {
      self_->delayed_send(self_, advance_again_after, build_again{[this, step, done, tries] {
                            try_advance(step, done, tries + 1);
                          }});
      return;
    }
    // A step that was carried out the first time is refused the second time.
    const auto view = w_->store.rows->view();
    const auto facts = tries > 0 ? facts_of(*view, build_) : std::nullopt;
    const bool had_worked = facts && facts->status == step->status;
    done(had_worked ? nullptr : &o.failure);
  });
}

void build_record::note(messages::service_progress service, std::function<void()> done) {
  messages::advance_build step;
  step.build = build_;
  step.services = {std::move(service)};
  entities_.ask(fleet(), std::move(step), [done = std::move(done)](const outcome& o) {
    if (o.ok()) {
      done();
    }
  });
}

void build_record::log(std::vector<messages::output_line> lines) {
  for (const auto& l : lines) {
    log_tail_ += (l.service.empty() ? "" : "[" + l.service + "] ") + l.text + "\n";
  }
  if (log_tail_.size() > 2 * log_tail_bytes_max) {
    log_tail_.erase(0, log_tail_.size() - log_tail_bytes_max);
  }
  if (auto ok = w_->logs->append(release_, w_->now(), lines); !ok) {
    runtime::log::warn("a build's log cannot be written", {{"reason", ok.error().detail}});
  }
}

void build_record::close_log(std::string_view how) {
  if (auto finished = w_->logs->finish(release_, w_->now(), how); !finished) {
    runtime::log::error("a build's log has no end", {{"reason", finished.error().detail}});
  }
}

}  // namespace slipway::actors
