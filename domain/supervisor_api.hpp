#pragma once

#include "domain/planner.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

/// The supervisor API, versions 1 and 2, as a pure function: a request and what is known of the device give an answer, or an
/// action that the agent has to carry out. The same for requests through the overlay and for those of local containers.
/// docs/protocols/supervisor-api.md
namespace slipway::domain {

struct api_request {
  std::string method;
  std::string path;  ///< with its query, percent-encoded
  std::string body;  ///< JSON or nothing; hostile
};

struct api_answer {
  int status = 200;
  std::string content_type;  ///< "" = no body
  std::string body;
  friend bool operator==(const api_answer&, const api_answer&) = default;
};

/// What the agent knows of itself at one instant.
struct device_view {
  std::string uuid;
  std::string name;
  std::string device_type;
  std::string arch;
  std::string os_version;
  std::string supervisor_version;
  std::string mac_address;
  std::string ip_address;
  std::string hostname;
  int api_port = 48484;
  bool overlay_connected = false;
  std::shared_ptr<const desired_state> desired;  ///< null until a target is known
  std::shared_ptr<const current_state> current;  ///< null until the engine was looked at
  std::map<std::string, int> downloads;          ///< image key -> percent, of pulls that run
  std::map<std::string, std::string> running;    ///< app uuid -> commit that was reached last
  bool settled = false;                          ///< the engine is as the target says
  bool failed = false;                           ///< the last attempt to make it so failed
};

enum class api_action_kind {
  update,
  restart,  ///< all services of an app
  restart_service,
  start_service,
  stop_service,
  purge,
  reboot,
  shutdown,
  blink,
  regenerate_key,
  read_tags,
  change_tags,
  read_journal,
};

[[nodiscard]] std::string_view name(api_action_kind kind);

/// How an action's outcome is told.
enum class api_style {
  text,          ///< `OK`; errors `{status, message}`
  data,          ///< `{Data, Error}`
  container_id,  ///< `{containerId}`
};

struct api_action {
  api_action_kind kind = api_action_kind::update;
  std::int64_t app_id = 0;
  std::string app_uuid;
  std::string service;
  bool force = false;
  bool cancel = true;  ///< update: a pull that runs and is not wanted any more is given up
  std::string text;    ///< of tags and the journal: the body, checked
  api_style style = api_style::text;
};

[[nodiscard]] std::variant<api_answer, api_action> route(
  const api_request& request,
  const device_view& device);

/// The answer to an action that was carried out. `detail`: a container id, a key, a document.
[[nodiscard]] api_answer done_answer(const api_action& action, const std::string& detail = "");
/// The answer to one that was not: 423 when locked, 404, 503 unavailable, else 500.
[[nodiscard]] api_answer failed_answer(const api_action& action, const messages::error& why);

}  // namespace slipway::domain
