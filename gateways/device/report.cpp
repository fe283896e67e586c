#include "gateways/device/report.hpp"

#include "domain/numbers.hpp"
#include "domain/resource_model.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace slipway::gateways::device {
namespace {

using domain::numbers::get;
using messages::errc;
using messages::fail;
using messages::field_value;
using messages::report_state;
using messages::result;
using messages::value;
using nlohmann::json;

enum class shape { text, lower_text, addresses, number, flag };

struct reported {
  const char* name;
  shape how;
  std::size_t bytes_max = 0;
  bool metric = false;
};

constexpr std::array reported_fields{
  reported{"status", shape::text, 50},
  reported{"os_version", shape::text, 70},
  reported{"os_variant", shape::text, 255},
  reported{"supervisor_version", shape::text, 20},
  reported{"provisioning_state", shape::text, 255},
  reported{"provisioning_progress", shape::number},
  reported{"ip_address", shape::addresses, 2000},
  reported{"mac_address", shape::addresses, 900},
  reported{"api_port", shape::number},
  reported{"api_secret", shape::text, 64},
  reported{"cpu_id", shape::lower_text, 255},
  reported{"is_undervolted", shape::flag},
  reported{"memory_usage", shape::number, 0, true},
  reported{"memory_total", shape::number, 0, true},
  reported{"storage_usage", shape::number, 0, true},
  reported{"storage_total", shape::number, 0, true},
  reported{"storage_block_device", shape::text, 255, true},
  reported{"cpu_temp", shape::number, 0, true},
  reported{"cpu_usage", shape::number, 0, true},
};

std::string cut(std::string text, const reported& r) {
  if (text.size() > r.bytes_max) {
    text.resize(r.bytes_max);
    if (r.how == shape::addresses) {
      text.resize(std::min(text.size(), text.find_last_of(' ')));
    }
    // Not in the middle of a UTF-8 sequence.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U) {
      text.pop_back();
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0U) {
      text.pop_back();
    }
  }
  if (r.how == shape::lower_text) {
    std::erase_if(text, [](unsigned char c) { return c < 0x20 || c > 0x7e; });
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
  }
  return text;
}

/// The value to store; nothing when the member has another type than it should.
std::optional<value> convert(const json& j, const reported& r) {
  if (j.is_null()) {
    return r.how == shape::flag ? std::nullopt : std::optional(value{});
  }
  switch (r.how) {
    case shape::number: {
      if (!j.is_number()) {
        return std::nullopt;
      }
      constexpr double int_max = 2147483647;
      return value(
        static_cast<std::int64_t>(std::clamp(std::round(j.get<double>()), -int_max, int_max)));
    }
    case shape::flag:
      return j.is_boolean() ? std::optional(value(j.get<bool>())) : std::nullopt;
    default:
      return j.is_string() ? std::optional(value(cut(j.get<std::string>(), r))) : std::nullopt;
  }
}

/// Field numbers of `reported_fields`, in their order.
const std::vector<std::uint16_t>& reported_numbers() {
  static const auto numbers = [] {
    std::vector<std::uint16_t> found;
    const auto& device = domain::resource_model()->at("device");
    for (const auto& r : reported_fields) {
      found.push_back(device.field(r.name));
    }
    return found;
  }();
  return numbers;
}

struct parser {
  report_names& names;
  const target& of;
  report_state out;
  std::int64_t application = 0;  ///< whose part is being read

  void scalars(const json& j);
  result<void> apps(const json& j);
  result<void> app(const json& j);
  result<void> release(const std::string& commit, const json& j, int& worst_rank);
  result<void> service(const json& s, std::int64_t release);
  result<void> app_v2(const json& j);
  [[nodiscard]] bool is_fleet() const { return application == of.application; }
  result<std::int64_t> find_release(const std::string& commit) const;
  result<std::int64_t> find_image(std::string reference) const;
};

result<void> not_ours() {
  return fail(
    errc::unauthorized,
    "an application, release or image of this report is not the device's");
}

