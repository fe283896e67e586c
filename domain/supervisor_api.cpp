#include "domain/supervisor_api.hpp"

#include "domain/supervisor_views.hpp"
#include "messages/json.hpp"

#include <charconv>
#include <optional>
#include <vector>

namespace slipway::domain {
namespace {

using json = nlohmann::json;
using messages::errc;
using outcome = std::variant<api_answer, api_action>;
using kind = api_action_kind;

constexpr std::size_t segments_max = 8;
constexpr std::size_t text_bytes_max = 255;
constexpr std::size_t tags_max = 100;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty() && out.size() <= segments_max) {
    const auto slash = path.find('/');
    if (const auto part = path.substr(0, slash); !part.empty()) {
      out.push_back(part);
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return out;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool whole = failed == std::errc{} && end == text.data() + text.size();
  return whole && n > 0 ? std::optional(n) : std::nullopt;
}

/// A number, also as text; 0 = none or not one.
std::int64_t int_of(const json& body, const char* name) {
  const auto it = body.find(name);
  if (it == body.end()) {
    return 0;
  }
  if (it->is_number_unsigned()) {
    return it->get<std::int64_t>();
  }
  return it->is_string() ? number(it->get_ref<const std::string&>()).value_or(0) : 0;
}

std::string text_of(const json& body, const char* name) {
  const auto it = body.find(name);
  const bool fits = it != body.end() && it->is_string()
                    && it->get_ref<const std::string&>().size() <= text_bytes_max;
  return fits ? it->get<std::string>() : std::string();
}

/// 1, "1", true, "true" and "on".
bool is_true(const json& body, const char* name, bool otherwise = false) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null()) {
    return otherwise;
  }
  return *it == true || *it == 1 || *it == "1" || *it == "true" || *it == "on";
}

api_answer text(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", std::move(body)};
}

api_answer json_answer(int status, const json& body) {
  return {status, "application/json; charset=utf-8", messages::dump_json(body)};
}

api_answer failure(int status, const std::string& message) {
  return json_answer(status, {{"status", "failed"}, {"message", message}});
}

api_answer not_found() {
  return text(404, "Not Found");
}

const desired_app* find_app(const device_view& d, std::int64_t id) {
  if (d.desired) {
    for (const auto& [uuid, app] : d.desired->apps) {
      if (app.id == id) {
        return &app;
      }
    }
  }
  return nullptr;
}

/// Percent-decoded value of a query member; "" when absent or malformed.
std::string query_member(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    const auto is = pair.find('=');
    if (is != std::string_view::npos && pair.substr(0, is) == name) {
      std::string out;
      const auto value = pair.substr(is + 1);
      for (std::size_t i = 0; i < value.size(); ++i) {
        unsigned code = 0;
        if (value[i] == '%' && i + 2 < value.size()) {
          const auto* at = value.data() + i + 1;
          if (std::from_chars(at, at + 2, code, 16).ptr == at + 2) {
            out += static_cast<char>(code);
            i += 2;
            continue;
          }
        }
        out += value[i] == '+' ? ' ' : value[i];
      }
      return out;
    }
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
  return {};
}

class router {
public:
  router(const api_request& r, const device_view& d) : request_(r), device_(d) {
    const std::string_view whole = request_.path;
    const auto mark = whole.find('?');
    query_ = mark == std::string_view::npos ? std::string_view{} : whole.substr(mark + 1);
    at_ = split(whole.substr(0, mark));
  }

  outcome run();

private:
  using parts = std::vector<std::string_view>;
  [[nodiscard]] bool is(const char* method, std::initializer_list<std::string_view> path) const {
    return request_.method == method && at_ == parts(path);
  }
  [[nodiscard]] bool gets(std::initializer_list<std::string_view> path) const {
    return is("GET", path) || is("HEAD", path);
  }
  outcome version_1();
  outcome version_2();
  outcome read_version_2();
  outcome v1_app(std::int64_t id, std::string_view verb);
  outcome v2_app(std::int64_t id, std::string_view verb);
  outcome service(kind what, const desired_app& app);
  outcome tags();
  outcome journal();
  [[nodiscard]] api_action act(kind what, api_style style = api_style::text) const;
  outcome on_app(kind what, std::int64_t id, api_style style);
  [[nodiscard]] std::string service_of(const desired_app& app) const;

