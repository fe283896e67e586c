#include "domain/container_spec.hpp"

#include "domain/compose_values.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace slipway::domain {
namespace {

using json = nlohmann::json;

/// One service on its way into a create body. Each `on_…` reads one compose key.
class builder {
public:
  builder(const target_service& s, const spec_context& c, std::vector<std::string>& w)
    : service_(s), context_(c), warnings_(w) {}

  container_spec build();

private:
  bool process_key(const std::string& key, const json& value);
  bool limit_key(const std::string& key, const json& value);
  bool isolation_key(const std::string& key, const json& value);
  bool network_key(const std::string& key, const json& value);

  void defaults();
  void environment();
  void labels();
  void volumes(const json& value);
  void named_volume(const std::string& source, const std::string& target, bool read_only);
  void tmpfs(const json& value);
  void ports(const json& value);
  void port(const std::string& text);
  void map_port(
    int inside,
    const std::string& protocol,
    const std::string& ip,
    const std::string& outside);
  void networks();
  json endpoint(const json& body) const;
  void devices(const json& value);
  void ulimits(const json& value);
  void healthcheck(const json& value);
  void restart(const json& value);

  void warn(const std::string& what) { warnings_.push_back(service_.name + ": " + what); }
  template <class T>
  bool put(json& where, const char* name, const std::string& key, const std::optional<T>& value) {
    if (value) {
      where[name] = *value;
    } else {
      warn(key + ": value not understood, ignored");
    }
    return true;
  }
  bool put_list(json& where, const char* name, const json& value) {
    where[name] = compose_list(value);
    return true;
  }