// The lowest rank of all releases is what the device is doing.
constexpr std::array<std::string_view, 6>
  update_statuses{"rejected", "aborted", "downloading", "downloaded", "applying changes", "done"};

result<std::int64_t> parser::find_release(const std::string& commit) const {
  const auto id = names.release(application, commit);
  return id ? result<std::int64_t>(*id) : tl::unexpected(not_ours().error());
}

result<std::int64_t> parser::find_image(std::string reference) const {
  reference.resize(std::min(reference.size(), reference.find('@')));
  const auto id = names.image(application, reference);
  return id ? result<std::int64_t>(*id) : tl::unexpected(not_ours().error());
}

result<void> parser::release(const std::string& commit, const json& j, int& worst_rank) {
  const auto id = find_release(commit);
  if (!id) {
    return tl::unexpected(id.error());
  }
  if (!j.is_object()) {
    return fail(errc::invalid_argument, "a release of this report is not an object");
  }
  if (const auto it = j.find("update_status"); it != j.end() && it->is_string()) {
    const auto rank =
      std::find(update_statuses.begin(), update_statuses.end(), it->get<std::string>());
    if (rank != update_statuses.end()) {
      worst_rank = std::min(worst_rank, static_cast<int>(rank - update_statuses.begin()));
    }
  }
  const auto services = j.find("services");
  if (services == j.end() || !services->is_object()) {
    return {};
  }
  for (const auto& one : *services) {
    if (auto ok = service(one, *id); !ok) {
      return ok;
    }
  }
  return {};
}

void add_service(report_state& out, const json& s, std::int64_t image, std::int64_t release) {
  messages::reported_service service;
  service.image = image;
  service.release = release;
  const auto status = s.value("status", json());
  service.status = status.is_string() ? status.get<std::string>() : "Unknown";
  const auto progress = s.value("download_progress", json());
  service.download_progress =
    progress.is_number() ? static_cast<std::int64_t>(std::clamp(progress.get<double>(), 0.0, 100.0))
                         : -1;
  out.services.push_back(std::move(service));
}

result<void> parser::service(const json& s, std::int64_t release) {
  if (!s.is_object() || !s.contains("image") || !s["image"].is_string()) {
    return fail(errc::invalid_argument, "a service of this report names no image");
  }
  const auto image = find_image(s["image"].get<std::string>());
  if (!image) {
    return tl::unexpected(image.error());
  }
  add_service(out, s, *image, release);
  return {};
}

result<void> parser::app(const json& j) {
  const auto& d = get().device;
  if (!j.is_object()) {
    return fail(errc::invalid_argument, "an application of this report is not an object");
  }
  if (const auto it = j.find("release_uuid"); it != j.end() && it->is_string()) {
    const auto id = find_release(it->get<std::string>());
    if (!id) {
      return tl::unexpected(id.error());
    }
    if (is_fleet()) {
      out.values.push_back({d.is_running__release, *id});
    }
  }
  const auto releases = j.find("releases");
  if (releases == j.end() || !releases->is_object()) {
    return {};
  }
  int rank = static_cast<int>(update_statuses.size());
  for (const auto& [commit, r] : releases->items()) {
    if (auto ok = release(commit, r, rank); !ok) {
      return ok;
    }
  }
  if (is_fleet() && rank < static_cast<int>(update_statuses.size())) {
    out.values.push_back(
      {d.update_status, std::string(update_statuses[static_cast<std::size_t>(rank)])});
  }
  return {};
}

result<void> parser::apps(const json& j) {
  if (!j.is_object()) {
    return fail(errc::invalid_argument, "\"apps\" is not an object");
  }
  out.has_apps = true;
  for (const auto& [uuid, one] : j.items()) {
    const auto known =
      std::find_if(of.apps.begin(), of.apps.end(), [&uuid = uuid](const auto& app) {
        return app.first == uuid;
      });
    if (known == of.apps.end()) {
      return not_ours();
    }
    application = known->second;
    if (auto ok = app(one); !ok) {
      return ok;
    }
  }
  return {};
}