  const api_request& request_;
  const device_view& device_;
  std::string_view query_;
  parts at_;
  json body_ = json::object();
};

outcome router::run() {
  if (at_.empty() || at_.size() > segments_max) {
    return not_found();
  }
  if (request_.method != "GET" && request_.method != "HEAD" && !request_.body.empty()) {
    auto parsed = messages::parse_json(request_.body);
    if (!parsed || !(parsed->is_object() || parsed->is_null())) {
      return failure(400, "the body is not a JSON object");
    }
    body_ = parsed->is_object() ? std::move(*parsed) : json::object();
  }
  if (gets({"ping"})) {
    return text(200, "OK");
  }
  return at_[0] == "v1" ? version_1() : at_[0] == "v2" ? version_2() : outcome(not_found());
}

api_action router::act(kind what, api_style style) const {
  api_action a;
  a.kind = what;
  a.style = style;
  a.force = is_true(body_, "force");
  return a;
}

outcome router::on_app(kind what, std::int64_t id, api_style style) {
  if (id <= 0) {
    return failure(400, "Missing app id");
  }
  const auto* app = find_app(device_, id);
  if (app == nullptr) {
    return failure(404, "App " + std::to_string(id) + " not found");
  }
  auto a = act(what, style);
  a.app_id = app->id;
  a.app_uuid = app->uuid;
  return a;
}

outcome router::version_1() {
  if (gets({"v1", "healthy"})) {
    return text(200, "OK");
  }
  if (gets({"v1", "device"})) {
    return json_answer(200, device_json(device_));
  }
  if (gets({"v1", "device", "host-config"})) {
    return json_answer(200, {{"network", {{"hostname", device_.hostname}}}});
  }
  if (is("PATCH", {"v1", "device", "host-config"})) {
    return failure(503, "this agent does not manage the host's network configuration");
  }
  if (is("POST", {"v1", "blink"})) {
    return act(kind::blink);
  }
  if (is("POST", {"v1", "update"})) {
    auto a = act(kind::update);
    a.cancel = is_true(body_, "cancel", true);
    return a;
  }
  if (is("POST", {"v1", "restart"})) {
    return on_app(kind::restart, int_of(body_, "appId"), api_style::text);
  }
  if (is("POST", {"v1", "purge"})) {
    return on_app(kind::purge, int_of(body_, "appId"), api_style::data);
  }
  if (is("POST", {"v1", "reboot"})) {
    return act(kind::reboot, api_style::data);
  }
  if (is("POST", {"v1", "shutdown"})) {
    return act(kind::shutdown, api_style::data);
  }
  if (is("POST", {"v1", "regenerate-api-key"})) {
    return act(kind::regenerate_key);
  }
  if (at_.size() >= 3 && at_[1] == "apps") {
    const auto id = number(at_[2]);
    return id ? v1_app(*id, at_.size() == 4 ? at_[3] : std::string_view{})
              : failure(400, "Invalid app id");
  }
  return not_found();
}

outcome router::v1_app(std::int64_t id, std::string_view verb) {
  const auto* app = find_app(device_, id);
  if (app == nullptr) {
    return failure(404, "App " + std::to_string(id) + " not found");
  }
  const bool read = request_.method == "GET" && verb.empty();
  const bool acts = request_.method == "POST" && (verb == "start" || verb == "stop");
  if (!read && !acts) {
    return not_found();
  }
  if (app->services.size() != 1) {
    return failure(400, "Some v1 endpoints are only allowed on single-container apps");
  }
  if (read) {
    const auto found = app_json(device_, *app);
    return found ? json_answer(200, *found) : failure(503, "the service has no container yet");
  }
  auto a = act(verb == "start" ? kind::start_service : kind::stop_service, api_style::container_id);
  a.app_id = app->id;
  a.app_uuid = app->uuid;
  a.service = app->services.begin()->first;
  return a;
}

