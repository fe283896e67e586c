#include "runtime/server/device_logging.hpp"

#include "actors/log_writer.hpp"
#include "domain/effects.hpp"
#include "domain/numbers.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace slipway::runtime {

using messages::log_record;
using messages::result;

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

}  // namespace

struct device_logging::impl {
  std::shared_ptr<storage::device_logs> store;
  std::shared_ptr<gateways::device::log_hub> hub;
  actors::log_writer_actor writer;
};

device_logging::device_logging(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
device_logging::~device_logging() = default;

result<std::unique_ptr<device_logging>> device_logging::open(const serve_config& config) {
  storage::device_log_options o;
  o.path = config.data_dir + "/logs";
  o.retention.bytes_max = static_cast<std::uint64_t>(config.log_retention_bytes);
  o.retention.lines_max = static_cast<std::uint64_t>(config.log_retention_lines);
  o.retention.age_ms_max = config.log_retention_hours * hour_ms;
  auto store = storage::open_device_logs(std::move(o));
  if (!store) {
    return tl::unexpected(store.error());
  }
  auto i = std::make_unique<impl>();
  i->store = std::move(*store);
  i->hub = std::make_shared<gateways::device::log_hub>(i->store);
  return std::unique_ptr<device_logging>(new device_logging(std::move(i)));
}

void device_logging::start(caf::actor_system& system, std::shared_ptr<storage::read_model> rows) {
  actors::log_writer_links links;
  links.store = impl_->store;
  links.exists = [rows = std::move(rows)](std::int64_t device) {
    return rows->view()->get(domain::numbers::get().device.resource, device).has_value();
  };
  links.written = [hub = impl_->hub.get()](std::int64_t device, const storage::log_extent& now) {
    hub->written(device, now);
  };
  links.now_ms = now_ms;
  links.steady_ms = steady_ms;
  impl_->writer = actors::spawn_log_writer(system, std::move(links));
  impl_->hub->connect([writer = impl_->writer](std::shared_ptr<actors::log_append> a) {
    caf::anon_send(writer, actors::log_append_ptr(std::move(a)));
  });
}

void device_logging::committed(std::span<const log_record> records) {
  const bool concerned = std::any_of(records.begin(), records.end(), [](const log_record& r) {
    return domain::affects_credentials(r.commit);
  });
  if (concerned) {
    impl_->hub->recheck();
  }
}

void device_logging::measure() {
  static const auto readers =
    metrics::make_gauge("slipway_log_readers", "Readers of device logs now");
  static const auto senders =
    metrics::make_gauge("slipway_log_senders", "Devices that stream their log now");
  static const auto tails =
    metrics::make_gauge("slipway_log_tails", "Devices whose log somebody follows now");
  static const auto lines =
    metrics::make_gauge("slipway_log_lines", "Lines of device logs stored since the start");
  static const auto refused =
    metrics::make_gauge("slipway_log_lines_refused", "Lines of device logs that were not stored");
  const auto counted = impl_->hub->count();
  readers.set(static_cast<double>(counted.readers));
  senders.set(static_cast<double>(counted.senders));
  tails.set(static_cast<double>(counted.tails));
  lines.set(static_cast<double>(counted.lines));
  refused.set(static_cast<double>(counted.refused));
}

void device_logging::close() {
  impl_->hub->close();
}

void device_logging::stop(caf::actor_system& system) {
  if (!impl_->writer) {
    return;
  }
  impl_->hub->connect({});
  caf::scoped_actor self(system);
  caf::anon_send_exit(impl_->writer, caf::exit_reason::user_shutdown);
  self->wait_for(impl_->writer);
  impl_->writer = nullptr;
  if (const auto done = impl_->store->sync(); !done) {
    // Nobody was promised more: what was, was synced when it was answered.
    return;
  }
}

const std::shared_ptr<gateways::device::log_hub>& device_logging::hub() const {
  return impl_->hub;
}

}  // namespace slipway::runtime