  const target_service& service_;
  const spec_context& context_;
  std::vector<std::string>& warnings_;
  container_spec out_;
  json body_ = json::object();
  json host_ = json::object();
};

template <class To>
std::optional<To> as(const std::optional<double>& x) {
  return x && *x >= -9e18 && *x <= 9e18 ? std::optional<To>(static_cast<To>(*x)) : std::nullopt;
}

bool builder::process_key(const std::string& key, const json& value) {
  if (key == "command") {
    return put(body_, "Cmd", key, compose_command(value));
  }
  if (key == "entrypoint") {
    return put(body_, "Entrypoint", key, compose_command(value));
  }
  if (key == "user") {
    return put(body_, "User", key, compose_text(value));
  }
  if (key == "working_dir") {
    return put(body_, "WorkingDir", key, compose_text(value));
  }
  if (key == "hostname") {
    return put(body_, "Hostname", key, compose_text(value));
  }
  if (key == "domainname") {
    return put(body_, "Domainname", key, compose_text(value));
  }
  if (key == "mac_address") {
    return put(body_, "MacAddress", key, compose_text(value));
  }
  if (key == "init") {
    return put(host_, "Init", key, compose_bool(value));
  }
  if (key == "tty") {
    return put(body_, "Tty", key, compose_bool(value));
  }
  if (key == "stdin_open") {
    return put(body_, "OpenStdin", key, compose_bool(value));
  }
  if (key == "stop_signal") {
    return put(body_, "StopSignal", key, compose_text(value));
  }
  if (key == "stop_grace_period") {
    if (const auto ns = compose_duration_ns(value)) {
      out_.service.stop_seconds =
        static_cast<int>(std::min<std::int64_t>(*ns / 1'000'000'000, 3600));
      body_["StopTimeout"] = out_.service.stop_seconds;
    } else {
      warn("stop_grace_period: value not understood, ignored");
    }
    return true;
  }
  if (key == "restart") {
    restart(value);
    return true;
  }
  if (key == "healthcheck") {
    healthcheck(value);
    return true;
  }
  // Read elsewhere, or decided before the device hears of it.
  static const std::set<std::string> elsewhere{
    "environment",
    "labels",
    "image",
    "depends_on",
    "networks",
    "network_mode",
    "running",
    "build",
    "profiles",
    "contract"};
  return elsewhere.contains(key);
}

bool builder::limit_key(const std::string& key, const json& value) {
  if (key == "mem_limit") {
    return put(host_, "Memory", key, compose_bytes(value));
  }
  if (key == "mem_reservation") {
    return put(host_, "MemoryReservation", key, compose_bytes(value));
  }
  if (key == "shm_size") {
    return put(host_, "ShmSize", key, compose_bytes(value));
  }
  if (key == "cpus") {
    const auto cpus = compose_number(value);
    return put(host_, "NanoCpus", key, as<std::int64_t>(cpus ? std::optional(*cpus * 1e9) : cpus));
  }
  if (key == "cpuset") {
    return put(host_, "CpusetCpus", key, compose_text(value));
  }
  if (key == "cpu_shares") {
    return put(host_, "CpuShares", key, as<std::int64_t>(compose_number(value)));
  }
  if (key == "cpu_quota") {
    return put(host_, "CpuQuota", key, as<std::int64_t>(compose_number(value)));
  }
  if (key == "pids_limit") {
    return put(host_, "PidsLimit", key, as<std::int64_t>(compose_number(value)));
  }
  if (key == "oom_kill_disable") {
    return put(host_, "OomKillDisable", key, compose_bool(value));
  }
  if (key == "oom_score_adj") {
    return put(host_, "OomScoreAdj", key, as<std::int64_t>(compose_number(value)));
  }
  if (key == "storage_opt") {
    host_["StorageOpt"] = compose_map(value);
    return true;
  }
  if (key == "cgroup_parent") {
    return put(host_, "CgroupParent", key, compose_text(value));
  }
  if (key == "ulimits") {
    ulimits(value);
    return true;
  }
  return false;
}

bool builder::isolation_key(const std::string& key, const json& value) {
  if (key == "privileged") {
    return put(host_, "Privileged", key, compose_bool(value));
  }
  if (key == "read_only") {
    return put(host_, "ReadonlyRootfs", key, compose_bool(value));
  }
  if (key == "cap_add") {
    return put_list(host_, "CapAdd", value);
  }
  if (key == "cap_drop") {
    return put_list(host_, "CapDrop", value);
  }
  if (key == "group_add") {
    return put_list(host_, "GroupAdd", value);
  }
  if (key == "security_opt") {
    auto options = compose_list(value);
    std::erase_if(options, [](const auto& o) { return o.rfind("label", 0) == 0; });
    host_["SecurityOpt"] = options;
    return true;
  }
  if (key == "userns_mode") {
    return put(host_, "UsernsMode", key, compose_text(value));
  }
  if (key == "ipc" || key == "pid") {
    const auto mode = compose_text(value);
    if (mode && (mode->rfind("container:", 0) == 0 || mode->rfind("service:", 0) == 0)) {
      warn(key + ": sharing with another container is not supported, ignored");
      return true;
    }
    return put(host_, key == "ipc" ? "IpcMode" : "PidMode", key, mode);
  }
  if (key == "sysctls") {
    host_["Sysctls"] = compose_map(value);
    return true;
  }
  if (key == "devices") {
    devices(value);
    return true;
  }
  if (key == "tmpfs") {
    tmpfs(value);
    return true;
  }
  if (key == "volumes") {
    volumes(value);
    return true;
  }
  return false;
}

bool builder::network_key(const std::string& key, const json& value) {
  if (key == "ports") {
    ports(value);
    return true;
  }
  if (key == "expose") {
    for (const auto& p : compose_list(value)) {
      body_["ExposedPorts"][p.find('/') == std::string::npos ? p + "/tcp" : p] = json::object();
    }
    return true;
  }
  if (key == "dns") {
    return put_list(host_, "Dns", value);
  }
  if (key == "dns_opt") {
    return put_list(host_, "DnsOptions", value);
  }
  if (key == "dns_search") {
    return put_list(host_, "DnsSearch", value);
  }
  if (key == "extra_hosts") {
    auto& hosts = host_["ExtraHosts"] = json::array();
    if (value.is_object()) {
      for (const auto& [name, address] : compose_map(value)) {
        hosts.push_back(name + ":" + address);
      }
    } else {
      hosts = compose_list(value);
    }
    return true;
  }
  return false;
}

void builder::defaults() {
  body_["Tty"] = true;
  body_["StopSignal"] = "SIGTERM";
  host_["IpcMode"] = "shareable";
  host_["ShmSize"] = 64 << 20;
  host_["RestartPolicy"] = {{"Name", "always"}, {"MaximumRetryCount", 0}};
}

void builder::restart(const json& value) {
  const auto text =
    compose_bool(value) == false ? std::string("no") : compose_text(value).value_or("");
  const auto colon = text.find(':');
  const auto policy = text.substr(0, colon);
  int count = 0;
  if (colon != std::string::npos) {
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), count);
  }
  if (policy == "no" || policy == "unless-stopped" || policy == "on-failure") {
    host_["RestartPolicy"] = {
      {"Name", policy},
      {"MaximumRetryCount", policy == "on-failure" ? std::max(count, 0) : 0}};
  } else if (policy != "always") {
    warn("restart: not a policy, taken as always");
  }
}

void builder::healthcheck(const json& value) {
  if (!value.is_object()) {
    warn("healthcheck: value not understood, ignored");
    return;
  }
  json out = json::object();
  for (const auto& [key, item] : value.items()) {
    if (key == "test") {
      out["Test"] = item.is_string() ? json{"CMD-SHELL", item} : json(compose_list(item));
    } else if (key == "disable") {
      if (compose_bool(item).value_or(false)) {
        out["Test"] = {"NONE"};
      }
    } else if (key == "interval") {
      put(out, "Interval", key, compose_duration_ns(item));
    } else if (key == "timeout") {
      put(out, "Timeout", key, compose_duration_ns(item));
    } else if (key == "start_period") {
      put(out, "StartPeriod", key, compose_duration_ns(item));
    } else if (key == "retries") {
      put(out, "Retries", key, as<std::int64_t>(compose_number(item)));
    } else {
      warn("healthcheck." + key + ": not supported, ignored");
    }
  }
  body_["Healthcheck"] = out;
}

void builder::ulimits(const json& value) {
  auto& out = host_["Ulimits"] = json::array();
  if (!value.is_object()) {
    warn("ulimits: value not understood, ignored");
    return;
  }
  for (const auto& [name, item] : value.items()) {
    const auto both = as<std::int64_t>(compose_number(item));
    const auto part = [&](const char* which) {
      return item.is_object() && item.contains(which)
               ? as<std::int64_t>(compose_number(item[which]))
               : both;
    };
    const auto soft = part("soft");
    const auto hard = part("hard");
    if (soft && hard) {
      out.push_back({{"Name", name}, {"Soft", *soft}, {"Hard", *hard}});
    } else {
      warn("ulimits." + name + ": value not understood, ignored");
    }
  }
}

void builder::devices(const json& value) {
  auto& out = host_["Devices"] = json::array();
  for (const auto& text : compose_list(value)) {
    const auto first = text.find(':');
    const auto second = first == std::string::npos ? first : text.find(':', first + 1);
    const auto host = text.substr(0, first);
    const auto inside =
      first == std::string::npos ? host : text.substr(first + 1, second - first - 1);
    out.push_back(
      {{"PathOnHost", host},
       {"PathInContainer", inside},
       {"CgroupPermissions", second == std::string::npos ? "rwm" : text.substr(second + 1)}});
  }
}

void builder::tmpfs(const json& value) {
  for (const auto& text : compose_list(value)) {
    const auto colon = text.find(':');
    host_["Tmpfs"][text.substr(0, colon)] =
      colon == std::string::npos ? "" : text.substr(colon + 1);
  }
}

void builder::named_volume(const std::string& source, const std::string& target, bool read_only) {
  if (target.empty() || target[0] != '/' || target.find(':') != std::string::npos) {
    warn("volumes: not an absolute path in the container: " + target);
    return;
  }
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-' || c == '.';
  };
  // A path is a host bind mount, which only feature labels may give.
  if (source[0] == '.' || !std::all_of(source.begin(), source.end(), letter)) {
    warn("volumes: host bind mounts are refused: " + source);
    return;
  }
  out_.volumes.push_back(source);
  host_["Binds"].push_back(
    context_.volume_name(context_.app, source, context_.device.uuid) + ":" + target
    + (read_only ? ":ro" : ":rw"));
}