/// By `serviceName` or by `imageId`, of what runs or of what shall run; "" = no such service.
std::string router::service_of(const desired_app& app) const {
  const auto service = text_of(body_, "serviceName");
  if (!service.empty()) {
    return app.services.contains(service) ? service : std::string();
  }
  const auto image = int_of(body_, "imageId");
  if (image == 0) {
    return {};
  }
  if (device_.current) {
    for (const auto& c : device_.current->containers) {
      if (
        c.app_uuid == app.uuid && parse_container_name(c.name, device_.uuid).image_id == image
        && app.services.contains(c.service)) {
        return c.service;
      }
    }
  }
  for (const auto& [found, s] : app.services) {
    if (s.image_id == image) {
      return found;
    }
  }
  return {};
}

outcome router::service(kind what, const desired_app& app) {
  if (text_of(body_, "serviceName").empty() && int_of(body_, "imageId") == 0) {
    return failure(400, "serviceName or imageId is required");
  }
  auto a = act(what);
  a.app_id = app.id;
  a.app_uuid = app.uuid;
  a.service = service_of(app);
  return a.service.empty() ? outcome(failure(404, "Service not found")) : outcome(a);
}

outcome router::v2_app(std::int64_t id, std::string_view verb) {
  const auto* app = find_app(device_, id);
  if (request_.method == "GET" && verb == "state") {
    return app == nullptr ? failure(409, "Application with ID " + std::to_string(id) + " not found")
                          : json_answer(200, application_state_json(device_, *app));
  }
  if (request_.method != "POST") {
    return not_found();
  }
  if (verb == "restart") {
    return on_app(kind::restart, id, api_style::text);
  }
  if (verb == "purge") {
    return on_app(kind::purge, id, api_style::text);
  }
  const auto what = verb == "restart-service" ? kind::restart_service
                    : verb == "start-service" ? kind::start_service
                    : verb == "stop-service"  ? kind::stop_service
                                              : kind::update;
  if (what == kind::update) {
    return not_found();
  }
  return app == nullptr ? failure(404, "App " + std::to_string(id) + " not found")
                        : service(what, *app);
}

outcome router::version_2() {
  if (at_.size() == 4 && at_[1] == "applications") {
    const auto id = number(at_[2]);
    return id ? v2_app(*id, at_[3]) : outcome(failure(400, "Invalid app id"));
  }
  if (is("PATCH", {"v2", "device", "tags"})) {
    return tags();
  }
  if (is("POST", {"v2", "journal-logs"})) {
    return journal();
  }
  return request_.method == "GET" || request_.method == "HEAD" ? read_version_2() : not_found();
}

outcome router::read_version_2() {
  const auto success = [](json body) {
    body["status"] = "success";
    return json_answer(200, body);
  };
  if (gets({"v2", "applications", "state"})) {
    return json_answer(200, applications_state_json(device_));
  }
  if (gets({"v2", "state", "status"})) {
    return success(state_status_json(device_));
  }
  if (gets({"v2", "version"})) {
    return success({{"version", device_.supervisor_version}});
  }
  if (gets({"v2", "device", "name"})) {
    return success({{"deviceName", device_.name}});
  }
  if (gets({"v2", "device", "vpn"})) {
    return success({{"vpn", {{"enabled", true}, {"connected", device_.overlay_connected}}}});
  }
  if (gets({"v2", "device", "tags"})) {
    return act(kind::read_tags);
  }
  if (gets({"v2", "local", "device-info"})) {
    return success({{"info", {{"arch", device_.arch}, {"deviceType", device_.device_type}}}});
  }
  if (gets({"v2", "containerId"})) {
    const auto ids = container_ids(device_);
    auto service = query_member(query_, "service");
    service = service.empty() ? query_member(query_, "serviceName") : service;
    if (service.empty()) {
      return success({{"services", ids}});
    }
    const auto it = ids.find(service);
    return it == ids.end() ? failure(503, "the service has no container")
                           : success({{"containerId", it->second}});
  }
  return not_found();
}

/// `{key: text}`, null removes; passed on to the platform.
outcome router::tags() {
  if (body_.empty() || body_.size() > tags_max) {
    return failure(400, "the body names no tag, or too many");
  }
  for (const auto& [key, value] : body_.items()) {
    const bool fits =
      !key.empty() && key.size() <= text_bytes_max && (value.is_null() || value.is_string());
    if (!fits) {
      return failure(400, "tag keys are short texts and their values texts");
    }
  }
  auto a = act(kind::change_tags);
  a.text = messages::dump_json(body_);
  return a;
}

