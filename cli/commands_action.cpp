#include "cli/commands_action.hpp"

#include "cli/lookup.hpp"
#include "cli/terminal.hpp"
#include "messages/json.hpp"

#include <ctime>
#include <map>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

const char* path_of_action(device_action action) {
  switch (action) {
    case device_action::restart:
      return "/supervisor/v1/restart";
    case device_action::reboot:
      return "/supervisor/v1/reboot";
    case device_action::shutdown:
      return "/supervisor/v1/shutdown";
    case device_action::purge:
      return "/supervisor/v1/purge";
    case device_action::blink:
      return "/supervisor/v1/blink";
    case device_action::update:
      return "/supervisor/v1/update";
  }
  return "";
}

messages::result<json> device_and_fleet(context& c, const std::string& device) {
  return find_device(
    c.server,
    device,
    "id,uuid,device_name",
    "belongs_to__application($select=id)");
}

messages::result<void> tell(context& c, const std::string& path, const json& body) {
  auto done = c.server.post_text(path, body);
  if (!done && done.error().detail.find("No online device") != std::string::npos) {
    return fail(errc::not_found, "the device is not connected");
  }
  return done.map([](const std::string&) {});
}

/// Names of the services of a device's fleet, by id.
messages::result<std::map<std::int64_t, std::string>> service_names(
  context& c,
  std::int64_t fleet) {
  return c.server
    .query(
      {"service", "application eq " + std::to_string(fleet), "id,service_name", "", "id asc", 0})
    .map([](const std::vector<json>& rows) {
      std::map<std::int64_t, std::string> names;
      for (const auto& row : rows) {
        names[int_of(row, "id")] = text_of(row, "service_name");
      }
      return names;
    });
}

std::string clock_text(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm t{};
  ::localtime_r(&seconds, &t);
  char text[32];
  std::strftime(text, sizeof text, "%m-%d %H:%M:%S", &t);
  return text;
}

/// Prints records as they come, those that are wanted.
class log_printer {
public:
  log_printer(context& c, const log_args& args, std::map<std::int64_t, std::string> names)
    : c_(c), args_(args), names_(std::move(names)) {}

  void print(const json& record) {
    const auto service = service_of(record);
    const bool system = bool_of(record, "isSystem");
    const bool unwanted =
      (!args_.service.empty() && service != args_.service) || (args_.system && !system);
    if (unwanted) {
      return;
    }
    if (c_.out.json()) {
      auto one = record;
      one["service"] = service.empty() ? json() : json(service);
      c_.out.line(messages::dump_json(one));
      return;
    }
    const auto who = system ? "[system] " : service.empty() ? "" : "[" + printable(service) + "] ";
    const auto text = printable(text_of(record, "message"));
    c_.out.line(
      c_.out.paint(colour::dim, clock_text(int_of(record, "timestamp"))) + " "
      + c_.out.paint(system ? colour::yellow : colour::none, who)
      + c_.out.paint(bool_of(record, "isStdErr") ? colour::red : colour::none, text));
  }

  /// Any piece of a stream of lines.
  bool feed(std::string_view piece) {
    pending_ += piece;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      const auto record = messages::parse_json(std::string_view(pending_).substr(0, end));
      pending_.erase(0, end + 1);
      if (record && record->is_object()) {
        print(*record);
      }
    }
    c_.out.flush();
    return pending_.size() < line_bytes_max;
  }

private:
  static constexpr std::size_t line_bytes_max = 1U << 20U;

  [[nodiscard]] std::string service_of(const json& record) const {
    const auto it = names_.find(int_of(record, "serviceId"));
    return it == names_.end() ? "" : it->second;
  }

  context& c_;
  const log_args& args_;
  std::map<std::int64_t, std::string> names_;
  std::string pending_;
};

}  // namespace

messages::result<void> device_act(
  context& c,
  device_action action,
  const std::string& device,
  const std::string& service,
  bool force) {
  if (!service.empty()) {
    return device_service(c, "restart", device, service, force);
  }
  const auto row = device_and_fleet(c, device);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto fleet = int_of(expanded(*row, "belongs_to__application"), "id");
  return tell(
    c,
    path_of_action(action),
    {{"deviceId", int_of(*row, "id")},
     {"appId", fleet},
     {"data", {{"appId", fleet}, {"force", force}}}});
}

messages::result<void> device_service(
  context& c,
  const std::string& verb,
  const std::string& device,
  const std::string& service,
  bool force) {
  const auto row = device_and_fleet(c, device);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto fleet = int_of(expanded(*row, "belongs_to__application"), "id");
  return tell(
    c,
    "/supervisor/v2/applications/" + std::to_string(fleet) + "/" + verb + "-service",
    {{"deviceId", int_of(*row, "id")},
     {"appId", fleet},
     {"data", {{"appId", fleet}, {"serviceName", service}, {"force", force}}}});
}

messages::result<void> device_logs(context& c, const log_args& args) {
  const auto row = device_and_fleet(c, args.device);
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto names = service_names(c, int_of(expanded(*row, "belongs_to__application"), "id"));
  if (!names) {
    return tl::unexpected(names.error());
  }
  log_printer printer(c, args, std::move(*names));
  const auto path = "/device/v2/" + text_of(*row, "uuid") + "/logs?count="
                    + std::to_string(args.count) + (args.follow ? "&stream=1" : "");
  if (!args.follow) {
    const auto text = c.server.get_text(path);
    const auto records = text ? messages::parse_json(*text) : messages::result<json>(json::array());
    if (!text) {
      return tl::unexpected(text.error());
    }
    for (const auto& record : records && records->is_array() ? *records : json::array()) {
      printer.print(record);
    }
    return {};
  }
  const interrupt_guard guard([&c] { c.server.cancel(); });
  auto ended = c.server.stream(path, [&](std::string_view piece) { return printer.feed(piece); });
  if (guard.raised()) {
    c.interrupted = true;
    return {};
  }
  return ended;
}

}  // namespace slipway::cli