void builder::volumes(const json& value) {
  if (!value.is_array()) {
    warn("volumes: value not understood, ignored");
    return;
  }
  for (const auto& item : value) {
    if (item.is_string()) {
      const auto& text = item.get_ref<const std::string&>();
      const auto first = text.find(':');
      if (first == std::string::npos) {
        body_["Volumes"][text] = json::object();  // anonymous: lives and dies with the container
        continue;
      }
      const auto second = text.find(':', first + 1);
      const auto mode = second == std::string::npos ? "" : text.substr(second + 1);
      if (first == 0) {
        warn("volumes: no source: " + text);
        continue;
      }
      named_volume(
        text.substr(0, first),
        text.substr(first + 1, second == std::string::npos ? second : second - first - 1),
        mode.rfind("ro", 0) == 0);
      continue;
    }
    const auto get = [&](const char* key) {
      return item.is_object() && item.contains(key) ? compose_text(item[key]).value_or("") : "";
    };
    const auto type = get("type");
    const auto target = get("target");
    if (type == "tmpfs") {
      const auto size =
        item.contains("tmpfs") && item["tmpfs"].is_object() && item["tmpfs"].contains("size")
          ? compose_bytes(item["tmpfs"]["size"])
          : std::nullopt;
      host_["Tmpfs"][target] = size ? "size=" + std::to_string(*size) : "";
    } else if (type == "volume" && get("source").empty()) {
      body_["Volumes"][target] = json::object();
    } else if (type == "volume") {
      named_volume(get("source"), target, get("read_only") == "true");
    } else {
      warn("volumes: type refused: " + (type.empty() ? std::string("none") : type));
    }
  }
}

