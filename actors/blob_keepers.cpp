#include "actors/blob_keepers.hpp"

#include "actors/caf_error.hpp"
#include "actors/collector_actor.hpp"
#include "actors/scrubber_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <chrono>
#include <utility>

namespace slipway::actors {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

/// A step takes milliseconds, unless the disk hangs.
constexpr auto answer_max = std::chrono::seconds{20};

class keepers final : public blob_keepers {
public:
  keepers(caf::actor_system& system, const keeper_parts& parts, const keeper_options& o)
    : system_(system) {
    const auto shared = std::make_shared<const keeper_parts>(parts);
    collector_ = spawn_collector(system, shared, o);
    scrubber_ = spawn_scrubber(system, shared, o);
  }
  ~keepers() override {
    caf::scoped_actor self(system_);
    caf::anon_send_exit(collector_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(scrubber_, caf::exit_reason::user_shutdown);
    self->wait_for(collector_, scrubber_);
  }

  result<void> collect(bool dry_run) override {
    return started(ask<bool>(collector_, run_atom::value, dry_run));
  }
  result<storage::collection_report> collection() override {
    return ask<storage::collection_report>(collector_, report_atom::value);
  }
  result<void> scrub() override { return started(ask<bool>(scrubber_, run_atom::value)); }
  result<storage::scrub_report> scrubbing() override {
    return ask<storage::scrub_report>(scrubber_, report_atom::value);
  }

private:
  static result<void> started(const result<bool>& r) {
    if (!r) {
      return tl::unexpected(r.error());
    }
    return *r ? result<void>{} : fail(errc::conflict, "one is under way");
  }

  template <class T, class Actor, class... Ts>
  result<T> ask(const Actor& whom, Ts... words) {
    caf::scoped_actor self(system_);
    result<T> out = fail(errc::timed_out, "no answer in time");
    self->request(whom, answer_max, words...)
      .receive(
        [&out](T& t) { out = std::move(t); },
        [&out](const caf::error& e) { out = tl::unexpected(from_caf(e)); });
    return out;
  }

  caf::actor_system& system_;
  collector_actor collector_;
  scrubber_actor scrubber_;
};

}  // namespace

std::unique_ptr<blob_keepers>
start_blob_keepers(caf::actor_system& system, keeper_parts parts, keeper_options o) {
  return std::make_unique<keepers>(system, parts, o);
}

}  // namespace slipway::actors
