#include "gateways/router.hpp"

#include "gateways/api/accounts.hpp"
#include "gateways/api/resources.hpp"
#include "gateways/device/device_gateway.hpp"
#include "messages/json.hpp"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace slipway::gateways {

using runtime::awaitable;
using runtime::exchange;
using runtime::response;
using segments = std::vector<std::string_view>;

namespace {

segments split(std::string_view path) {
  segments out;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (!part.empty()) {
      out.push_back(part);
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return out;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  return failed == std::errc{} && end == text.data() + text.size() && n > 0 ? std::optional(n)
                                                                            : std::nullopt;
}

}  // namespace

struct router::impl {
  std::shared_ptr<const services> s;
  parts p;
  std::string domain;
  api::accounts accounts;
  api::resources resources;
  device::device_gateway devices;

  impl(std::shared_ptr<const services> services_, parts parts_, std::string domain_)
    : s(services_),
      p(std::move(parts_)),
      domain(std::move(domain_)),
      accounts(services_),
      resources(services_),
      devices(services_) {}

  awaitable<void> handle(exchange& x);
  awaitable<void> handle_api(exchange& x, const segments& at);
  awaitable<void> handle_device(exchange& x, const segments& at);
  awaitable<void> handle_key(exchange& x, const segments& at);
  awaitable<void> handle_platform(exchange& x, std::string_view first);
  static awaitable<void> not_found(exchange& x);
  static awaitable<void> wrong_method(exchange& x);
};

router::router(std::shared_ptr<const services> s, parts p, std::string domain)
  : impl_(std::make_unique<impl>(std::move(s), std::move(p), std::move(domain))) {}

router::~router() = default;

awaitable<void> router::handle(exchange& x) {
  return impl_->handle(x);
}

void router::sweep() {
  impl_->devices.sweep();
}

awaitable<void> router::impl::not_found(exchange& x) {
  co_await x.respond(error_response(messages::errc::not_found, "no such address"));
}

awaitable<void> router::impl::wrong_method(exchange& x) {
  co_await x.respond(response::json(405, "\"method not allowed\""));
}

awaitable<void> router::impl::handle(exchange& x) {
  const auto& head = x.head();
  const auto at = split(head.path);
  if (at.empty()) {
    return not_found(x);
  }
  // `registry2.<domain>` serves nothing but the registry; every other name serves the registry's paths too, which no API shares.
  const bool registry_host = !domain.empty() && head.host == "registry2." + domain;
  if (registry_host || at[0] == "v2") {
    return p.registry && at[0] == "v2" ? p.registry(x) : not_found(x);
  }
  if (at[0] == "v6" || at[0] == "v7") {
    return resources.handle(x, at[0], head.path.substr(std::min(head.path.size(), std::size_t{4})));
  }
  if (at[0] == "device") {
    return handle_device(x, at);
  }
  return handle_api(x, at);
}

awaitable<void> router::impl::handle_device(exchange& x, const segments& at) {
  const auto method = x.head().method;
  if (at.size() == 2 && at[1] == "register") {
    return method == "POST" ? devices.enroll(x) : wrong_method(x);
  }
  if (at.size() >= 3 && at[1] == "v3" && at.back() == "state") {
    if (at.size() == 3) {
      return method == "PATCH" ? devices.report_state(x) : wrong_method(x);
    }
    if (at.size() == 4) {
      return method == "GET" ? devices.get_state(x, std::string(at[2])) : wrong_method(x);
    }
    if (at.size() == 5 && at[2] == "fleet") {
      return method == "GET" ? devices.get_fleet_state(x, std::string(at[3])) : wrong_method(x);
    }
  }
  return not_found(x);
}

awaitable<void> router::impl::handle_key(exchange& x, const segments& at) {
  if (x.head().method != "POST") {
    return wrong_method(x);
  }
  if (at.size() == 3 && at[1] == "user" && at[2] == "full") {
    return accounts.user_key(x);
  }
  if (at.size() == 2 && (at[1] == "v1" || at[1] == "v2")) {
    return accounts.generic_key(x);
  }
  const auto id = at.size() == 4 ? number(at[2]) : std::nullopt;
  if (id && at[1] == "application" && at[3] == "provisioning") {
    return accounts.provisioning_key(x, *id);
  }
  if (id && at[1] == "device" && at[3] == "device-key") {
    return accounts.device_key(x, *id);
  }
  return not_found(x);
}

awaitable<void> router::impl::handle_api(exchange& x, const segments& at) {
  const auto path = x.head().path;
  const auto method = x.head().method;
  if (path == "/login_") {
    return method == "POST" ? accounts.login(x) : wrong_method(x);
  }
  if (path == "/actor/v1/whoami") {
    return accounts.whoami_actor(x);
  }
  if (path == "/user/v1/whoami") {
    return accounts.whoami_user(x);
  }
  if (path == "/user/v1/refresh-token") {
    return accounts.refresh(x);
  }
  if (path == "/auth/v1/token") {
    return p.registry_token ? p.registry_token(x) : not_found(x);
  }
  if (path == "/download-config") {
    return devices.download_config(x);
  }
  if (at[0] == "api-key") {
    return handle_key(x, at);
  }
  return at.size() == 1 ? handle_platform(x, at[0]) : not_found(x);
}

awaitable<void> router::impl::handle_platform(exchange& x, std::string_view first) {
  if (first == "ping") {
    co_return co_await x.respond(response::text(200, "OK"));
  }
  if (first == "connectivity-check") {
    co_return co_await x.respond(empty_response(204));
  }
  if (first == "config") {
    const nlohmann::json out{
      {"deviceUrlsBase", s->device_urls_base},
      {"apiUrl", s->api_url},
      {"registryHost", s->registry_host},
      {"version", SLIPWAY_VERSION}};
    co_return co_await x.respond(response::json(200, messages::dump_json(out)));
  }
  if (first == "health" && p.health) {
    const auto ok = p.health();
    co_return co_await x.respond(
      ok ? response::text(200, "OK") : response::text(503, ok.error().detail));
  }
  if (first == "metrics" && p.metrics) {
    auto text = response::text(200, p.metrics());
    text.content_type = "text/plain; version=0.0.4";
    co_return co_await x.respond(std::move(text));
  }
  co_await not_found(x);
}

}  // namespace slipway::gateways
