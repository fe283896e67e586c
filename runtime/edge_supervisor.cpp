#include "runtime/edge_supervisor.hpp"

#include "messages/json.hpp"
#include "runtime/assert.hpp"
#include "runtime/bus.hpp"
#include "runtime/child_keeper.hpp"
#include "runtime/clock.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

namespace slipway::runtime {
namespace {

using messages::message_type;

constexpr int call_grace_ms = 2'000;  // after the edge's own deadline of a call
constexpr std::size_t held_messages_max = 65'536;

}  // namespace

struct edge_supervisor::impl {
  edge_supervisor::options options;
  edge_supervisor::callbacks callbacks;
  std::string peer;
  curve_keys child_keys = make_curve_keys();
  curve_keys bus_keys = make_curve_keys();
  std::optional<bus_server> bus;
  std::optional<child_keeper> keeper;

  std::mutex order;  // callbacks one at a time, and the leases with them
  session_leases leases;
  // Numbers that an edge may still know from an earlier core are never given again.
  device_calls calls{static_cast<std::uint64_t>(now_ms()) << 12U};
  std::uint64_t tables = 0;

  mutable std::mutex sending;  // guards the next three
  bool joining = false;        // the table is being read: what changes meanwhile goes out after it
  std::vector<std::string> held;
  std::string bound;
  std::atomic<std::uint64_t> sent{0};

  impl(edge_supervisor::options o, edge_supervisor::callbacks c)
    : options(std::move(o)),
      callbacks(std::move(c)),
      peer("edge-" + std::to_string(options.edge)) {}

  void keep();
  [[nodiscard]] std::string config_text();
  void lapse();

