#include "actors/build_orphans.hpp"

#include "actors/build_messages.hpp"
#include "domain/build_life.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <utility>

namespace slipway::actors {

using messages::outcome;
namespace status = domain::build_status;

void build_orphans::begin(
  caf::event_based_actor* self,
  std::shared_ptr<const build_world> world,
  entity_asker* entities,
  std::function<bool(std::int64_t)> lives) {
  self_ = self;
  w_ = std::move(world);
  entities_ = entities;
  lives_ = std::move(lives);
  self_->delayed_send(self_, orphans_every, build_again{[this] { look(); }});
}

void build_orphans::recover(const std::string& reason) {
  const auto view = w_->store.rows->view();
  for (const auto& b : unfinished_builds(*view)) {
    end(b.build, reason);
  }
}

void build_orphans::end(std::int64_t build, const std::string& reason) {
  why_[build] = reason;
  const auto view = w_->store.rows->view();
  const auto facts = facts_of(*view, build);
  if (!facts || domain::is_over(facts->status)) {
    why_.erase(build);
  } else if (const auto step = end_of_orphan(*w_, *facts, reason)) {
    tell(*facts, *step);
  }
}

void build_orphans::look() {
  self_->delayed_send(self_, orphans_every, build_again{[this] { look(); }});
  const auto view = w_->store.rows->view();
  const auto unfinished = unfinished_builds(*view);
  std::erase_if(why_, [&](const auto& o) {
    return std::none_of(unfinished.begin(), unfinished.end(), [&](const auto& b) {
      return b.build == o.first;
    });
  });
  for (const auto& b : unfinished) {
    if (lives_(b.build)) {
      continue;
    }
    if (const auto known = why_.find(b.build); known != why_.end()) {
      end(b.build, std::string(known->second));
    } else {
      why_[b.build] = build_failed_within;  // its actor may only not have said so yet
    }
  }
}

void build_orphans::tell(const build_facts& b, const messages::advance_build& step) {
  const auto told = [this, b, step](const outcome& o) {
    if (o.ok()) {
      why_.erase(b.build);
      // The log says so too, as far as there is one.
      if (!step.error.empty()) {
        const messages::output_line line{"", "[Error]   " + step.error, false, true};
        (void)w_->logs->append(b.release, w_->now(), {&line, 1});
      }
      (void)w_->logs->finish(b.release, w_->now(), step.status);
      return;
    }
    const auto view = w_->store.rows->view();
    const auto now = facts_of(*view, b.build);
    if (!now || domain::is_over(now->status)) {
      why_.erase(b.build);  // removed, or told twice
    } else if (step.status == status::released && !is_unknown(o.failure.code)) {
      // The images are there, the release is not: somebody cancelled it, or there is one of that commit.
      auto failed = step;
      failed.status = status::failed;
      failed.error = o.failure.detail;
      tell(b, failed);
    } else {
      runtime::log::error(
        "a build could not be ended",
        {{"build", std::to_string(b.build)}, {"reason", o.failure.detail}});
    }
  };
  entities_->ask({messages::entity_kind::fleet, b.fleet}, step, told);
}

}  // namespace slipway::actors
