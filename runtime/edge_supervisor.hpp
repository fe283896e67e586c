#pragma once

#include "messages/edge_bus.hpp"
#include "runtime/curve.hpp"
#include "runtime/overlay/device_calls.hpp"
#include "runtime/overlay/edge_config.hpp"
#include "runtime/overlay/session_leases.hpp"

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace slipway::runtime {

/// The core's side of the overlay: runs an edge process, keeps it running, and talks to it over the bus. A dead edge costs
/// its sessions a reconnect; those that do not come back end when its lease runs out.
class edge_supervisor {
public:
  /// Called one at a time, on threads of the supervisor's own; they must not throw. Forward to actors with anon_send.
  struct callbacks {
    /// Every device that may hold a session, with its key. Asked each time an edge joins; may block.
    std::function<std::vector<messages::admitted_device>()> devices;
    std::function<void(const std::string& endpoint)> on_joined;
    /// Also the end of sessions whose edge died: their lease ran out.
    std::function<void(std::int64_t edge, const std::vector<messages::presence_entry>&)>
      on_presence;
    std::function<void(const std::vector<messages::acked_notice>&)> on_acked;
    std::function<void(const messages::edge_alarm&)> on_alarm;
    std::function<void(const messages::edge_counters&)> on_counters;
  };

  struct options {
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments = {"edge"};
    std::string endpoint = "tcp://127.0.0.1:8090";  ///< where devices connect to
    curve_keys keys;     ///< the overlay's, pinned by every device: keep them across restarts
    edge_config limits;  ///< only its limits are used
    std::int64_t edge = 1;
    /// Devices that the store says are online: they go offline unless they come back within `grace_ms`.
    std::vector<session_leases::known_session> known_online;
    int grace_ms = 30'000;
    int restart_ms_min = 100;  ///< doubles up to `restart_ms_max`; back to it after 30 s of life
    int restart_ms_max = 10'000;
  };

  edge_supervisor(options o, callbacks c);
  ~edge_supervisor();  ///< stops
  edge_supervisor(const edge_supervisor&) = delete;
  edge_supervisor& operator=(const edge_supervisor&) = delete;

  /// Opens the bus and starts the first edge process; does not wait for it to join. Errors: unavailable, invalid_argument.
  [[nodiscard]] messages::result<void> start();
  /// Ends the edge process (SIGTERM, then SIGKILL) and the bus. Blocks, at most about 3 s.
  void stop();

  // Any thread. All are false while no edge is joined: the device table is asked for again when one joins, and a device
  // fetches its target state when it connects, so only notices that are more than a wake-up need be kept by the caller.
  bool admit(std::vector<messages::admitted_device> devices);
  bool revoke(std::vector<std::int64_t> devices);
  bool notify(messages::send_notice notice);
  bool cancel(messages::cancel_notice notice);

  /// Asks one device; `request.id` is chosen here. At most once: a call whose connection or edge ended is never sent again.
  /// `done` is called in every case, at the latest two seconds after `request.timeout_ms`. Any thread.
  void call(std::int64_t device, messages::call request, call_done done);

  /// As bound by the edge, "" before the first joined. Any thread.
  [[nodiscard]] std::string endpoint() const;
  /// Of the edge process, -1 when none runs. Any thread.
  [[nodiscard]] pid_t pid() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
