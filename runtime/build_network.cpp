#include "runtime/build_network.hpp"

#include "runtime/child_process.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr const char* host_chain = "SLIPWAY-BUILD-IN";
constexpr const char* forward_chain = "SLIPWAY-BUILD-OUT";
/// Where the engine lets others filter before it does.
constexpr const char* engine_chain = "DOCKER-USER";
constexpr const char* reject = " -j REJECT --reject-with icmp-admin-prohibited\n";

const std::string bridges = std::string(build_bridge_prefix) + "+";

result<child_outcome> iptables(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"-w", "5"});
  return run_child("iptables", arguments, "");
}

/// Sends what comes from build bridges into a chain of ours, first of all.
result<void> jump(const char* from, const char* to) {
  const auto there = iptables({"-C", from, "-i", bridges, "-j", to});
  if (!there) {
    return tl::unexpected(there.error());
  }
  if (there->status == 0) {
    return {};
  }
  const auto made = iptables({"-I", from, "1", "-i", bridges, "-j", to});
  if (!made) {
    return tl::unexpected(made.error());
  }
  return made->status == 0 ? result<void>{}
                           : fail(errc::io_failed, std::string(from) + ": " + made->output);
}

}  // namespace

std::string build_network_rules(const std::vector<std::string>& blocked) {
  std::string out = "*filter\n";
  // A chain that is declared is emptied, in the same step as it is filled.
  out += std::string(":") + host_chain + " - [0:0]\n:" + forward_chain + " - [0:0]\n";
  out += std::string("-A ") + host_chain + reject;
  const auto forward = std::string("-A ") + forward_chain;
  out += forward + " -o " + bridges + reject;
  // Some clouds have their nameserver where they keep credentials, on its own port (ADR 88).
  for (const auto* protocol : {"udp", "tcp"}) {
    out += forward + " -d 169.254.0.0/16 -p " + protocol + " --dport 53 -j RETURN\n";
  }
  out += forward + " -d 169.254.0.0/16" + reject;
  for (const auto& address : blocked) {
    out += forward + " -d " + address + "/32" + reject;
  }
  return out + "COMMIT\n";
}

result<void> guard_build_networks(const std::vector<std::string>& blocked) {
  if (::geteuid() != 0) {
    return fail(errc::forbidden, "firewall rules take root");
  }
  const auto engine = iptables({"-S", engine_chain});
  if (!engine) {
    return tl::unexpected(messages::with_context("iptables", engine.error()));
  }
  if (engine->status != 0) {
    return fail(
      errc::unavailable,
      std::string("the firewall has no chain ") + engine_chain
        + ": the engine keeps none, so networks are not apart");
  }
  const auto filled =
    run_child("iptables-restore", {"-w", "5", "-n"}, build_network_rules(blocked));
  if (!filled) {
    return tl::unexpected(messages::with_context("iptables-restore", filled.error()));
  }
  if (filled->status != 0) {
    return fail(errc::io_failed, "iptables-restore: " + filled->output);
  }
  if (auto done = jump("INPUT", host_chain); !done) {
    return done;
  }
  return jump(engine_chain, forward_chain);
}

result<std::vector<std::string>> addresses_of_endpoint(const std::string& endpoint) {
  constexpr std::string_view scheme = "tcp://";
  const auto colon = endpoint.rfind(':');
  if (!endpoint.starts_with(scheme) || colon < scheme.size()) {
    return fail(errc::invalid_argument, "no address: " + endpoint);
  }
  const auto host = endpoint.substr(scheme.size(), colon - scheme.size());
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const bool is_ipv6 = host.starts_with('[');
  const int code = is_ipv6 ? EAI_ADDRFAMILY : ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code != 0 && code != EAI_NODATA && code != EAI_ADDRFAMILY) {
    return fail(errc::unavailable, host + ": " + ::gai_strerror(code));
  }
  std::vector<std::string> out;
  for (const auto* a = found; a != nullptr; a = a->ai_next) {
    const auto& in = reinterpret_cast<const sockaddr_in*>(a->ai_addr)->sin_addr;
    char text[INET_ADDRSTRLEN] = {};
    const bool loopback = (ntohl(in.s_addr) >> 24U) == 127;
    if (!loopback && ::inet_ntop(AF_INET, &in, text, sizeof text) != nullptr) {
      out.emplace_back(text);
    }
  }
  if (found != nullptr) {
    ::freeaddrinfo(found);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace slipway::runtime
