#pragma once

#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::runtime {

using label_map = std::map<std::string, std::string>;

/// What an engine says of itself.
struct engine_version {
  std::string version = {};      ///< `20.10.24+dfsg1`
  std::string api_version = {};  ///< the one this client speaks with it, `1.41`
  std::string os = {};
  std::string arch = {};  ///< as Go names it: `amd64`, `arm64`
  bool podman = false;
  bool balena = false;  ///< balena-engine
};

/// How to reach a registry. All empty = anonymous.
struct registry_access {
  std::string username = {};
  std::string password = {};
  std::string server_address = {};  ///< host[:port] the user and password are for
  std::string registry_token = {};  ///< a bearer token instead of user and password
  /// The registry has no TLS. podman must be told in each request; dockerd decides by its own configuration, 127.0.0.0/8 always may.
  bool plain_http = false;
};

struct engine_image {
  std::string id = {};  ///< `sha256:...` of the configuration
  std::vector<std::string> repo_tags = {};
  std::vector<std::string> repo_digests = {};
  std::string arch = {};  ///< from inspect only
  std::int64_t size_bytes = 0;
  label_map labels = {};
  std::int64_t created = 0;  ///< seconds since 1970; from a list only
};

struct engine_container {
  std::string id = {};
  std::string name = {};      ///< without the leading slash
  std::string image = {};     ///< as given at creation
  std::string image_id = {};  ///< `sha256:...`
  std::string state = {};     ///< created, running, paused, restarting, removing, exited, dead
  std::string status = {};    ///< for people
  std::int64_t created = 0;   ///< seconds since 1970
  label_map labels = {};
  std::string network_mode = {};  ///< name of its network as given at creation; from a list only
};

struct engine_network {
  std::string id = {};
  std::string name = {};
  std::string driver = {};
  label_map labels = {};
};

struct engine_volume {
  std::string name = {};
  std::string driver = {};
  std::string mountpoint = {};
  label_map labels = {};
};

struct engine_disk_usage {
  std::int64_t image_layer_bytes = 0;
  std::int64_t images = 0;
  std::int64_t containers = 0;
  std::int64_t volumes = 0;
};

/// One step of a pull or push: of the layer `id` when it has one.
struct transfer_progress {
  std::string id = {};
  std::string status = {};  ///< `Downloading`, `Pull complete`, `Pushed`, ...
  std::int64_t current_bytes = 0;
  std::int64_t total_bytes = 0;
};
/// False gives up.
using progress_sink = std::function<bool(const transfer_progress&)>;
/// Fills the buffer, returns bytes, 0 = end, -1 = give up.
using tar_source = std::function<std::ptrdiff_t(char*, std::size_t)>;
/// False gives up.
using text_sink = std::function<bool(std::string_view)>;

struct build_request {
  std::vector<std::string> tags = {};
  std::string dockerfile = "Dockerfile";  ///< path in the tar
  std::string target = {};
  std::string platform = {};
  std::string network_mode = {};
  label_map build_args = {};
  label_map labels = {};
  bool no_cache = false;
  bool pull = false;
  /// Images whose layers count as cache. With any the engine looks at no others.
  std::vector<std::string> cache_from = {};
  std::int64_t memory_bytes_max = 0;  ///< of one step, swap included; 0 = no limit
  /// Credentials for base images, by registry host.
  std::map<std::string, registry_access> registries = {};
  /// Folders of the engine's machine that steps see, `/folder:/place:ro`. balena-engine only.
  std::vector<std::string> volumes = {};
  /// What `RUN --mount=type=secret` may name, `id=...,src=...`; `src` is a file right in the context, which the engine takes out of it
  /// before the build begins. podman only.
  std::vector<std::string> secrets = {};
};

struct log_request {
  bool follow = false;
  bool timestamps = false;
  std::int64_t since = 0;  ///< seconds since 1970, 0 = from the start
  int tail = -1;           ///< last lines only, -1 = all
};
/// `error` tells stderr from stdout. False gives up.
using log_sink = std::function<bool(bool error, std::string_view bytes)>;

/// The Docker Engine API over a unix socket: dockerd (20.10 is tested), balena-engine, `podman system service` (4.3 is tested).
/// Blocking, one thread at a time: one object per actor that works on its own; `cancel` alone may come from another thread.
///
/// Errors carry the engine's own message. Codes: unavailable (no engine there, or it went away
/// within a stream), not_found, conflict, invalid_argument (also what a registry refuses to take, and an address at which none can be
/// spoken to), unauthorized (a registry refused), too_many_requests, disk_full, timed_out, too_large (an answer past its limit),
/// corrupt (an answer that is not the API's), io_failed (all else). An error inside a stream that began with status 200 is an error of the call.
class container_engine {
public:
  /// `unix:///path` or a plain path. Nothing is connected before the first call.
  explicit container_engine(std::string endpoint);
  ~container_engine();
  container_engine(container_engine&&) noexcept;
  container_engine& operator=(container_engine&&) noexcept;

