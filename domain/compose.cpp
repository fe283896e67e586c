#include "domain/compose.hpp"

#include "domain/yaml_tree.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace slipway::domain {

using messages::errc;
using nlohmann::json;

namespace {

constexpr std::size_t faults_max = 20;

/// Keys that pass to devices as they are, once `check_service` has looked at those with rules.
constexpr std::array plain_keys{
  "cap_add",
  "cap_drop",
  "cgroup_parent",
  "command",
  "cpu_quota",
  "cpu_shares",
  "cpus",
  "cpuset",
  "depends_on",  // looked at once all services are known
  "devices",
  "dns",
  "dns_opt",
  "dns_search",
  "domainname",
  "entrypoint",
  "extra_hosts",
  "group_add",
  "healthcheck",
  "hostname",
  "init",
  "ipc",
  "mac_address",
  "mem_limit",
  "mem_reservation",
  "oom_kill_disable",
  "oom_score_adj",
  "pid",
  "pids_limit",
  "privileged",
  "read_only",
  "restart",
  "running",
  "security_opt",
  "shm_size",
  "stop_grace_period",
  "stop_signal",
  "storage_opt",
  "sysctls",
  "tmpfs",
  "tty",
  "ulimits",
  "user",
  "userns_mode",
  "working_dir",
};

/// Keys whose absence would change what runs: leaving them out silently would be worse than refusing.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> refused_keys{{
  {"env_file", "write the variables under environment, or set them with `slipway env set`"},
  {"extends", "write the service out, or use a YAML anchor"},
  {"volumes_from", "share a named volume instead"},
  {"external_links", "services reach each other by name"},
  {"secrets", "use variables of the fleet, set with `slipway env set`"},
}};

bool is_map(const yaml_node& n) {
  return n.type == yaml_node::kind::map;
}
bool is_list(const yaml_node& n) {
  return n.type == yaml_node::kind::list;
}
bool is_scalar(const yaml_node& n) {
  return n.type == yaml_node::kind::scalar;
}

bool looks_like_host_path(std::string_view source) {
  return source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
}

class reader {
public:
  explicit reader(std::string_view file) : file_(file) {}

  messages::result<composition> read(const yaml_node& root) {
    if (!is_map(root)) {
      fault(root, "a compose file is a map with the key services");
      return done();
    }
    read_version(root);
    const auto* services = root.find("services");
    if (services == nullptr || !is_map(*services) || services->members.empty()) {
      fault(services != nullptr ? *services : root, "the file names no services");
      return done();
    }
    out_.json["networks"] = declared(root, "networks");
    out_.json["volumes"] = declared(root, "volumes");
    if (services->members.size() > compose_services_max) {
      fault(*services, "more than 64 services");
      return done();
    }
    out_.json["services"] = json::object();
    for (const auto& [name, body] : services->members) {
      read_service(name, body);
    }
    check_order(*services);
    warn_of_top_level(root);
    return done();
  }

private:
  // Faults and warnings.

  std::string at(const yaml_node& n) const {
    return std::string(file_) + ":" + std::to_string(n.line) + ": ";
  }
  std::string context() const {
    return service_.empty() ? std::string{} : "service \"" + service_ + "\": ";
  }
  void fault(const yaml_node& n, const std::string& what) {
    if (faults_.size() < faults_max) {
      faults_.push_back(at(n) + context() + what);
    }
  }
  void warn(const yaml_node& n, const std::string& what) {
    if (out_.warnings.size() < faults_max) {
      out_.warnings.push_back(at(n) + context() + what);
    }
  }
  messages::result<composition> done() {
    if (faults_.empty()) {
      return std::move(out_);
    }
    std::string all;
    for (const auto& f : faults_) {
      all += (all.empty() ? "" : "\n") + f;
    }
    return messages::fail(errc::invalid_argument, std::move(all));
  }

  // Top level.

  void read_version(const yaml_node& root) {
    const auto* version = root.find("version");
    if (version == nullptr) {
      out_.json["version"] = "2.4";
      return;
    }
    if (
      !is_scalar(*version) || !(version->text.starts_with('2') || version->text.starts_with('3'))
      || version->text.size() > 4) {
      fault(*version, "version must be 2.x or 3.x");
      return;
    }
    out_.json["version"] = version->text;
  }

