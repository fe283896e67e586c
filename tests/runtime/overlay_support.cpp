#include "overlay_support.hpp"

#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace slipway::tests {

std::vector<test_device> given_devices(int count) {
  std::vector<test_device> out;
  for (int i = 0; i < count; ++i) {
    out.push_back({64 * (i + 1), runtime::random_hex(32)});
  }
  return out;
}

test_core::test_core(std::vector<test_device> devices, runtime::edge_config limits)
  : devices_(std::move(devices)) {
  runtime::edge_supervisor::options o;
  o.program = SLIPWAY_TEST_EDGE;
  o.arguments = {};
  o.endpoint = "tcp://127.0.0.1:0";
  o.keys = keys_;
  limits.lease_ms = std::min(limits.lease_ms, 600U);  // beats come every third of it
  o.limits = limits;
  runtime::edge_supervisor::callbacks c;
  c.devices = [this] {
    std::vector<messages::admitted_device> all;
    for (const auto& d : devices_) {
      all.push_back(d.admitted());
    }
    return all;
  };
  c.on_joined = [this](const std::string& endpoint) {
    state_.change([&] {
      endpoint_ = endpoint;
      ++joined_;
    });
  };
  c.on_presence = [this](std::int64_t, const std::vector<messages::presence_entry>& entries) {
    state_.change([&] {
      for (const auto& e : entries) {
        presence_[e.device] = e;
        offline_[e.device] += e.online ? 0 : 1;
      }
    });
  };
  c.on_acked = [this](const std::vector<messages::acked_notice>& entries) {
    state_.change([&] { acked_.insert(acked_.end(), entries.begin(), entries.end()); });
  };
  c.on_alarm = [this](const messages::edge_alarm& a) {
    state_.change([&] { alarms_.push_back(a); });
  };
  c.on_counters = [this](const messages::edge_counters& n) {
    state_.change([&] { counters_ = n; });
  };
  supervisor_ = std::make_unique<runtime::edge_supervisor>(std::move(o), std::move(c));
  REQUIRE(supervisor_->start());
}

test_core::~test_core() {
  supervisor_->stop();
}

std::string test_core::endpoint() {
  REQUIRE(wait_joined(1));
  return state_.read([&] { return endpoint_; });
}

bool test_core::wait_joined(int times) {
  return state_.wait([&] { return joined_ >= times; });
}

bool test_core::wait_online(std::int64_t device, bool online) {
  return state_.wait([&] {
    const auto it = presence_.find(device);
    return it != presence_.end() && it->second.online == online;
  });
}

bool test_core::wait_acked(std::int64_t device, std::uint64_t notice) {
  return state_.wait([&] {
    return std::any_of(acked_.begin(), acked_.end(), [&](const auto& a) {
      return a.device == device && a.notice == notice;
    });
  });
}

bool test_core::wait_counters(
  const std::function<bool(const messages::edge_counters&)>& condition) {
  return state_.wait([&] { return condition(counters_); });
}

std::vector<messages::edge_alarm> test_core::alarms() {
  return state_.read([&] { return alarms_; });
}

std::uint64_t test_core::epoch(std::int64_t device) {
  return state_.read([&] { return presence_[device].epoch; });
}

int test_core::times_offline(std::int64_t device) {
  return state_.read([&] { return offline_[device]; });
}

