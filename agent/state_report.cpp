#include "agent/state_report.hpp"

#include <algorithm>

namespace slipway::agent {
namespace {

using json = nlohmann::json;
using domain::container_status;

const char* status_word(const domain::current_container& c, bool wanted) {
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
      return wanted ? "exited" : "Stopped";
    case container_status::removing:
      return "removing";
    case container_status::dead:
      return "Dead";
  }
  return "Unknown";
}

const domain::current_container* newest(
  const report_input& in,
  const std::string& app,
  const std::string& service,
  const std::string& hash) {
  const domain::current_container* found = nullptr;
  for (const auto& c : in.current.containers) {
    if (
      c.app_uuid == app && c.service == service && c.config_hash == hash
      && (found == nullptr || found->created < c.created)) {
      found = &c;
    }
  }
  return found;
}

json service_report(
  const report_input& in,
  const domain::desired_app& app,
  const domain::desired_service& s,
  bool all_images) {
  json out = {{"image", s.image}, {"download_progress", nullptr}};
  if (const auto* c = newest(in, app.uuid, s.service, s.config_hash)) {
    out["status"] = status_word(*c, s.running);
  } else if (!in.current.images.contains(s.image_key)) {
    // Also what has not begun counts as downloading, so that people see the whole job.
    const auto it = in.downloads.find(s.image_key);
    out["status"] = "Downloading";
    out["download_progress"] = it == in.downloads.end() ? 0 : it->second;
  } else {
    out["status"] = all_images ? "Installing" : "Downloaded";
  }
  return out;
}

/// Containers that still run for an earlier release.
void add_leftovers(const report_input& in, const domain::desired_app& app, json& releases) {
  for (const auto& c : in.current.containers) {
    const auto identity = domain::parse_container_name(c.name, in.device_uuid);
    if (c.app_uuid != app.uuid || identity.commit.empty() || identity.commit == app.commit) {
      continue;
    }
    const auto release = in.progress.releases.find(identity.commit);
    if (release == in.progress.releases.end() || !release->second.contains(c.service)) {
      continue;
    }
    releases[identity.commit]["services"][c.service] = {
      {"image", release->second.at(c.service)},
      {"status", status_word(c, true)},
      {"download_progress", nullptr}};
  }
}

json app_report(const report_input& in, const domain::desired_app& app) {
  json out = json::object();
  if (const auto it = in.progress.running.find(app.uuid); it != in.progress.running.end()) {
    out["release_uuid"] = it->second;
  }
  json releases = json::object();
  if (!app.commit.empty()) {
    const bool all_images =
      std::all_of(app.services.begin(), app.services.end(), [&](const auto& s) {
        return in.current.images.contains(s.second.image_key);
      });
    auto& release = releases[app.commit];
    release["update_status"] =
      in.converged ? "done" : (all_images ? "applying changes" : "downloading");
    release["services"] = json::object();
    for (const auto& [name, s] : app.services) {
      release["services"][name] = service_report(in, app, s, all_images);
    }
    add_leftovers(in, app, releases);
  }
  out["releases"] = std::move(releases);
  return out;
}

void put(json& out, const char* name, const std::string& value) {
  if (!value.empty()) {
    out[name] = value;
  }
}

template <class T>
void put(json& out, const char* name, const std::optional<T>& value, std::int64_t bucket) {
  if (value) {
    out[name] = (static_cast<std::int64_t>(*value) + bucket / 2) / bucket * bucket;
  }
}

}  // namespace

json report_apps(const report_input& in) {
  json out = json::object();
  for (const auto& [uuid, app] : in.desired.apps) {
    out[uuid] = app_report(in, app);
  }
  return out;
}

json report_host(const host_facts& facts, const host_metrics& metrics) {
  json out = json::object();
  put(out, "os_version", facts.os_version);
  put(out, "os_variant", facts.os_variant);
  put(out, "mac_address", facts.mac_address);
  put(out, "ip_address", facts.ip_address);
  put(out, "cpu_id", facts.cpu_id);
  put(out, "cpu_usage", metrics.cpu_percent, 20);
  put(out, "memory_usage", metrics.memory_used_mb, 10);
  put(out, "memory_total", metrics.memory_total_mb, 1);
  put(out, "storage_usage", metrics.storage_used_mb, 100);
  put(out, "storage_total", metrics.storage_total_mb, 1);
  put(out, "storage_block_device", metrics.storage_block_device);
  return out;
}

json report_difference(const json& before, const json& now) {
  json out = json::object();
  for (const auto& [name, value] : now.items()) {
    const auto it = before.is_object() ? before.find(name) : before.end();
    if (!before.is_object() || it == before.end() || *it != value) {
      out[name] = value;
    }
  }
  return out;
}

}  // namespace slipway::agent