  json declared(const yaml_node& root, const std::string& what) {
    auto all = json::object();
    const auto* node = root.find(what);
    if (node == nullptr || node->is_null()) {
      return all;
    }
    if (!is_map(*node)) {
      fault(*node, what + " must be a map");
      return all;
    }
    for (const auto& [name, body] : node->members) {
      if (!valid_service_name(name)) {
        fault(body, "\"" + name + "\" is not a name for one of the " + what);
      } else if (is_map(body)) {
        const auto* external = body.find("external");
        if (external != nullptr && external->scalar != false) {
          fault(*external, "external " + what + " do not exist on devices");
        }
        all[name] = to_json(body);
      } else if (body.is_null()) {
        all[name] = json::object();
      } else {
        fault(body, "\"" + name + "\" must be a map or empty");
      }
    }
    return all;
  }

  void warn_of_top_level(const yaml_node& root) {
    static const std::set<std::string_view> known{"version", "services", "networks", "volumes"};
    for (const auto& [key, value] : root.members) {
      if (!known.contains(key) && !key.starts_with("x-")) {
        warn(value, "\"" + key + "\" is not supported and left out");
      }
    }
  }

  // One service.

  void read_service(const std::string& name, const yaml_node& body) {
    service_ = name;
    if (!valid_service_name(name)) {
      service_.clear();
      fault(body, "\"" + name + "\" is not a service name: letters, digits, _ . -, 63 at most");
    } else if (!is_map(body)) {
      fault(body, "must be a map");
    } else {
      compose_service service;
      service.name = name;
      service.line = body.line;
      auto to = json::object();
      for (const auto& [key, value] : body.members) {
        read_key(service, to, key, value);
      }
      if (!service.build && service.image.empty()) {
        fault(body, "needs build or image");
      }
      if (service.build) {
        to.erase("image");  // the tag that a local build would get means nothing on a device
      }
      out_.json["services"][name] = std::move(to);
      out_.services.push_back(std::move(service));
    }
    service_.clear();
  }

  void
  read_key(compose_service& service, json& to, const std::string& key, const yaml_node& value) {
    if (key == "build") {
      read_build(service, to, value);
    } else if (key == "image") {
      if (!is_scalar(value) || value.text.empty() || value.text.find(' ') != std::string::npos) {
        fault(value, "image must be a reference such as debian:12");
        return;
      }
      service.image = value.text;
      to["image"] = value.text;
    } else if (key == "environment") {
      to[key] = read_pairs(value, key);
    } else if (key == "labels") {
      to[key] = read_pairs(value, key);
      for (const auto& [label, text] : to[key].items()) {
        service.labels.emplace_back(label, text.get<std::string>());
      }
    } else if (key == "volumes") {
      to[key] = read_volumes(value);
    } else if (key == "networks") {
      read_networks(value);
      to[key] = to_json(value);
    } else if (key == "network_mode") {
      if (value.text.starts_with("container:")) {
        fault(value, "network_mode container: is not supported");
      }
      to[key] = to_json(value);
    } else if (key == "ports" || key == "expose") {
      to[key] = read_ports(value, key);
    } else if (std::find(plain_keys.begin(), plain_keys.end(), key) != plain_keys.end()) {
      to[key] = to_json(value);
    } else {
      unknown_key(key, value);
    }
  }

  void unknown_key(const std::string& key, const yaml_node& value) {
    const auto* refusal =
      std::find_if(refused_keys.begin(), refused_keys.end(), [&](const auto& r) {
        return r.first == key;
      });
    if (refusal != refused_keys.end()) {
      fault(value, key + " is not supported: " + std::string(refusal->second));
    } else if (!key.starts_with("x-")) {
      warn(value, "\"" + key + "\" is not supported and left out");
    }
  }

  void read_build(compose_service& service, json& to, const yaml_node& value) {
    compose_build build;
    if (is_scalar(value)) {
      build.context = value.text;
    } else if (is_map(value)) {
      for (const auto& [key, part] : value.members) {
        read_build_key(build, key, part);
      }
    } else {
      fault(value, "build must be a path or a map");
      return;
    }
    if (!inside_project(build.context)) {
      fault(value, "the build context must be a folder inside the project");
    }
    if (!build.dockerfile.empty() && !inside_project(build.dockerfile)) {
      fault(value, "dockerfile must be a path inside the build context");
    }
    to["build"] = json{{"context", build.context}};
    if (!build.dockerfile.empty()) {
      to["build"]["dockerfile"] = build.dockerfile;
    }
    if (!build.target.empty()) {
      to["build"]["target"] = build.target;
    }
    for (const auto& [name, text] : build.args) {
      to["build"]["args"][name] = text;
    }
    service.build = std::move(build);
  }