void parser::scalars(const json& j) {
  for (std::size_t i = 0; i < reported_fields.size(); ++i) {
    const auto it = j.find(reported_fields[i].name);
    if (it == j.end()) {
      continue;
    }
    if (auto v = convert(*it, reported_fields[i])) {
      auto& into = reported_fields[i].metric ? out.metrics : out.values;
      into.push_back({reported_numbers()[i], std::move(*v)});
    }
  }
}

/// Early supervisors name rows by their ids.
std::optional<std::int64_t> id_in(const std::string& text) {
  std::int64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool whole = failed == std::errc{} && end == text.data() + text.size() && n > 0;
  return whole ? std::optional(n) : std::nullopt;
}

result<void> parser::app_v2(const json& j) {
  if (!j.is_object()) {
    return fail(errc::invalid_argument, "an application of this report is not an object");
  }
  const auto services = j.value("services", json::object());
  for (const auto& [key, s] : services.items()) {
    const auto image = id_in(key);
    const auto release = s.is_object() ? s.value("releaseId", json()) : json();
    if (!image || !release.is_number_integer()) {
      return fail(errc::invalid_argument, "a service of this report names no image or release");
    }
    const auto release_id = release.get<std::int64_t>();
    if (!names.has_release(application, release_id) || !names.has_image(application, *image)) {
      return not_ours();
    }
    add_service(out, s, *image, release_id);
  }
  return {};
}

}  // namespace

result<report_state> parse_report(const json& part, report_names& names, const target& of) {
  if (!part.is_object()) {
    return fail(errc::invalid_argument, "a device's state is not an object");
  }
  parser p{names, of, {}};
  p.scalars(part);
  if (const auto it = part.find("apps"); it != part.end()) {
    if (auto ok = p.apps(*it); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return std::move(p.out);
}

namespace {

/// What early supervisors may change as well, by the name they give it.
void add_changes(const json& local, report_v2& out) {
  const auto& device = domain::resource_model()->at("device");
  for (const auto& [name, number] :
       {std::pair{"name", get().device.device_name},
        std::pair{"device_name", get().device.device_name},
        std::pair{"note", device.field("note")}}) {
    const auto it = local.find(name);
    if (it != local.end() && it->is_string()) {
      out.changes.push_back({number, it->get<std::string>()});
    }
  }
}

}  // namespace

result<report_v2> parse_report_v2(const json& body, report_names& names, const target& of) {
  const auto local = body.is_object() ? body.value("local", json::object()) : json();
  if (!local.is_object()) {
    return fail(errc::invalid_argument, "\"local\" is not an object");
  }
  const auto& d = get().device;
  parser p{names, of, {}, of.application};
  p.scalars(local);
  report_v2 out;
  add_changes(local, out);
  if (const auto it = local.find("download_progress"); it != local.end()) {
    if (auto v = convert(*it, {"download_progress", shape::number})) {
      p.out.values.push_back({d.download_progress, std::move(*v)});
    }
  }
  if (const auto it = local.find("is_on__commit"); it != local.end() && it->is_string()) {
    const auto release = p.find_release(it->get<std::string>());
    if (!release) {
      return tl::unexpected(release.error());
    }
    p.out.values.push_back({d.is_running__release, *release});
  }
  if (const auto it = local.find("should_be_running__release");
      it != local.end() && it->is_number_integer()) {
    if (!names.has_release(of.application, it->get<std::int64_t>())) {
      return tl::unexpected(not_ours().error());
    }
    out.changes.push_back({d.is_pinned_on__release, it->get<std::int64_t>()});
  }
  const auto apps = local.value("apps", json());
  if (apps.is_object()) {
    p.out.has_apps = true;
    for (const auto& [id, app] : apps.items()) {
      if (id != std::to_string(of.application)) {
        return tl::unexpected(not_ours().error());
      }
      if (auto ok = p.app_v2(app); !ok) {
        return tl::unexpected(ok.error());
      }
    }
  }
  out.report = std::move(p.out);
  return out;
}

}  // namespace slipway::gateways::device
