#include "gateways/device/report.hpp"

#include "domain/numbers.hpp"
#include "domain/resource_model.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
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
  reported{"memory_usage", shape::number},
  reported{"memory_total", shape::number},
  reported{"storage_usage", shape::number},
  reported{"storage_total", shape::number},
  reported{"storage_block_device", shape::text, 255},
  reported{"cpu_temp", shape::number},
  reported{"cpu_usage", shape::number},
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
  std::int64_t application = 0;
  report_state out;

  result<void> apps(const json& j);
  result<void> app(const json& j);
  result<void> release(const std::string& commit, const json& j, int& worst_rank);
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
  for (const auto& [name, s] : services->items()) {
    if (!s.is_object() || !s.contains("image") || !s["image"].is_string()) {
      return fail(errc::invalid_argument, "a service of this report names no image");
    }
    const auto image = find_image(s["image"].get<std::string>());
    if (!image) {
      return tl::unexpected(image.error());
    }
    messages::reported_service service;
    service.image = *image;
    service.release = *id;
    service.status =
      s.value("status", json()).is_string() ? s["status"].get<std::string>() : "Unknown";
    const auto progress = s.value("download_progress", json());
    service.download_progress =
      progress.is_number()
        ? static_cast<std::int64_t>(std::clamp(progress.get<double>(), 0.0, 100.0))
        : -1;
    out.services.push_back(std::move(service));
  }
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
    out.values.push_back({d.is_running__release, *id});
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
  if (rank < static_cast<int>(update_statuses.size())) {
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
    if (!names.is_application(application, uuid)) {
      return not_ours();
    }
    if (auto ok = app(one); !ok) {
      return ok;
    }
  }
  return {};
}

}  // namespace

result<report_state> parse_report(const json& part, report_names& names, std::int64_t application) {
  if (!part.is_object()) {
    return fail(errc::invalid_argument, "a device's state is not an object");
  }
  parser p{names, application, {}};
  for (std::size_t i = 0; i < reported_fields.size(); ++i) {
    const auto it = part.find(reported_fields[i].name);
    if (it == part.end()) {
      continue;
    }
    if (auto v = convert(*it, reported_fields[i])) {
      p.out.values.push_back({reported_numbers()[i], std::move(*v)});
    }
  }
  if (const auto it = part.find("apps"); it != part.end()) {
    if (auto ok = p.apps(*it); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return std::move(p.out);
}

}  // namespace slipway::gateways::device