  void read_build_key(compose_build& build, const std::string& key, const yaml_node& value) {
    if (key == "args") {
      const auto pairs = read_pairs(value, "args");
      for (const auto& [name, text] : pairs.items()) {
        build.args.emplace_back(name, text.get<std::string>());
      }
      return;
    }
    auto* text = key == "context"      ? &build.context
                 : key == "dockerfile" ? &build.dockerfile
                 : key == "target"     ? &build.target
                                       : nullptr;
    if (key.starts_with("x-")) {
      return;
    }
    if (text == nullptr) {
      warn(value, "build: \"" + key + "\" is not supported and left out");
    } else if (!is_scalar(value) || value.text.empty()) {
      fault(value, "build: " + key + " must be text");
    } else {
      *text = value.text;
    }
  }

  /// `KEY=value` lists and maps alike; every value becomes text.
  json read_pairs(const yaml_node& value, const std::string& what) {
    auto all = json::object();
    const auto add = [&](const yaml_node& where, const std::string& name, std::string text) {
      if (name.empty()) {
        fault(where, what + ": a name is missing");
      } else {
        all[name] = std::move(text);
      }
    };
    if (is_list(value)) {
      for (const auto& item : value.items) {
        if (!is_scalar(item)) {
          fault(item, what + ": each line is NAME=value");
          continue;
        }
        const auto equals = item.text.find('=');
        add(
          item,
          item.text.substr(0, equals),
          equals == std::string::npos ? std::string{} : item.text.substr(equals + 1));
      }
    } else if (is_map(value)) {
      for (const auto& [name, text] : value.members) {
        if (!is_scalar(text)) {
          fault(text, what + ": " + name + " must be text");
          continue;
        }
        add(text, name, text.is_null() ? std::string{} : text.text);
      }
    } else if (!value.is_null()) {
      fault(value, what + " must be a map or a list");
    }
    return all;
  }

  json read_volumes(const yaml_node& value) {
    auto all = json::array();
    if (!is_list(value)) {
      fault(value, "volumes must be a list");
      return all;
    }
    for (const auto& item : value.items) {
      if (is_map(item) ? good_long_volume(item) : good_short_volume(item)) {
        all.push_back(to_json(item));
      }
    }
    return all;
  }

  bool good_short_volume(const yaml_node& item) {
    if (!is_scalar(item) || item.text.empty()) {
      fault(item, "a volume is name:/path");
      return false;
    }
    const auto colon = item.text.find(':');
    if (colon == std::string::npos) {
      if (item.text.front() != '/') {
        fault(item, "a volume is name:/path");
        return false;
      }
      return true;  // anonymous: lives as long as the container
    }
    auto target = item.text.substr(colon + 1);
    if (const auto mode = target.find(':'); mode != std::string::npos) {
      target.resize(mode);
    }
    return good_volume(item, item.text.substr(0, colon), target);
  }

  bool good_long_volume(const yaml_node& item) {
    const auto text = [&](const char* key) {
      const auto* n = item.find(key);
      return n != nullptr && is_scalar(*n) ? n->text : std::string{};
    };
    const auto type = text("type");
    if (type == "tmpfs") {
      return true;
    }
    if (type == "bind") {
      return good_volume(item, "/", text("target"));
    }
    if (type != "volume" && !type.empty()) {
      fault(item, "volumes of type \"" + type + "\" are not supported");
      return false;
    }
    return text("source").empty() ? text("target").starts_with('/')
                                  : good_volume(item, text("source"), text("target"));
  }

  bool good_volume(const yaml_node& item, const std::string& source, const std::string& target) {
    if (looks_like_host_path(source)) {
      fault(
        item,
        "host bind mounts are not supported: use a named volume, or a label "
        "io.balena.features.* for what belongs to the system");
      return false;
    }
    if (!out_.json["volumes"].contains(source)) {
      fault(item, "the volume \"" + source + "\" is not declared under the top-level volumes");
      return false;
    }
    if (!target.starts_with('/')) {
      fault(item, "a volume is mounted at an absolute path");
      return false;
    }
    return true;
  }

  void read_networks(const yaml_node& value) {
    const auto check = [&](const yaml_node& where, const std::string& name) {
      if (name != "default" && !out_.json["networks"].contains(name)) {
        fault(where, "the network \"" + name + "\" is not declared under the top-level networks");
      }
    };
    if (is_list(value)) {
      for (const auto& item : value.items) {
        check(item, item.text);
      }
    } else if (is_map(value)) {
      for (const auto& [name, body] : value.members) {
        check(body, name);
      }
    } else {
      fault(value, "networks must be a list or a map");
    }
  }

