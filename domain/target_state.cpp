#include "domain/target_state.hpp"

#include <algorithm>
#include <set>

namespace slipway::domain {
namespace {

using messages::errc;
using messages::fail;
using messages::result;
using json = nlohmann::json;
using status = result<void>;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool all_of(std::string_view text, bool (*test)(char)) {
  return std::all_of(text.begin(), text.end(), test);
}

/// The engine's rule for names of containers, networks and volumes.
bool is_engine_name(std::string_view s) {
  return !s.empty() && s.size() <= target_name_bytes_max && (is_letter(s[0]) || is_digit(s[0]))
         && all_of(s, [](char c) {
              return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
            });
}

bool is_variable_name(std::string_view s) {
  return !s.empty() && s.size() <= target_name_bytes_max && !is_digit(s[0])
         && all_of(s, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

bool is_config_name(std::string_view s) {
  return !s.empty() && s.size() <= target_name_bytes_max && !is_digit(s[0])
         && all_of(s, [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == ':'; });
}

bool is_label_name(std::string_view s) {
  return !s.empty() && s.size() <= target_name_bytes_max && all_of(s, [](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-' || c == '/';
  });
}

/// App uuids and commits go into names of containers and networks, between underscores.
bool is_hex_or_word(std::string_view s) {
  return !s.empty() && s.size() <= 64
         && all_of(s, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

/// Printable, no space: what follows goes into an HTTP path of the engine.
bool is_image(std::string_view s) {
  return !s.empty() && s.size() <= target_name_bytes_max && s[0] != '-' && s[0] != '/'
         && all_of(s, [](char c) {
              return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || c == '/'
                     || c == ':' || c == '@' || c == '[' || c == ']';
            });
}

auto fault(const std::string& path, std::string_view what) {
  return fail(errc::invalid_argument, path + ": " + std::string(what));
}

status read_id(const json& j, const std::string& path, const char* key, std::int64_t& out) {
  const auto it = j.find(key);
  if (it == j.end() || !it->is_number_integer()) {
    return fault(path + "." + key, "a number is missing");
  }
  out = it->get<std::int64_t>();
  if (out < 0) {
    return fault(path + "." + key, "negative");
  }
  return {};
}

status read_text(
  const json& j,
  const std::string& path,
  const char* key,
  bool required,
  std::string& out) {
  const auto it = j.find(key);
  if (it == j.end() || it->is_null()) {
    return required ? status(fault(path + "." + key, "missing")) : status();
  }
  if (!it->is_string() || it->get_ref<const std::string&>().size() > target_name_bytes_max) {
    return fault(path + "." + key, "not a text of at most 255 bytes");
  }
  out = it->get<std::string>();
  return {};
}

status read_map(
  const json& j,
  const std::string& path,
  const char* key,
  bool (*name_is_valid)(std::string_view),
  std::map<std::string, std::string>& out) {
  const auto it = j.find(key);
  if (it == j.end() || it->is_null()) {
    return {};
  }
  if (!it->is_object()) {
    return fault(path + "." + key, "not an object");
  }
  for (const auto& [name, value] : it->items()) {
    if (!name_is_valid(name)) {
      return fault(path + "." + key, "name not allowed: " + name.substr(0, 80));
    }
    if (!value.is_string()) {
      return fault(path + "." + key + "." + name, "not a text");
    }
    // The engine hands both on as C strings.
    if (value.get_ref<const std::string&>().find('\0') != std::string::npos) {
      return fault(path + "." + key + "." + name, "holds a zero byte");
    }
    out[name] = value.get<std::string>();
  }
  return {};
}

status read_bodies(
  const json& j,
  const std::string& path,
  const char* key,
  std::map<std::string, json>& out) {
  const auto it = j.find(key);
  if (it == j.end() || it->is_null()) {
    return {};
  }
  if (!it->is_object()) {
    return fault(path + "." + key, "not an object");
  }
  for (const auto& [name, body] : it->items()) {
    if (!is_engine_name(name)) {
      return fault(path + "." + key, "name not allowed: " + name.substr(0, 80));
    }
    if (!body.is_object() && !body.is_null()) {
      return fault(path + "." + key + "." + name, "not an object");
    }
    out[name] = body.is_null() ? json::object() : body;
  }
  return {};
}

result<target_service> read_service(const json& j, const std::string& path, std::string name) {
  target_service s;
  s.name = std::move(name);
  if (!is_engine_name(s.name)) {
    return fault(path, "service name not allowed");
  }
  if (!j.is_object()) {
    return fault(path, "not an object");
  }
  status r = read_id(j, path, "id", s.id);
  r = r ? read_id(j, path, "image_id", s.image_id) : r;
  r = r ? read_text(j, path, "image", true, s.image) : r;
  r = r ? read_map(j, path, "environment", is_variable_name, s.environment) : r;
  r = r ? read_map(j, path, "labels", is_label_name, s.labels) : r;
  if (!r) {
    return tl::unexpected(r.error());
  }
  if (!is_image(s.image)) {
    return fault(path + ".image", "not an image reference");
  }
  if (const auto it = j.find("running"); it != j.end()) {
    if (!it->is_boolean()) {
      return fault(path + ".running", "neither true nor false");
    }
    s.running = it->get<bool>();
  }
  if (const auto it = j.find("composition"); it != j.end() && !it->is_null()) {
    if (!it->is_object()) {
      return fault(path + ".composition", "not an object");
    }
    s.composition = *it;
  }
  return s;
}

/// None depends on itself, however far around: otherwise nothing would ever start. A dependency that is not in the release
/// does not count: the platform leaves out services whose profile is not active.
status check_order(const target_release& release, const std::string& path) {
  std::map<std::string, std::set<std::string>> waits;
  for (const auto& [name, service] : release.services) {
    for (const auto& on : dependencies_of(service)) {
      if (release.services.contains(on)) {
        waits[name].insert(on);
      }
    }
  }
  std::set<std::string> done;
  for (bool progress = true; progress && done.size() < release.services.size();) {
    progress = false;
    for (const auto& [name, service] : release.services) {
      const auto& on = waits[name];
      const bool ready = std::includes(done.begin(), done.end(), on.begin(), on.end());
      progress = (ready && done.insert(name).second) || progress;
    }
  }
  if (done.size() < release.services.size()) {
    return fault(path, "services depend on each other in a circle");
  }
  return {};
}

result<target_release> read_release(const json& j, const std::string& path, std::string commit) {
  target_release release;
  release.commit = std::move(commit);
  if (!is_hex_or_word(release.commit)) {
    return fault(path, "commit not allowed");
  }
  if (!j.is_object()) {
    return fault(path, "not an object");
  }
  status r = read_id(j, path, "id", release.id);
  r = r ? read_bodies(j, path, "volumes", release.volumes) : r;
  r = r ? read_bodies(j, path, "networks", release.networks) : r;
  if (!r) {
    return tl::unexpected(r.error());
  }
  const auto services = j.find("services");
  if (services == j.end() || services->is_null()) {
    return release;
  }
  if (!services->is_object() || services->size() > target_services_max) {
    return fault(path + ".services", "not an object of at most 256 services");
  }
  for (const auto& [name, body] : services->items()) {
    auto s = read_service(body, path + ".services." + name.substr(0, 80), name);
    if (!s) {
      return tl::unexpected(s.error());
    }
    release.services.emplace(name, std::move(*s));
  }
  if (auto ordered = check_order(release, path + ".services"); !ordered) {
    return tl::unexpected(ordered.error());
  }
  return release;
}

result<target_app> read_app(const json& j, const std::string& path, std::string uuid) {
  target_app app;
  app.uuid = std::move(uuid);
  if (!is_hex_or_word(app.uuid)) {
    return fault(path, "app uuid not allowed");
  }
  if (!j.is_object()) {
    return fault(path, "not an object");
  }
  status r = read_id(j, path, "id", app.id);
  r = r ? read_text(j, path, "name", false, app.name) : r;
  r = r ? read_text(j, path, "class", false, app.app_class) : r;
  if (!r) {
    return tl::unexpected(r.error());
  }
  if (const auto it = j.find("is_host"); it != j.end() && !it->is_null()) {
    if (!it->is_boolean()) {
      return fault(path + ".is_host", "neither true nor false");
    }
    app.is_host = it->get<bool>();
  }
  const auto releases = j.find("releases");
  if (releases == j.end() || releases->is_null()) {
    return app;
  }
  if (!releases->is_object() || releases->size() > 1) {
    return fault(path + ".releases", "not an object of at most one release");
  }
  for (const auto& [commit, body] : releases->items()) {
    auto release = read_release(body, path + "." + commit.substr(0, 80), commit);
    if (!release) {
      return tl::unexpected(release.error());
    }
    app.release = std::move(*release);
  }
  return app;
}

}  // namespace

result<target_state> parse_target(const json& body, std::string_view uuid) {
  if (!body.is_object()) {
    return fail(errc::invalid_argument, "target: not an object");
  }
  const auto mine = body.find(std::string(uuid));
  if (mine == body.end() || !mine->is_object()) {
    return fail(errc::invalid_argument, "target: this device is not in it");
  }
  target_state target;
  status r = read_text(*mine, "target", "name", false, target.name);
  r = r ? read_map(*mine, "target", "config", is_config_name, target.config) : r;
  if (!r) {
    return tl::unexpected(r.error());
  }
  if (target.name.find_first_of("\n\r") != std::string::npos) {
    return fail(errc::invalid_argument, "target.name: more than one line");
  }
  const auto apps = mine->find("apps");
  if (apps == mine->end() || !apps->is_object()) {
    // Absent is not empty: what is missing by accident must not stop anything.
    return fail(errc::invalid_argument, "target.apps: missing");
  }
  for (const auto& [app_uuid, app_body] : apps->items()) {
    auto app = read_app(app_body, "target.apps." + app_uuid.substr(0, 80), app_uuid);
    if (!app) {
      return tl::unexpected(app.error());
    }
    target.apps.emplace(app_uuid, std::move(*app));
  }
  return target;
}

std::vector<std::string> dependencies_of(const target_service& service) {
  std::set<std::string> names;
  if (const auto it = service.composition.find("depends_on"); it != service.composition.end()) {
    if (it->is_array()) {
      for (const auto& name : *it) {
        if (name.is_string()) {
          names.insert(name.get<std::string>());
        }
      }
    } else if (it->is_object()) {
      for (const auto& [name, condition] : it->items()) {
        names.insert(name);
      }
    }
  }
  const auto mode = service.composition.find("network_mode");
  if (mode != service.composition.end() && mode->is_string()) {
    const auto& text = mode->get_ref<const std::string&>();
    if (text.rfind("service:", 0) == 0) {
      names.insert(text.substr(8));
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace slipway::domain
