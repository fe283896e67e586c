#include "domain/supervisor_views.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace slipway::domain {
namespace {

using json = nlohmann::json;

const char* status_of(const current_container& c) {
  switch (c.status) {
    case container_status::created:
      return "Installed";
    case container_status::running:
      return "Running";
    case container_status::paused:
      return "paused";
    case container_status::restarting:
      return "restarting";
    case container_status::exited:
      return "exited";
    case container_status::removing:
      return "removing";
    case container_status::dead:
      return "Dead";
  }
  return "Unknown";
}

const current_container*
container_of(const device_view& d, const std::string& app, const std::string& service) {
  const current_container* found = nullptr;
  if (d.current) {
    for (const auto& c : d.current->containers) {
      if (
        c.app_uuid == app && c.service == service
        && (found == nullptr || found->created < c.created)) {
        found = &c;
      }
    }
  }
  return found;
}

bool held(const device_view& d, const desired_service& s) {
  return d.current && d.current->images.contains(s.image_key);
}

std::string service_status(const device_view& d, const desired_app& app, const desired_service& s) {
  if (const auto* c = container_of(d, app.uuid, s.service)) {
    return status_of(*c);
  }
  return held(d, s) ? "Installing" : "Downloading";
}

json progress_of(const device_view& d, const desired_service& s) {
  if (held(d, s)) {
    return nullptr;
  }
  const auto it = d.downloads.find(s.image_key);
  return it == d.downloads.end() ? 0 : it->second;
}

/// The user's app: the only one with services, or the first.
const desired_app* fleet_app(const device_view& d) {
  if (!d.desired || d.desired->apps.empty()) {
    return nullptr;
  }
  const auto& apps = d.desired->apps;
  const auto it = std::find_if(apps.begin(), apps.end(), [](const auto& a) {
    return !a.second.services.empty();
  });
  return it == apps.end() ? &apps.begin()->second : &it->second;
}

bool all_held(const device_view& d, const desired_app& app) {
  return std::all_of(app.services.begin(), app.services.end(), [&](const auto& s) {
    return held(d, s.second);
  });
}

json overall_progress(const device_view& d) {
  if (!d.desired || d.downloads.empty()) {
    return nullptr;
  }
  int sum = 0;
  int count = 0;
  for (const auto& [uuid, app] : d.desired->apps) {
    for (const auto& [service, s] : app.services) {
      const auto p = progress_of(d, s);
      sum += p.is_null() ? 100 : p.get<int>();
      ++count;
    }
  }
  return count == 0 ? json(nullptr) : json(sum / count);
}

std::string commit_of(const device_view& d, const desired_app& app) {
  const auto it = d.running.find(app.uuid);
  return it == d.running.end() ? std::string() : it->second;
}

json text_or_null(const std::string& s) {
  return s.empty() ? json(nullptr) : json(s);
}

std::int64_t service_id(const desired_service& s) {
  const auto labels = s.body.find("Labels");
  if (labels == s.body.end() || !labels->is_object() || !labels->contains(label_service_id)) {
    return 0;
  }
  const auto& text = (*labels)[label_service_id].get_ref<const std::string&>();
  std::int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

std::string update_status(const device_view& d, const desired_app& app) {
  if (d.settled) {
    return "done";
  }
  return all_held(d, app) ? "applying changes" : "downloading";
}

/// Names that look like secrets: who reads the state of a device need not read its keys.
bool is_secret(std::string_view name) {
  static constexpr std::array parts{"KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL"};
  std::string upper(name);
  for (auto& c : upper) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return std::any_of(parts.begin(), parts.end(), [&](const char* p) {
    return upper.find(p) != std::string::npos;
  });
}

json environment_of(const desired_service& s) {
  json out = json::object();
  const auto list = s.body.find("Env");
  if (list == s.body.end() || !list->is_array()) {
    return out;
  }
  for (const auto& item : *list) {
    const auto& text = item.get_ref<const std::string&>();
    const auto is = text.find('=');
    const auto name = text.substr(0, is);
    if (is != std::string::npos && !is_secret(name)) {
      out[name] = text.substr(is + 1);
    }
  }
  return out;
}

}  // namespace

json device_json(const device_view& d) {
  const auto* app = fleet_app(d);
  const bool pending = !d.settled && app != nullptr;
  return {
    {"api_port", d.api_port},
    {"ip_address", d.ip_address},
    {"commit", app == nullptr ? json(nullptr) : text_or_null(commit_of(d, *app))},
    {"status", !d.downloads.empty() ? "Downloading" : "Idle"},
    {"download_progress", overall_progress(d)},
    {"os_version", d.os_version},
    {"mac_address", d.mac_address},
    {"supervisor_version", d.supervisor_version},
    {"update_pending", pending},
    {"update_downloaded", pending && all_held(d, *app)},
    {"update_failed", pending && d.failed}};
}

json state_status_json(const device_view& d) {
  json containers = json::array();
  json images = json::array();
  const auto* main = fleet_app(d);
  if (d.desired) {
    for (const auto& [uuid, app] : d.desired->apps) {
      for (const auto& [service, s] : app.services) {
        if (const auto* c = container_of(d, uuid, service)) {
          containers.push_back(
            {{"status", status_of(*c)},
             {"serviceName", service},
             {"appId", app.id},
             {"imageId", s.image_id},
             {"serviceId", service_id(s)},
             {"containerId", c->id},
             {"createdAt", c->created}});
        }
        images.push_back(
          {{"name", s.image},
           {"appId", app.id},
           {"serviceName", service},
           {"imageId", s.image_id},
           {"status", held(d, s) ? "Downloaded" : "Downloading"},
           {"downloadProgress", progress_of(d, s)}});
      }
    }
  }
  return {
    {"appState", d.settled ? "applied" : "applying"},
    {"overallDownloadProgress", overall_progress(d)},
    {"containers", containers},
    {"images", images},
    {"release", main == nullptr ? json(nullptr) : text_or_null(commit_of(d, *main))}};
}

json applications_state_json(const device_view& d) {
  json out = json::object();
  if (!d.desired) {
    return out;
  }
  for (const auto& [uuid, app] : d.desired->apps) {
    json services = json::object();
    for (const auto& [service, s] : app.services) {
      services[service] = {
        {"status", service_status(d, app, s)},
        {"image", s.image},
        {"releaseId", app.release_id},
        {"downloadProgress", progress_of(d, s)}};
    }
    out[app.name] = {
      {"appId", app.id},
      {"appUuid", uuid},
      {"commit", text_or_null(commit_of(d, app))},
      {"updateStatus", update_status(d, app)},
      {"services", services}};
  }
  return out;
}

json application_state_json(const device_view& d, const desired_app& app) {
  json services = json::object();
  for (const auto& [service, s] : app.services) {
    services[std::to_string(s.image_id)] = {
      {"status", service_status(d, app, s)},
      {"releaseId", app.release_id},
      {"download_progress", progress_of(d, s)}};
  }
  return {
    {"commit", text_or_null(commit_of(d, app))},
    {"local", {{std::to_string(app.id), {{"services", services}}}}},
    {"dependent", json::object()}};
}

std::optional<json> app_json(const device_view& d, const desired_app& app) {
  const auto& s = app.services.begin()->second;
  const auto* c = container_of(d, app.uuid, s.service);
  if (c == nullptr) {
    return std::nullopt;
  }
  return json{
    {"appId", app.id},
    {"commit", app.commit},
    {"containerId", c->id},
    {"env", environment_of(s)},
    {"imageId", s.image_id},
    {"releaseId", app.release_id}};
}

std::map<std::string, std::string> container_ids(const device_view& d) {
  std::map<std::string, std::string> out;
  if (d.desired) {
    for (const auto& [uuid, app] : d.desired->apps) {
      for (const auto& [service, s] : app.services) {
        if (const auto* c = container_of(d, uuid, service)) {
          out[service] = c->id;
        }
      }
    }
  }
  return out;
}

}  // namespace slipway::domain