  template <class T>
  using result = messages::result<T>;

  /// Makes a call of another thread end with an error.
  void cancel();

  [[nodiscard]] result<void> ping();
  [[nodiscard]] result<engine_version> version();
  [[nodiscard]] result<engine_disk_usage> disk_usage();

  // Images. `reference` is a name with tag or digest, or an id.
  /// Those that have every one of `labels` (`name` or `name=value`).
  [[nodiscard]] result<std::vector<engine_image>> images(
    const std::vector<std::string>& labels = {});
  [[nodiscard]] result<engine_image> inspect_image(std::string_view reference);
  /// The engine's whole answer.
  [[nodiscard]] result<nlohmann::json> inspect_image_json(std::string_view reference);
  [[nodiscard]] result<void> remove_image(std::string_view reference, bool force = false);
  [[nodiscard]] result<void>
  tag_image(std::string_view reference, std::string_view repository, std::string_view tag);
  /// Ends when the image is there; answers what it is.
  [[nodiscard]] result<engine_image>
  pull(std::string_view reference, const registry_access& access, const progress_sink& progress);
  /// Answers the manifest's digest, "" when the engine does not tell. A token for podman, which knows passwords only, is given as one.
  [[nodiscard]] result<std::string>
  push(std::string_view reference, const registry_access& access, const progress_sink& progress);
  /// Builds from a tar of the context; `output` gets the text a user would see. Answers the image. Steps of pulled base images go to
  /// `progress` if there is one, else to `output`.
  [[nodiscard]] result<engine_image> build(
    const build_request& request,
    const tar_source& context,
    const text_sink& output,
    const progress_sink& progress = {});
  /// Loads a `docker save` archive; `output` gets the engine's lines.
  [[nodiscard]] result<void> load(const tar_source& archive, const text_sink& output);

  // Containers, by id or name.
  [[nodiscard]] result<std::vector<engine_container>> containers(
    const std::vector<std::string>& labels = {},
    bool all = true);
  /// Answers the id. `config` is the body of `POST /containers/create`. Errors: conflict when the name is taken, not_found without image.
  [[nodiscard]] result<std::string> create_container(
    std::string_view name,
    const nlohmann::json& config);
  [[nodiscard]] result<nlohmann::json> inspect_container(std::string_view id);
  /// Starting what runs and stopping what stands are successes.
  [[nodiscard]] result<void> start_container(std::string_view id);
  [[nodiscard]] result<void> stop_container(std::string_view id, std::chrono::seconds grace);
  [[nodiscard]] result<void> kill_container(std::string_view id, std::string_view signal);
  [[nodiscard]] result<void> restart_container(std::string_view id, std::chrono::seconds grace);
  /// Named volumes stay. Anonymous ones go only when `anonymous_volumes`.
  [[nodiscard]] result<void>
  remove_container(std::string_view id, bool force = false, bool anonymous_volumes = false);
  [[nodiscard]] result<void> rename_container(std::string_view id, std::string_view name);
  /// Body of `POST /containers/{id}/update`, for the restart policy.
  [[nodiscard]] result<void> update_container(std::string_view id, const nlohmann::json& config);
  /// Waits until it stops, up to `timeout`; answers the exit status.
  [[nodiscard]] result<int> wait_container(std::string_view id, std::chrono::milliseconds timeout);
  /// stdout and stderr apart; a container with a terminal has stdout only.
  [[nodiscard]] result<void>
  logs(std::string_view id, const log_request& request, const log_sink& sink);
  /// Engine events as they come, until `sink` says false or `cancel`. `since` in seconds since 1970, 0 = from now.
  [[nodiscard]] result<void> events(
    const std::vector<std::string>& labels,
    std::int64_t since,
    const std::function<bool(const nlohmann::json&)>& sink);

  // Networks, by id or name.
  [[nodiscard]] result<std::vector<engine_network>> networks(
    const std::vector<std::string>& labels = {});
  /// Body of `POST /networks/create`; answers the id. Errors: conflict when the name is taken.
  [[nodiscard]] result<std::string> create_network(const nlohmann::json& config);
  [[nodiscard]] result<nlohmann::json> inspect_network(std::string_view id);
  [[nodiscard]] result<void> remove_network(std::string_view id);
  [[nodiscard]] result<void> connect_network(
    std::string_view network,
    std::string_view container,
    const nlohmann::json& endpoint);
  [[nodiscard]] result<void>
  disconnect_network(std::string_view network, std::string_view container, bool force = false);

  // Volumes, by name.
  [[nodiscard]] result<std::vector<engine_volume>> volumes(
    const std::vector<std::string>& labels = {});
  /// Body of `POST /volumes/create`. One that exists with that name is a success.
  [[nodiscard]] result<engine_volume> create_volume(const nlohmann::json& config);
  [[nodiscard]] result<engine_volume> inspect_volume(std::string_view name);
  [[nodiscard]] result<void> remove_volume(std::string_view name, bool force = false);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
