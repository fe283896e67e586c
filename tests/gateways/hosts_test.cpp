#include "gateways/hosts.hpp"

#include <catch2/catch.hpp>

using namespace slipway::gateways;

namespace {

host_service service(std::string_view host) {
  return find_host(host, "slipway.test").service;
}

}  // namespace

TEST_CASE("each host of a domain has its service") {
  CHECK(service("api.slipway.test") == host_service::api);
  CHECK(service("dashboard.slipway.test") == host_service::api);
  CHECK(service("logs.slipway.test") == host_service::api);
  CHECK(service("slipway.test") == host_service::api);
  CHECK(service("registry2.slipway.test") == host_service::registry);
  CHECK(service("data.slipway.test") == host_service::analytics);
  CHECK(service("builder.slipway.test") == host_service::builder);
  CHECK(service("git.slipway.test") == host_service::git);
  CHECK(service("ca.slipway.test") == host_service::authority);
  CHECK(service("api.slipway.test.") == host_service::api);
}

TEST_CASE("a host without a service says what is missing") {
  for (const auto* host :
       {"delta.slipway.test",
        "tunnel.slipway.test",
        "vpn.slipway.test",
        "cloudlink.slipway.test",
        "devices.slipway.test",
        "1f.devices.slipway.test",
        "actions.devices.slipway.test",
        "a.b.devices.slipway.test",
        "nosuch.slipway.test",
        "x.api.slipway.test",
        "*.slipway.test"}) {
    CAPTURE(host);
    const auto found = find_host(host, "slipway.test");
    CHECK(found.service == host_service::absent);
    CHECK_FALSE(std::string_view(found.reason).empty());
  }
}

TEST_CASE("a name that only looks like the domain is foreign") {
  for (const auto* host :
       {"",
        ".",
        "..",
        ".slipway.test",
        "xslipway.test",
        "api-slipway.test",
        "slipway.test.org",
        "127.0.0.1",
        "[::1]",
        "localhost",
        "lipway.test",
        "test"}) {
    CAPTURE(host);
    CHECK(service(host) == host_service::foreign);
  }
}

TEST_CASE("only addresses of this machine are loopback") {
  CHECK(is_loopback("127.0.0.1"));
  CHECK(is_loopback("127.9.9.9"));
  CHECK(is_loopback("::1"));
  CHECK(is_loopback("::ffff:127.0.0.1"));
  CHECK_FALSE(is_loopback("128.0.0.1"));
  CHECK_FALSE(is_loopback("::ffff:10.0.0.1"));
  CHECK_FALSE(is_loopback("12.7.0.1"));
  CHECK_FALSE(is_loopback(""));
}
