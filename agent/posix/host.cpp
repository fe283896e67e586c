#include "agent/posix/host.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <array>
#include <fstream>
#include <memory>
#include <sstream>

namespace slipway::agent {
namespace {

constexpr std::int64_t mb = 1024 * 1024;

/// Bridges and tunnels of engines and overlays: no address of theirs reaches the device from outside.
bool is_internal(std::string_view name) {
  static constexpr std::array prefixes{
    "lo",
    "docker",
    "br-",
    "veth",
    "balena",
    "resin",
    "supervisor",
    "podman",
    "cni",
    "virbr",
    "tun"};
  for (const std::string_view p : prefixes) {
    if (name.substr(0, p.size()) == p && (p != "lo" || name == "lo")) {
      return true;
    }
  }
  return false;
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string os_name() {
  std::ifstream in("/etc/os-release");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("PRETTY_NAME=", 0) == 0) {
      auto value = line.substr(12);
      if (value.size() >= 2 && value.front() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      return value;
    }
  }
  return "Linux";
}

std::string architecture() {
  utsname u{};
  ::uname(&u);
  const std::string machine = u.machine;
  if (machine == "x86_64") {
    return "amd64";
  }
  if (machine.rfind("armv7", 0) == 0) {
    return "armv7hf";
  }
  return machine.rfind("armv6", 0) == 0 ? "rpi" : machine;
}

std::string addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) {
    return {};
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(raw, ::freeifaddrs);
  std::string out;
  for (const auto* a = list.get(); a != nullptr; a = a->ifa_next) {
    if (
      a->ifa_addr == nullptr || a->ifa_addr->sa_family != AF_INET
      || (a->ifa_flags & IFF_LOOPBACK) != 0 || is_internal(a->ifa_name)) {
      continue;
    }
    char text[INET_ADDRSTRLEN] = {};
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(a->ifa_addr);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    out += (out.empty() ? "" : " ") + std::string(text);
  }
  return out;
}

std::string mac_addresses() {
  std::string out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net", ignored)) {
    if (is_internal(entry.path().filename().string())) {
      continue;
    }
    auto mac = first_line(entry.path() / "address");
    if (mac.empty() || mac == "00:00:00:00:00:00") {
      continue;
    }
    for (auto& c : mac) {
      c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    }
    out += (out.empty() ? "" : " ") + mac;
  }
  return out;
}

void read_memory(host_metrics& m) {
  std::ifstream in("/proc/meminfo");
  std::int64_t total = 0;
  std::int64_t available = 0;
  std::string name;
  std::int64_t kb = 0;
  std::string unit;
  while (in >> name >> kb && std::getline(in, unit)) {
    total = name == "MemTotal:" ? kb : total;
    available = name == "MemAvailable:" ? kb : available;
  }
  if (total > 0) {
    m.memory_total_mb = total / 1024;
    m.memory_used_mb = (total - available) / 1024;
  }
}

}  // namespace

host_facts posix_host::facts() {
  host_facts f;
  f.os_version = os_name();
  f.arch = architecture();
  f.mac_address = mac_addresses();
  f.ip_address = addresses();
  return f;
}

host_metrics posix_host::metrics() {
  host_metrics m;
  read_memory(m);
  struct statvfs s {};
  if (::statvfs(storage_.c_str(), &s) == 0) {
    const auto block = static_cast<std::int64_t>(s.f_frsize);
    m.storage_total_mb = static_cast<std::int64_t>(s.f_blocks) * block / mb;
    m.storage_used_mb = static_cast<std::int64_t>(s.f_blocks - s.f_bfree) * block / mb;
  }
  std::istringstream in(first_line("/proc/stat"));
  std::string cpu;
  in >> cpu;
  unsigned long long total = 0;
  unsigned long long idle = 0;
  unsigned long long value = 0;
  for (int i = 0; i < 8 && in >> value; ++i) {
    total += value;
    idle += i == 3 || i == 4 ? value : 0;
  }
  const auto busy = total - idle;
  // The first call has nothing to compare with.
  if (total_ > 0 && total > total_) {
    m.cpu_percent = static_cast<int>(100 * (busy - busy_) / (total - total_));
  }
  busy_ = busy;
  total_ = total;
  return m;
}

}  // namespace slipway::agent