void builder::map_port(
  int inside,
  const std::string& protocol,
  const std::string& ip,
  const std::string& outside) {
  const auto key = std::to_string(inside) + "/" + protocol;
  body_["ExposedPorts"][key] = json::object();
  host_["PortBindings"][key].push_back({{"HostIp", ip}, {"HostPort", outside}});
}

/// `first` and `last` of `"80"` or `"80-85"`.
bool read_range(const std::string& text, int& first, int& last) {
  const auto read = [](std::string_view t, int& n) {
    const auto [end, problem] = std::from_chars(t.data(), t.data() + t.size(), n);
    return problem == std::errc{} && end == t.data() + t.size() && n > 0 && n <= 65535;
  };
  const auto dash = text.find('-');
  if (dash == std::string::npos) {
    return read(text, first) && read(text, last);
  }
  return read(text.substr(0, dash), first) && read(text.substr(dash + 1), last) && first <= last;
}

void builder::port(const std::string& whole) {
  auto text = whole;
  std::string protocol = "tcp";
  if (const auto slash = text.find('/'); slash != std::string::npos) {
    protocol = text.substr(slash + 1);
    text.resize(slash);
  }
  const auto last_colon = text.rfind(':');
  const auto inside = last_colon == std::string::npos ? text : text.substr(last_colon + 1);
  auto outside = last_colon == std::string::npos ? "" : text.substr(0, last_colon);
  std::string ip;
  if (const auto colon = outside.rfind(':'); colon != std::string::npos) {
    ip = outside.substr(0, colon);
    outside = outside.substr(colon + 1);
    if (ip.size() > 2 && ip.front() == '[') {
      ip = ip.substr(1, ip.size() - 2);
    }
  }
  int in_first = 0;
  int in_last = 0;
  int out_first = 0;
  int out_last = 0;
  const bool fixed = !outside.empty();
  if (
    !read_range(inside, in_first, in_last)
    || (fixed && (!read_range(outside, out_first, out_last) || out_last - out_first != in_last - in_first))
    || (protocol != "tcp" && protocol != "udp" && protocol != "sctp")) {
    warn("ports: not understood, ignored: " + whole);
    return;
  }
  for (int i = 0; i <= in_last - in_first; ++i) {
    map_port(in_first + i, protocol, ip, fixed ? std::to_string(out_first + i) : "");
  }
}

void builder::ports(const json& value) {
  if (!value.is_array()) {
    warn("ports: value not understood, ignored");
    return;
  }
  for (const auto& item : value) {
    if (!item.is_object()) {
      port(compose_text(item).value_or(""));
      continue;
    }
    const auto get = [&](const char* key) {
      return item.contains(key) ? compose_text(item[key]).value_or("") : std::string();
    };
    const auto ip = get("host_ip");
    const auto published = get("published");
    const auto protocol = get("protocol");
    port(
      (ip.empty() ? "" : ip + ":") + (published.empty() && ip.empty() ? "" : published + ":")
      + get("target") + "/" + (protocol.empty() ? "tcp" : protocol));
  }
}

json builder::endpoint(const json& body) const {
  json aliases = json::array({service_.name});
  json ipam = json::object();
  if (body.is_object()) {
    if (body.contains("aliases")) {
      for (auto& alias : compose_list(body["aliases"])) {
        aliases.push_back(std::move(alias));
      }
    }
    if (body.contains("ipv4_address")) {
      ipam["IPv4Address"] = compose_text(body["ipv4_address"]).value_or("");
    }
    if (body.contains("ipv6_address")) {
      ipam["IPv6Address"] = compose_text(body["ipv6_address"]).value_or("");
    }
    if (body.contains("link_local_ips")) {
      ipam["LinkLocalIPs"] = compose_list(body["link_local_ips"]);
    }
  }
  json out = {{"Aliases", aliases}};
  if (!ipam.empty()) {
    out["IPAMConfig"] = ipam;
  }
  return out;
}

