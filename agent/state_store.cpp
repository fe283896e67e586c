#include "agent/state_store.hpp"

#include "messages/json.hpp"
#include "runtime/log.hpp"

namespace slipway::agent {
namespace {

using json = nlohmann::json;

std::map<std::string, std::string> text_map(const json& j) {
  std::map<std::string, std::string> out;
  if (j.is_object()) {
    for (const auto& [name, value] : j.items()) {
      if (value.is_string()) {
        out[name] = value.get<std::string>();
      }
    }
  }
  return out;
}

const json& member(const json& j, const char* name) {
  static const json nothing;
  const auto it = j.is_object() ? j.find(name) : j.end();
  return it == j.end() ? nothing : *it;
}

}  // namespace

json state_store::load(const std::string& name) {
  const auto bytes = files_.read(name);
  if (!bytes) {
    if (bytes.error().code != messages::errc::not_found) {
      runtime::log::warn("state file unreadable", {{"file", name}, {"why", bytes.error().detail}});
    }
    return nullptr;
  }
  auto j = messages::parse_json(*bytes);
  if (!j) {
    runtime::log::warn("state file damaged, taken as missing", {{"file", name}});
    return nullptr;
  }
  return std::move(*j);
}

messages::result<void> state_store::save(const std::string& name, const json& j) {
  auto written = files_.write(name, messages::dump_json(j));
  if (!written) {
    return tl::unexpected(messages::with_context(name, written.error()));
  }
  return {};
}

stored_target state_store::load_target() {
  const auto j = load("target.json");
  stored_target out;
  if (const auto& etag = member(j, "etag"); etag.is_string()) {
    out.etag = etag.get<std::string>();
  }
  out.body = member(j, "body");
  return out;
}

messages::result<void> state_store::save_target(const stored_target& target) {
  return save("target.json", {{"etag", target.etag}, {"body", target.body}});
}

json state_store::load_report() {
  return load("report.json");
}

messages::result<void> state_store::save_report(const json& report) {
  return save("report.json", report);
}

std::map<std::string, std::string> state_store::load_images() {
  return text_map(load("images.json"));
}

messages::result<void> state_store::save_images(const std::map<std::string, std::string>& images) {
  return save("images.json", images);
}

state_store::progress state_store::load_progress() {
  const auto j = load("progress.json");
  progress out;
  out.running = text_map(member(j, "running"));
  for (const auto& id : member(j, "stopped")) {
    if (id.is_string()) {
      out.stopped_by_us.insert(id.get<std::string>());
    }
  }
  const auto& releases = member(j, "releases");
  if (releases.is_object()) {
    for (const auto& [commit, services] : releases.items()) {
      out.releases[commit] = text_map(services);
    }
  }
  return out;
}

messages::result<void> state_store::save_progress(const progress& p) {
  return save(
    "progress.json",
    {{"running", p.running}, {"stopped", p.stopped_by_us}, {"releases", p.releases}});
}

std::set<std::string> state_store::load_purges() {
  std::set<std::string> out;
  const auto j = load("purge.json");
  for (const auto& app : j.is_array() ? j : json::array()) {
    if (app.is_string()) {
      out.insert(app.get<std::string>());
    }
  }
  return out;
}

messages::result<void> state_store::save_purges(const std::set<std::string>& apps) {
  return save("purge.json", apps);
}

std::string state_store::load_api_secret() {
  const auto j = load("api_secret.json");
  return j.is_string() ? j.get<std::string>() : std::string();
}

messages::result<void> state_store::save_api_secret(const std::string& secret) {
  return save("api_secret.json", secret);
}

std::string state_store::load_announced() {
  const auto j = load("announced.json");
  return j.is_string() ? j.get<std::string>() : std::string();
}

messages::result<void> state_store::save_announced(const std::string& what) {
  return save("announced.json", what);
}

}  // namespace slipway::agent