/// What `journalctl` takes, one argument a line: nothing of it is a shell's business.
outcome router::journal() {
  std::string arguments;
  const auto add = [&](const std::string& option) { arguments += option + "\n"; };
  const auto plain = [](const std::string& s) {
    return s.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@:._+- ")
           == std::string::npos;
  };
  if (is_true(body_, "follow")) {
    return failure(400, "following the journal is not possible here");
  }
  const auto count = body_.contains("count") ? int_of(body_, "count") : 1'000;
  if (count <= 0 || count > 10'000) {
    return failure(400, "count is a number from 1 to 10000");
  }
  add("--lines=" + std::to_string(count));
  for (const char* name : {"unit", "since", "until"}) {
    const auto value = text_of(body_, name);
    if (!plain(value)) {
      return failure(400, std::string(name) + " has characters that are not allowed");
    }
    if (!value.empty()) {
      add("--" + std::string(name) + "=" + value);
    }
  }
  const auto container = text_of(body_, "containerId");
  if (!container.empty()) {
    if (container.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return failure(400, "containerId is not one");
    }
    add("CONTAINER_ID_FULL=" + container);
  }
  const auto format = text_of(body_, "format");
  if (
    !format.empty() && format != "short" && format != "json" && format != "cat"
    && format != "short-iso") {
    return failure(400, "format is short, short-iso, json or cat");
  }
  add("--output=" + (format.empty() ? std::string("short") : format));
  if (is_true(body_, "all")) {
    add("--all");
  }
  auto a = act(kind::read_journal);
  a.text = std::move(arguments);
  return a;
}

}  // namespace

std::variant<api_answer, api_action> route(const api_request& request, const device_view& device) {
  return router(request, device).run();
}

std::string_view name(api_action_kind kind) {
  switch (kind) {
    case api_action_kind::update:
      return "update";
    case api_action_kind::restart:
      return "restart";
    case api_action_kind::restart_service:
      return "restart-service";
    case api_action_kind::start_service:
      return "start-service";
    case api_action_kind::stop_service:
      return "stop-service";
    case api_action_kind::purge:
      return "purge";
    case api_action_kind::reboot:
      return "reboot";
    case api_action_kind::shutdown:
      return "shutdown";
    case api_action_kind::blink:
      return "blink";
    case api_action_kind::regenerate_key:
      return "regenerate-api-key";
    case api_action_kind::read_tags:
    case api_action_kind::change_tags:
      return "tags";
    case api_action_kind::read_journal:
      return "journal-logs";
  }
  return "";
}

api_answer done_answer(const api_action& action, const std::string& detail) {
  switch (action.kind) {
    case kind::update:
      return {204, "", ""};
    case kind::reboot:
    case kind::shutdown:
      return json_answer(202, {{"Data", "OK"}, {"Error", nullptr}});
    case kind::regenerate_key:
    case kind::read_journal:
      return text(200, detail);
    case kind::read_tags:
      return json_answer(
        200,
        {{"status", "success"}, {"tags", messages::parse_json(detail).value_or(json::array())}});
    case kind::change_tags:
      return text(202, "Accepted");
    default:
      break;
  }
  switch (action.style) {
    case api_style::data:
      return json_answer(200, {{"Data", "OK"}, {"Error", ""}});
    case api_style::container_id:
      return json_answer(200, {{"containerId", detail}});
    case api_style::text:
      break;
  }
  return text(200, "OK");
}

api_answer failed_answer(const api_action& action, const messages::error& why) {
  const int status = why.code == errc::locked              ? 423
                     : why.code == errc::not_found         ? 404
                     : why.code == errc::unavailable       ? 503
                     : why.code == errc::too_many_requests ? 503
                                                           : 500;
  return action.style == api_style::data
           ? json_answer(status, {{"Data", ""}, {"Error", why.detail}})
           : failure(status, why.detail);
}

}  // namespace slipway::domain