void builder::networks() {
  const auto& composition = service_.composition;
  const auto mode = composition.contains("network_mode")
                      ? compose_text(composition["network_mode"]).value_or("")
                      : std::string();
  if (mode == "host" || mode == "none" || mode == "bridge") {
    host_["NetworkMode"] = mode;
    if (mode == "host") {
      // The engine refuses these together with the host's network.
      host_.erase("PortBindings");
      body_.erase("ExposedPorts");
      body_.erase("Hostname");
    }
    return;
  }
  if (mode.rfind("service:", 0) == 0) {
    out_.service.shares_network_of = mode.substr(8);
    host_["NetworkMode"] = mode;
    host_.erase("PortBindings");
    body_.erase("ExposedPorts");
    body_.erase("Hostname");
    return;
  }
  if (!mode.empty()) {
    warn("network_mode: not supported, default network used: " + mode);
  }
  std::map<std::string, json> joined;
  const auto it = composition.find("networks");
  if (it != composition.end() && it->is_object()) {
    for (const auto& [name, body] : it->items()) {
      joined[name] = body;
    }
  } else if (it != composition.end()) {
    for (const auto& name : compose_list(*it)) {
      joined[name] = json::object();
    }
  }
  if (joined.empty()) {
    joined["default"] = json::object();
  }
  for (const auto& [name, body] : joined) {
    out_.networks.push_back(name);
    out_.service.networks.push_back(
      {context_.network_name(context_.app, name, context_.device.uuid), endpoint(body)});
  }
  // The create call takes one network; the others are joined before the start.
  const auto& first = out_.service.networks.front();
  host_["NetworkMode"] = first.network;
  body_["NetworkingConfig"] = {{"EndpointsConfig", {{first.network, first.config}}}};
}

void builder::labels() {
  auto all = service_.composition.contains("labels") ? compose_map(service_.composition["labels"])
                                                     : std::map<std::string, std::string>{};
  for (const auto& [name, value] : service_.labels) {
    all[name] = value;
  }
  all[label_supervised] = "true";
  all[label_device] = context_.device.uuid;
  all[label_app_id] = std::to_string(context_.app.id);
  all[label_app_uuid] = context_.app.uuid;
  all[label_service_id] = std::to_string(service_.id);
  all[label_service_name] = service_.name;
  body_["Labels"] = all;
}

void builder::environment() {
  auto all = service_.composition.contains("environment")
               ? compose_map(service_.composition["environment"])
               : std::map<std::string, std::string>{};
  for (const auto& [name, value] : service_.environment) {
    all[name] = value;
  }
  const std::pair<const char*, std::string> injected[] = {
    {"APP_ID", std::to_string(context_.app.id)},
    {"APP_UUID", context_.app.uuid},
    {"SERVICE_NAME", service_.name},
    {"DEVICE_UUID", context_.device.uuid},
    {"DEVICE_TYPE", context_.device.device_type},
    {"DEVICE_ARCH", context_.device.device_arch},
    {"HOST_OS_VERSION", context_.device.os_version}};
  for (const auto& [name, value] : injected) {
    all[std::string("BALENA_") + name] = value;
    all[std::string("RESIN_") + name] = value;
  }
  all["BALENA"] = all["RESIN"] = "1";
  auto& list = body_["Env"] = json::array();
  for (const auto& [name, value] : all) {
    list.push_back(name + "=" + value);
  }
}

container_spec builder::build() {
  defaults();
  for (const auto& [key, value] : service_.composition.items()) {
    if (value.is_null()) {
      continue;
    }
    if (
      !process_key(key, value) && !limit_key(key, value) && !isolation_key(key, value)
      && !network_key(key, value)) {
      warn(key + ": not supported, ignored");
    }
  }
  networks();
  labels();
  environment();
  body_["HostConfig"] = host_;

  auto& s = out_.service;
  s.service = service_.name;
  s.image_id = service_.image_id;
  s.image = service_.image;
  s.image_key = image_key_of(service_.image, context_.device.hash);
  s.running = service_.running;
  s.after = dependencies_of(service_);

  // The hash covers all that makes a container what it is, and nothing that the engine adds. What is appended after it
  // (names, which may change without a restart) is not covered.
  json hashed = {{"body", body_}, {"image", s.image_key}, {"networks", json::array()}};
  for (const auto& n : s.networks) {
    hashed["networks"].push_back({n.network, n.config});
  }
  s.config_hash = context_.device.hash(hashed.dump(-1, ' ', false, json::error_handler_t::replace));
  body_["Labels"][label_config] = s.config_hash;
  for (const char* prefix : {"BALENA_", "RESIN_"}) {
    body_["Env"].push_back(std::string(prefix) + "APP_NAME=" + context_.app.name);
    body_["Env"].push_back(
      std::string(prefix) + "DEVICE_NAME_AT_INIT=" + context_.device.name_at_init);
  }
  s.body = std::move(body_);
  return std::move(out_);
}

}  // namespace

container_spec make_spec(
  const target_service& service,
  const spec_context& context,
  std::vector<std::string>& warnings) {
  return builder(service, context, warnings).build();
}

}  // namespace slipway::domain