bool test_core::notify(std::int64_t device, std::uint64_t id, messages::notice_kind kind) {
  return supervisor_->notify({{id, kind, runtime::now_ms() + 600'000, "{}"}, {device}});
}

messages::call_result
test_core::call(std::int64_t device, const std::string& path, std::uint32_t timeout_ms) {
  const auto waits = std::make_shared<watched>();
  const auto got = std::make_shared<std::optional<messages::call_result>>();
  supervisor_->call(
    device,
    {0, "POST", path, "{}", timeout_ms},
    [waits, got](messages::call_result r) { waits->change([&] { *got = std::move(r); }); });
  REQUIRE(waits->wait([&] { return got->has_value(); }));
  return **got;
}

test_agent::test_agent(test_core& core, const test_device& device, bool acks) {
  agent::link_options o;
  o.endpoint = core.endpoint();
  o.server_key = core.server_key();
  o.keys = device.keys;
  o.uuid = device.uuid;
  o.agent_version = "test";
  o.reconnect_ms_min = 50;
  o.reconnect_ms_max = 200;
  agent::link_callbacks c;
  c.on_connected = [this](const messages::welcome&) { state_.change([&] { ++connected_; }); };
  c.on_disconnected = [this](const std::string& reason) {
    state_.change([&] { reason_ = reason; });
  };
  c.on_notice = [this, acks](const messages::notice& n) {
    if (acks) {
      link_->ack(n.id);
    }
    state_.change([&] { notices_.push_back(n.id); });
  };
  c.on_call = [this](std::uint64_t epoch, const messages::call& call) {
    call_handler handler;
    state_.change([&] {
      calls_.push_back(call.path);
      handler = handler_;
    });
    auto answer = handler ? handler(call) : messages::call_answer{};
    if (answer.status != 0) {
      link_->answer(epoch, std::move(answer));
    }
  };
  link_ = std::make_unique<agent::overlay_link>(std::move(o), std::move(c));
  REQUIRE(link_->start());
}

test_agent::~test_agent() {
  link_->stop();
}

bool test_agent::wait_connected() {
  return wait_connected_again(1);
}

bool test_agent::wait_connected_again(int times) {
  return state_.wait([&] { return connected_ >= times; });
}

bool test_agent::wait_notice(std::uint64_t id) {
  return state_.wait(
    [&] { return std::find(notices_.begin(), notices_.end(), id) != notices_.end(); });
}

bool test_agent::wait_reason(const std::string& part) {
  const auto until = runtime::steady_ms() + 30'000;
  // The reason of a failed attempt is no event: look at it now and then.
  while (runtime::steady_ms() < until) {
    if (link_->status().reason.find(part) != std::string::npos) {
      return true;
    }
    if (state_.wait(
          [&] { return reason_.find(part) != std::string::npos; },
          std::chrono::milliseconds(20))) {
      return true;
    }
  }
  return false;
}

void test_agent::on_call(call_handler f) {
  state_.change([&] { handler_ = std::move(f); });
}

std::vector<std::string> test_agent::calls() {
  return state_.read([&] { return calls_; });
}

bool test_agent::wait_calls(std::size_t count) {
  return state_.wait([&] { return calls_.size() >= count; });
}

std::vector<std::uint64_t> test_agent::notices() {
  return state_.read([&] { return notices_; });
}

raw_peer::raw_peer(
  zmq::context_t& context,
  const std::string& endpoint,
  const std::string& server_key,
  const runtime::curve_keys& keys,
  const std::string& routing_id,
  bool probe)
  : socket_(context, zmq::socket_type::dealer), events_(context, zmq::socket_type::pair) {
  socket_.set(zmq::sockopt::linger, 0);
  if (!routing_id.empty()) {
    socket_.set(zmq::sockopt::routing_id, routing_id);
  }
  socket_.set(zmq::sockopt::curve_serverkey, server_key);
  socket_.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket_.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  socket_.set(zmq::sockopt::probe_router, probe);
  socket_.set(zmq::sockopt::immediate, true);
  socket_.set(zmq::sockopt::reconnect_ivl, 50);
  const auto name = "inproc://raw." + runtime::random_hex(8);
  REQUIRE(zmq_socket_monitor(socket_.handle(), name.c_str(), ZMQ_EVENT_ALL) == 0);
  events_.set(zmq::sockopt::linger, 0);
  events_.connect(name);
  socket_.connect(endpoint);
}

raw_peer::~raw_peer() {
  zmq_socket_monitor(socket_.handle(), nullptr, 0);
}

void raw_peer::send(const std::string& bytes, bool more) {
  socket_.send(zmq::buffer(bytes), more ? zmq::send_flags::sndmore : zmq::send_flags::none);
}

void raw_peer::hello(const std::string& uuid, std::uint32_t capabilities) {
  send(messages::seal(messages::hello{uuid, "raw", 0, 0, capabilities}, 1, runtime::now_ms()));
}

std::optional<messages::envelope> raw_peer::receive(std::chrono::milliseconds most) {
  zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
  zmq::poll(&item, 1, most);
  zmq::message_t frame;
  if (!socket_.recv(frame, zmq::recv_flags::dontwait)) {
    return std::nullopt;
  }
  auto e =
    messages::unpack<messages::envelope>({static_cast<const char*>(frame.data()), frame.size()});
  return e ? std::optional(*e) : std::nullopt;
}

bool raw_peer::wait_event(int event) {
  const auto until = runtime::steady_ms() + 30'000;
  while (runtime::steady_ms() < until) {
    // A socket carries out what its connections ask for, probes too, only when it is used.
    (void)socket_.get(zmq::sockopt::events);
    zmq::pollitem_t item{events_.handle(), 0, ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, std::chrono::milliseconds(20));
    zmq::message_t head;
    zmq::message_t address;
    if (!events_.recv(head, zmq::recv_flags::dontwait)) {
      continue;
    }
    (void)events_.recv(address, zmq::recv_flags::dontwait);
    std::uint16_t number = 0;
    std::memcpy(&number, head.data(), sizeof number);
    if (number == event) {
      return true;
    }
  }
  return false;
}

}  // namespace slipway::tests