  void take(const messages::envelope& e);
  void take_joined(const messages::edge_joined& j);
  void send_table();
  bool push(std::string sealed);
  template <class T>
  bool tell(const T& x) {
    return push(messages::seal(x, ++sent, now_ms()));
  }
};

bool edge_supervisor::impl::push(std::string sealed) {
  const std::lock_guard lock(sending);
  if (joining && held.size() < held_messages_max) {
    held.push_back(std::move(sealed));
    return true;
  }
  return !joining && bus->send(peer, std::move(sealed));
}

void edge_supervisor::impl::send_table() {
  {
    const std::lock_guard lock(sending);
    joining = true;
  }
  const auto all =
    callbacks.devices ? callbacks.devices() : std::vector<messages::admitted_device>{};
  const auto size = all.size();
  const auto parts = std::max<std::size_t>(
    1,
    (size + messages::admit_devices_max - 1) / messages::admit_devices_max);
  ++tables;
  const std::lock_guard lock(sending);
  for (std::size_t part = 0; part < parts; ++part) {
    const auto first = part * messages::admit_devices_max;
    const auto last = std::min(size, first + messages::admit_devices_max);
    messages::admit_all m;
    m.table = tables;
    m.part = static_cast<std::uint32_t>(part);
    m.parts = static_cast<std::uint32_t>(parts);
    m.devices.assign(
      all.begin() + static_cast<std::ptrdiff_t>(first),
      all.begin() + static_cast<std::ptrdiff_t>(last));
    // When the edge goes away again, it joins again and gets the table anew: nothing is lost with a message refused here.
    (void)bus->send(peer, messages::seal(m, ++sent, now_ms()));
  }
  for (auto& m : held) {
    (void)bus->send(peer, std::move(m));
  }
  held.clear();
  joining = false;
}

void edge_supervisor::impl::take_joined(const messages::edge_joined& j) {
  log::info("edge joined", {{"edge", std::to_string(j.edge)}, {"endpoint", j.endpoint}});
  // What was asked over an earlier connection is not known to have arrived, and its answer may be lost.
  calls.fail_all();
  {
    const std::lock_guard lock(order);
    leases.joined(j.edge, j.epoch_start, steady_ms() + options.limits.lease_ms);
  }
  {
    const std::lock_guard lock(sending);
    bound = j.endpoint;
  }
  send_table();
  if (callbacks.on_joined) {
    callbacks.on_joined(j.endpoint);
  }
}

void edge_supervisor::impl::take(const messages::envelope& e) {
  switch (e.type) {
    case message_type::edge_joined:
      if (const auto m = messages::open<messages::edge_joined>(e)) {
        take_joined(*m);
      }
      break;
    case message_type::presence_batch:
      if (const auto m = messages::open<messages::presence_batch>(e)) {
        const std::lock_guard lock(order);
        leases.presence(*m);
        if (callbacks.on_presence) {
          callbacks.on_presence(m->edge, m->entries);
        }
      }
      break;
    case message_type::edge_beat:
      if (const auto m = messages::open<messages::edge_beat>(e)) {
        const std::lock_guard lock(order);
        leases.beat(m->edge, steady_ms() + m->lease_ms);
        if (callbacks.on_counters) {
          callbacks.on_counters(m->counters);
        }
      }
      break;
    case message_type::notices_acked:
      if (const auto m = messages::open<messages::notices_acked>(e); m && callbacks.on_acked) {
        const std::lock_guard lock(order);
        callbacks.on_acked(m->entries);
      }
      break;
    case message_type::call_result:
      if (auto m = messages::open<messages::call_result>(e)) {
        calls.take(std::move(*m));
      }
      break;
    case message_type::edge_alarm:
      if (const auto m = messages::open<messages::edge_alarm>(e); m && callbacks.on_alarm) {
        const std::lock_guard lock(order);
        callbacks.on_alarm(*m);
      }
      break;
    default:
      log::warn(
        "an edge sent something unknown",
        {{"type", std::to_string(static_cast<int>(e.type))}});
  }
}

void edge_supervisor::impl::lapse() {
  calls.expire(steady_ms());
  const std::lock_guard lock(order);
  std::map<std::int64_t, std::vector<messages::presence_entry>> by_edge;
  for (const auto& s : leases.lapse(steady_ms())) {
    by_edge[s.edge].push_back({s.device, s.epoch, false, now_ms(), ""});
  }
  for (const auto& [edge, entries] : by_edge) {
    log::warn(
      "sessions ended with their edge's lease",
      {{"edge", std::to_string(edge)}, {"sessions", std::to_string(entries.size())}});
    if (callbacks.on_presence) {
      callbacks.on_presence(edge, entries);
    }
  }
}

std::string edge_supervisor::impl::config_text() {
  auto c = options.limits;
  c.edge = options.edge;
  {
    const std::lock_guard lock(order);
    c.epoch_floor = std::max(c.epoch_floor, leases.epoch_max() + 1);
  }
  c.bus_endpoint = bus->endpoint();
  c.bus_server_key = bus_keys.public_key;
  c.bus_public_key = child_keys.public_key;
  c.bus_secret_key = child_keys.secret_key;
  {
    // Port 0 is settled by the first process: devices know where it was.
    const std::lock_guard lock(sending);
    c.endpoint = bound.empty() ? options.endpoint : bound;
  }
  c.public_key = options.keys.public_key;
  c.secret_key = options.keys.secret_key;
  return messages::dump_json(c) + "\n";
}

void edge_supervisor::impl::keep() {
  child_keeper::options o;
  o.what = "edge";
  o.program = options.program;
  o.arguments = options.arguments;
  o.restart_ms_min = options.restart_ms_min;
  o.restart_ms_max = options.restart_ms_max;
  keeper.emplace(
    std::move(o),
    child_keeper::callbacks{
      [this] { return std::optional<std::string>(config_text()); },
      [this] { lapse(); },
      [this] { calls.fail_all(); }});
  keeper->start();
}

edge_supervisor::edge_supervisor(options o, callbacks c)
  : impl_(std::make_unique<impl>(std::move(o), std::move(c))) {}

edge_supervisor::~edge_supervisor() {
  stop();
}

messages::result<void> edge_supervisor::start() {
  SLIPWAY_ASSERT(!impl_->keeper);
  const auto own = curve_public_of(impl_->options.keys.secret_key);
  if (!own || *own != impl_->options.keys.public_key) {
    return messages::fail(messages::errc::invalid_argument, "the overlay's key pair is not one");
  }
  impl_->leases.assume(impl_->options.known_online, steady_ms() + impl_->options.grace_ms);
  impl_->bus.emplace(
    bus_server::options{"tcp://127.0.0.1:0", impl_->bus_keys},
    bus_server::callbacks{
      nullptr,
      nullptr,
      [i = impl_.get()](const std::string&, messages::envelope e) { i->take(e); }});
  if (auto started = impl_->bus->start(); !started) {
    return started;
  }
  impl_->bus->allow(impl_->peer, impl_->child_keys.public_key);
  impl_->keep();
  return {};
}

void edge_supervisor::stop() {
  if (impl_->keeper) {
    impl_->keeper->stop();
    impl_->bus->stop();
    impl_->calls.fail_all();
  }
}

bool edge_supervisor::admit(std::vector<messages::admitted_device> devices) {
  return impl_->tell(messages::admit{std::move(devices)});
}

bool edge_supervisor::revoke(std::vector<std::int64_t> devices) {
  return impl_->tell(messages::revoke{std::move(devices)});
}

bool edge_supervisor::notify(messages::send_notice notice) {
  return impl_->tell(notice);
}

bool edge_supervisor::cancel(messages::cancel_notice notice) {
  return impl_->tell(notice);
}

void edge_supervisor::call(std::int64_t device, messages::call request, call_done done) {
  const auto deadline = steady_ms() + request.timeout_ms + call_grace_ms;
  // Kept apart: `add` swallows the function only when it takes the call.
  auto shared = std::make_shared<call_done>(std::move(done));
  const auto number = impl_->calls.add(device, deadline, [shared](messages::call_result r) {
    (*shared)(std::move(r));
  });
  if (number == 0) {
    (*shared)({device, messages::call_outcome::busy, {}});
    return;
  }
  request.id = number;
  if (!impl_->tell(messages::send_call{device, std::move(request)})) {
    impl_->calls.fail(number, messages::call_outcome::not_connected);
  }
}

std::string edge_supervisor::endpoint() const {
  const std::lock_guard lock(impl_->sending);
  return impl_->bound;
}

pid_t edge_supervisor::pid() const {
  return impl_->keeper ? impl_->keeper->pid() : -1;
}

}  // namespace slipway::runtime