  json read_ports(const yaml_node& value, const std::string& key) {
    auto all = json::array();
    if (!is_list(value)) {
      fault(value, key + " must be a list");
      return all;
    }
    for (const auto& item : value.items) {
      if (is_map(item)) {
        if (item.find("target") == nullptr) {
          fault(item, key + ": target is missing");
        }
        all.push_back(to_json(item));
      } else if (
        item.text.empty()
        || item.text.find_first_not_of("0123456789.:-/[]abcdefABCDEFtupsch") != std::string::npos) {
        fault(item, key + ": \"" + item.text + "\" is not a port such as 80:8080/tcp");
      } else {
        all.push_back(item.text);  // always text: 80:80 is a number to some YAML readers
      }
    }
    return all;
  }

  // Start order.

  void check_order(const yaml_node& services) {
    std::map<std::string, std::vector<std::string>> needs;
    for (const auto& [name, body] : services.members) {
      const auto* order = is_map(body) ? body.find("depends_on") : nullptr;
      if (order == nullptr) {
        continue;
      }
      service_ = name;
      std::vector<std::string> others;
      if (is_list(*order)) {
        for (const auto& item : order->items) {
          others.push_back(item.text);
        }
      } else {
        for (const auto& member : order->members) {
          others.push_back(member.key);
        }
      }
      for (const auto& other : others) {
        if (services.find(other) == nullptr) {
          fault(*order, "depends on \"" + other + "\", which is not a service");
        }
      }
      needs[name] = std::move(others);
    }
    service_.clear();
    if (const auto name = first_in_cycle(needs); !name.empty()) {
      fault(services, "depends_on goes round in a circle at \"" + name + "\"");
    }
  }

  /// Takes away services that need nothing, until none is left or all that are left wait for one another.
  static std::string first_in_cycle(std::map<std::string, std::vector<std::string>> needs) {
    bool progress = true;
    while (progress) {
      progress = false;
      for (auto it = needs.begin(); it != needs.end();) {
        const bool waits = std::any_of(it->second.begin(), it->second.end(), [&](const auto& n) {
          return needs.contains(n);
        });
        progress = progress || !waits;
        it = waits ? std::next(it) : needs.erase(it);
      }
    }
    return needs.empty() ? std::string{} : needs.begin()->first;
  }

  std::string_view file_;
  std::string service_;  ///< being read
  composition out_;
  std::vector<std::string> faults_;
};

}  // namespace

bool inside_project(std::string_view path) {
  if (
    path.empty() || path.front() == '/' || path.front() == '~'
    || path.find("://") != std::string_view::npos || path.find('\\') != std::string_view::npos) {
    return false;
  }
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") {
      return false;
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return true;
}

bool valid_service_name(std::string_view name) {
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= service_name_characters_max
         && letter_or_digit(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
              return letter_or_digit(c) || c == '_' || c == '.' || c == '-';
            });
}

messages::result<composition> parse_compose(std::string_view text, std::string_view file) {
  const auto root = parse_yaml(text, file);
  if (!root) {
    return tl::unexpected(root.error());
  }
  auto out = reader(file).read(*root);
  if (out && text.find("${") != std::string_view::npos) {
    out->warnings.push_back(
      std::string(file) + ": ${...} reaches devices as written: variables are not substituted");
  }
  return out;
}

composition default_composition() {
  composition c;
  auto labels = json::object();
  compose_service service;
  service.name = "main";
  service.build = compose_build{};
  for (const auto* feature :
       {"kernel-modules", "firmware", "dbus", "supervisor-api", "resin-api"}) {
    const auto label = std::string("io.resin.features.") + feature;
    labels[label] = "1";
    service.labels.emplace_back(label, "1");
  }
  c.json = {
    {"version", "2.1"},
    {"networks", json::object()},
    {"volumes", {{"resin-data", json::object()}}},
    {"services",
     {{"main",
       {{"build", {{"context", "."}}},
        {"privileged", true},
        {"tty", true},
        {"restart", "always"},
        {"network_mode", "host"},
        {"volumes", json::array({"resin-data:/data"})},
        {"labels", std::move(labels)}}}}},
  };
  c.services.push_back(std::move(service));
  return c;
}

}  // namespace slipway::domain
