#pragma once

#include "agent/overlay_link.hpp"
#include "runtime/edge_supervisor.hpp"

#include <zmq.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

/// A core and a real edge process, devices, and peers that do not behave.
namespace slipway::tests {

constexpr auto patience = std::chrono::seconds(30);  // running out of it only ever means failure

/// State that other threads change and a test waits for.
class watched {
public:
  template <class F>
  void change(F&& f) {
    {
      const std::lock_guard lock(mutex_);
      f();
    }
    changed_.notify_all();
  }
  template <class F>
  [[nodiscard]] bool wait(F&& condition, std::chrono::milliseconds most = patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, condition);
  }
  template <class F>
  auto read(F&& f) {
    const std::lock_guard lock(mutex_);
    return f();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct test_device {
  std::int64_t id = 0;
  std::string uuid;
  runtime::curve_keys keys = runtime::make_curve_keys();
  [[nodiscard]] messages::admitted_device admitted() const { return {id, uuid, keys.public_key}; }
};

[[nodiscard]] std::vector<test_device> given_devices(int count);

/// The core's side with one real edge process.
class test_core {
public:
  explicit test_core(std::vector<test_device> devices, runtime::edge_config limits = {});
  ~test_core();

  runtime::edge_supervisor& edge() { return *supervisor_; }
  /// Waits until an edge has joined; its address.
  std::string endpoint();
  [[nodiscard]] const std::string& server_key() const { return keys_.public_key; }

  [[nodiscard]] bool wait_online(std::int64_t device, bool online);
  [[nodiscard]] bool wait_joined(int times);
  [[nodiscard]] bool wait_acked(std::int64_t device, std::uint64_t notice);
  /// Waits for counters that satisfy the condition.
  [[nodiscard]] bool wait_counters(
    const std::function<bool(const messages::edge_counters&)>& condition);
  [[nodiscard]] std::vector<messages::edge_alarm> alarms();
  [[nodiscard]] std::uint64_t epoch(std::int64_t device);
  /// How many times the device was said to go offline.
  [[nodiscard]] int times_offline(std::int64_t device);

  /// Sends a notice to one device.
  bool notify(std::int64_t device, std::uint64_t id, messages::notice_kind kind);
  /// Asks one device and waits for what becomes of it.
  messages::call_result
  call(std::int64_t device, const std::string& path, std::uint32_t timeout_ms = 20'000);

private:
  runtime::curve_keys keys_ = runtime::make_curve_keys();
  std::vector<test_device> devices_;
  watched state_;
  std::map<std::int64_t, messages::presence_entry> presence_;
  std::map<std::int64_t, int> offline_;
  std::vector<messages::acked_notice> acked_;
  std::vector<messages::edge_alarm> alarms_;
  messages::edge_counters counters_;
  int joined_ = 0;
  std::string endpoint_;
  std::unique_ptr<runtime::edge_supervisor> supervisor_;
};

/// A device with the real link. Acknowledges what it gets when `acks`.
class test_agent {
public:
  test_agent(test_core& core, const test_device& device, bool acks = true);
  ~test_agent();

  [[nodiscard]] bool wait_connected();
  [[nodiscard]] bool wait_connected_again(int times);
  [[nodiscard]] bool wait_notice(std::uint64_t id);
  [[nodiscard]] bool wait_reason(const std::string& part);
  [[nodiscard]] std::vector<std::uint64_t> notices();
  /// How calls are answered; without one they are not. Status 0 = no answer at all.
  using call_handler = std::function<messages::call_answer(const messages::call&)>;
  void on_call(call_handler f);
  [[nodiscard]] std::vector<std::string> calls();  ///< paths in order
  [[nodiscard]] bool wait_calls(std::size_t count);
  agent::overlay_link& link() { return *link_; }

private:
  watched state_;
  int connected_ = 0;
  std::vector<std::uint64_t> notices_;
  std::vector<std::string> calls_;
  call_handler handler_;
  std::string reason_;
  std::unique_ptr<agent::overlay_link> link_;
};

/// A bare libzmq client: any key, any routing id, any bytes.
class raw_peer {
public:
  raw_peer(
    zmq::context_t& context,
    const std::string& endpoint,
    const std::string& server_key,
    const runtime::curve_keys& keys,
    const std::string& routing_id,
    bool probe = true);
  ~raw_peer();
  void send(const std::string& bytes, bool more = false);
  void hello(const std::string& uuid, std::uint32_t capabilities = 0);
  /// The next frame that decodes, nothing after `most`.
  std::optional<messages::envelope> receive(std::chrono::milliseconds most = patience);
  /// Waits for a ZMQ_EVENT_... of the connection.
  [[nodiscard]] bool wait_event(int event);

private:
  zmq::socket_t socket_;
  zmq::socket_t events_;
};

}  // namespace slipway::tests
