#pragma once

#include "domain/planner.hpp"
#include "messages/error.hpp"
#include "runtime/http_client.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Everything that the agent wants of the world, as interfaces: `posix/` implements them, tests fake them.
namespace slipway::agent {

/// Small files that are whole or not there. Names are relative.
class file_store {
public:
  file_store() = default;
  file_store(const file_store&) = delete;
  file_store& operator=(const file_store&) = delete;
  virtual ~file_store() = default;
  /// Errors: not_found, io_failed, too_large.
  [[nodiscard]] virtual messages::result<std::string> read(const std::string& name) = 0;
  /// Writes aside, syncs, renames, syncs the directory: afterwards it is on disk. Errors: io_failed, disk_full.
  [[nodiscard]] virtual messages::result<void> write(
    const std::string& name,
    std::string_view bytes) = 0;
};

/// The platform's API. Blocking.
class http_port {
public:
  http_port() = default;
  http_port(const http_port&) = delete;
  http_port& operator=(const http_port&) = delete;
  virtual ~http_port() = default;
  [[nodiscard]] virtual messages::result<runtime::http_reply> send(
    const runtime::http_request& request) = 0;
  /// Any thread: ends a `send` with an error.
  virtual void cancel() = 0;
};

/// Writes a line into the device's own log: what happens, and which service it is about (row id, 0 = none).
using device_say = std::function<void(std::string text, std::int64_t service, bool error)>;

/// Progress of a pull, 0 to 100. False gives up.
using fetch_progress = std::function<bool(int percent)>;

/// The container engine as far as this device owns things on it. Blocking; one thread at a time.
class container_host {
public:
  container_host() = default;
  container_host(const container_host&) = delete;
  container_host& operator=(const container_host&) = delete;
  virtual ~container_host() = default;
  [[nodiscard]] virtual messages::result<domain::current_state> snapshot() = 0;
  /// One step of a plan, all kinds but fetch. What is already so is a success.
  [[nodiscard]] virtual messages::result<void> perform(
    const domain::step& step,
    const domain::desired_state& desired) = 0;
  /// Pulls and holds an image.
  [[nodiscard]] virtual messages::result<void>
  fetch(const std::string& image, const std::string& key, const fetch_progress& progress) = 0;
  /// Gives up the hold; deletes the image itself only if `pulled` names what this agent pulled and nobody else uses it.
  [[nodiscard]] virtual messages::result<void> release_image(
    const std::string& key,
    const std::string& pulled) = 0;
  /// Any thread: ends a call with an error.
  virtual void cancel() = 0;
};

/// The files by which a service says that it must not be stopped now (supervisor.md 7).
class update_locks {
public:
  update_locks() = default;
  update_locks(const update_locks&) = delete;
  update_locks& operator=(const update_locks&) = delete;
  virtual ~update_locks() = default;
  /// Takes the locks of all these services or none. `force` removes what a service holds. What an earlier process of ours
  /// left is taken over. Errors: locked (names the service), io_failed.
  [[nodiscard]] virtual messages::result<void>
  take(std::int64_t app_id, const std::set<std::string>& services, bool force) = 0;
  /// Gives up what `take` took.
  virtual void release(std::int64_t app_id) = 0;
};

/// What the host can be asked to do. Blocking, seconds at most.
class host_control {
public:
  host_control() = default;
  host_control(const host_control&) = delete;
  host_control& operator=(const host_control&) = delete;
  virtual ~host_control() = default;
  /// Errors: unsupported (nothing configured), io_failed.
  [[nodiscard]] virtual messages::result<void> reboot() = 0;
  [[nodiscard]] virtual messages::result<void> shutdown() = 0;
  /// Switches the light by which people find the device. False when there is none.
  virtual bool light(bool on) = 0;
  /// Output of the host's journal, its end when it is longer than `bytes_max`. Errors: unsupported, io_failed.
  [[nodiscard]] virtual messages::result<std::string> journal(
    const std::vector<std::string>& arguments,
    std::size_t bytes_max) = 0;
  [[nodiscard]] virtual std::string hostname() = 0;
};

/// What the device is.
struct host_facts {
  std::string os_version;
  std::string os_variant;
  std::string arch;  ///< as balena names it: amd64, aarch64, armv7hf
  std::string mac_address;
  std::string ip_address;  ///< separated by spaces
  std::string cpu_id;
};

/// How it is doing. Absent where it cannot be told.
struct host_metrics {
  std::optional<int> cpu_percent;
  std::optional<std::int64_t> memory_used_mb;
  std::optional<std::int64_t> memory_total_mb;
  std::optional<std::int64_t> storage_used_mb;
  std::optional<std::int64_t> storage_total_mb;
  std::string storage_block_device;
};

class host_port {
public:
  host_port() = default;
  host_port(const host_port&) = delete;
  host_port& operator=(const host_port&) = delete;
  virtual ~host_port() = default;
  [[nodiscard]] virtual host_facts facts() = 0;
  [[nodiscard]] virtual host_metrics metrics() = 0;
};

}  // namespace slipway::agent
