#include "gateways/router.hpp"

#include "gateways/api/accounts.hpp"
#include "gateways/api/invitations.hpp"
#include "gateways/api/resources.hpp"
#include "gateways/assets/release_assets.hpp"
#include "gateways/device/device_gateway.hpp"
#include "gateways/device/device_types.hpp"
#include "gateways/device/log_gateway.hpp"
#include "gateways/device/platform.hpp"
#include "gateways/device/provisioning.hpp"
#include "gateways/device/supervisor_proxy.hpp"
#include "gateways/hosts.hpp"
#include "gateways/route_table.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways {

using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::string_view git_folder = "/git";

std::string_view below_git(const exchange& x) {
  auto path = x.head().path;
  path.remove_prefix(std::min(git_folder.size(), path.size()));
  return path;
}

}  // namespace

struct router::impl {
  std::shared_ptr<const services> s;
  parts p;
  std::string domain;  ///< lower case; "" = none
  api::accounts accounts;
  api::resources resources;
  api::invitations invitations;
  device::device_gateway devices;
  std::unique_ptr<release_assets> assets;
  device::device_types types;
  device::provisioning provisioning;
  device::platform platform;
  device::log_gateway logs;
  device::supervisor_proxy supervisors;
  route_table builder;  ///< what answers under the builder's own host
  route_table table;    // last: its handlers call the others

  impl(std::shared_ptr<const services> services_, parts parts_, std::string domain_)
    : s(services_),
      p(std::move(parts_)),
      domain(std::move(domain_)),
      accounts(services_, p.registration),
      resources(services_),
      invitations(services_),
      devices(services_),
      assets(
        p.assets != nullptr ? std::make_unique<release_assets>(services_, *p.assets) : nullptr),
      types(services_),
      provisioning(services_, types),
      platform(services_),
      logs(services_),
      supervisors(services_),
      builder(p.builder),
      table(routes()) {}

  std::vector<route> routes();
  route_handler odata(const char* version);
  [[nodiscard]] awaitable<void> handle(exchange& x);
  [[nodiscard]] bool must_be_secured(const runtime::request_head& head) const;
  awaitable<void> to_https(exchange& x);
  awaitable<void> handle_registry(exchange& x);
  static awaitable<void> handle_analytics(exchange& x);
  static awaitable<void> nobody(exchange& x, int status, const char* reason);

  awaitable<void> ping(exchange& x);
  awaitable<void> connectivity_check(exchange& x);
  awaitable<void> health(exchange& x);
  awaitable<void> metrics(exchange& x);
  awaitable<void> authority(exchange& x);
};

/// Every address of the server. `:name` is one segment, `*` whatever follows; an unset handler leaves its row out.
std::vector<route> router::impl::routes() {
  using gateway = device::device_gateway;
  std::vector<route> all{
    // The image registry and its tokens tell methods and paths apart themselves.
    {"*", "/v2/*", handler_of(p.registry)},
    {"*", "/auth/v1/token", handler_of(p.registry_token)},

    // The resource model (balena-api.md 4).
    {"*", "/v6/*", odata("v6")},
    {"*", "/v7/*", odata("v7")},

    // Invitations (balena-api.md 3).
    {"POST", "/org/v1/invitation/:token", to(invitations, &api::invitations::accept, "token")},
    {"POST", "/user/v1/invitation/:token", to(invitations, &api::invitations::accept, "token")},

    // Bytes of release assets, by links of their own (balena-api.md 4.12).
    {"GET", "/release-asset/:id/:name", assets ? to(*assets, &release_assets::download) : nullptr},
    {"PUT",
     "/release-asset-upload/:upload/:part",
     assets ? to(*assets, &release_assets::put_part) : nullptr},

    // Devices (balena-api.md 8).
    {"POST", "/device/register", to(provisioning, &device::provisioning::enroll)},
    {"PATCH", "/device/v3/state", to(devices, &gateway::report_state)},
    {"PATCH", "/device/v3/tags", to(devices, &gateway::report_tags)},
    {"GET", "/device/v3/:uuid/state", to(devices, &gateway::get_state, "uuid")},
    {"GET", "/device/v2/:uuid/state", to(devices, &gateway::get_state_v2, "uuid")},
    {"PATCH", "/device/v2/:uuid/state", to(devices, &gateway::report_state_v2, "uuid")},
    {"GET", "/device/v3/fleet/:uuid/state", to(devices, &gateway::get_fleet_state, "uuid")},
    {"GET", "/download-config", to(provisioning, &device::provisioning::download_config)},
    {"POST", "/download-config", to(provisioning, &device::provisioning::download_config)},
    {"GET", "/device-types/v1", to(types, &device::device_types::list)},
    {"GET", "/device-types/v1/:slug", to(types, &device::device_types::one, "slug")},
    {"GET",
     "/device-types/v1/:slug/images/:version/download-size",
     to(types, &device::device_types::download_size, "slug")},
    {"GET", "/os/v1/config", to(platform, &device::platform::os_config)},
    {"GET", "/services/vpn/auth/:uuid", to(platform, &device::platform::vpn_auth, "uuid")},
    {"GET", "/access/v1/hostos/:uuid", to(platform, &device::platform::host_access, "uuid")},
    {"POST", "/device/v2/:uuid/logs", to(logs, &device::log_gateway::post_batch, "uuid")},
    {"POST", "/device/v2/:uuid/log-stream", to(logs, &device::log_gateway::post_stream, "uuid")},
    {"GET", "/device/v2/:uuid/logs", to(logs, &device::log_gateway::get, "uuid")},

    // What devices are asked to do (balena-api.md 8.12).
    {"POST", "/supervisor/*", to(supervisors, &device::supervisor_proxy::forward)},
    {"POST",
     "/application/:id/restart",
     to(supervisors, &device::supervisor_proxy::restart_application, "id")},

    // Repositories on a plain address: `/git/organization/fleet.git/...`.
    {"*",
     "/git/*",
     handler_of(
       p.git ? [g = p.git](exchange& x) { return g(x, below_git(x)); } : runtime::http_handler())},

    // The platform.
    {"GET", "/ping", to(*this, &impl::ping)},
    {"GET", "/connectivity-check", to(*this, &impl::connectivity_check)},
    {"GET", "/config", to(platform, &device::platform::config)},
    {"GET", "/config/vars", to(platform, &device::platform::config_vars)},
    {"GET", "/ca.pem", to(*this, &impl::authority)},
    {"GET", "/health", p.health ? to(*this, &impl::health) : nullptr},
    {"GET", "/metrics", p.metrics ? to(*this, &impl::metrics) : nullptr},
  };
  for (const auto& r : p.builder) {
    all.push_back(r);
  }
  // Logins, keys and what else belongs to accounts (balena-api.md 2).
  for (auto& r : accounts.routes()) {
    all.push_back(std::move(r));
  }
  return all;
}

route_handler router::impl::odata(const char* version) {
  const bool has_assets = assets && std::string_view(version) == "v7";
  return [this, version, has_assets](exchange& x, const route_args& args) {
    return has_assets && release_assets::takes(x, args.rest())
             ? assets->handle(x, std::string(args.rest()))
             : resources.handle(x, version, args.rest());
  };
}

router::router(std::shared_ptr<const services> s, parts p, std::string domain)
  : impl_(std::make_unique<impl>(std::move(s), std::move(p), std::move(domain))) {}

router::~router() = default;

awaitable<void> router::handle(exchange& x) {
  return impl_->handle(x);
}

void router::unlock(const messages::row& user) {
  impl_->accounts.unlock(user);
}

void router::stop() {
  impl_->resources.stop();
  if (impl_->assets) {
    impl_->assets->stop();
  }
}

void router::sweep() {
  impl_->devices.sweep();
  if (impl_->assets) {
    impl_->assets->sweep();
  }
}

awaitable<void> router::impl::handle(exchange& x) {
  const auto& head = x.head();
  if (domain.empty()) {
    return table.handle(x);
  }
  if (must_be_secured(head)) {
    return to_https(x);
  }
  const auto host = find_host(head.host, domain);
  switch (host.service) {
    case host_service::registry:
      return handle_registry(x);
    case host_service::builder:
      return builder.handle(x);
    case host_service::git:
      return p.git ? p.git(x, head.path) : no_such_address(x);
    case host_service::analytics:
      return handle_analytics(x);
    case host_service::authority:
      return head.path == "/ca.pem" ? table.handle(x) : no_such_address(x);
    case host_service::absent:
      return nobody(x, 404, host.reason);
    case host_service::foreign:
      // The certificate is for none of its names, so this is a client that went astray.
      return head.tls ? nobody(x, 421, "this server does not serve that host") : table.handle(x);
    default:
      return table.handle(x);
  }
}

bool router::impl::must_be_secured(const runtime::request_head& head) const {
  return p.https_port != 0 && !head.tls && !is_loopback(head.peer) && head.path != "/ping"
         && head.path != "/ca.pem" && !head.path.starts_with("/build/v1/git")
         && !head.path.starts_with("/.well-known/");
}

awaitable<void> router::impl::to_https(exchange& x) {
  const auto& head = x.head();
  // A name that the certificate is not for would only end in a warning.
  const bool ours = find_host(head.host, domain).service != host_service::foreign;
  std::string to = "https://" + (ours ? std::string(head.host) : "api." + domain);
  if (p.https_port != 443) {
    to += ':' + std::to_string(p.https_port);
  }
  to += head.path.starts_with('/') ? head.path : "/";
  if (!head.query.empty()) {
    to += '?';
    to += head.query;
  }
  const bool reads = head.method == "GET" || head.method == "HEAD";
  auto answer = empty_response(reads ? 301 : 308);  // 301 would let a POST become a GET
  answer.headers.emplace_back("Location", std::move(to));
  co_await x.respond(std::move(answer));
}

awaitable<void> router::impl::handle_registry(exchange& x) {
  const auto path = x.head().path;
  const bool its_own = path == "/v2" || path.starts_with("/v2/");
  return its_own && p.registry ? p.registry(x) : no_such_address(x);
}

awaitable<void> router::impl::handle_analytics(exchange& x) {
  const auto& head = x.head();
  const bool known = head.method == "POST" && head.path == "/amplitude/2/httpapi";
  return known ? nobody(x, 200, "dropped") : no_such_address(x);
}

awaitable<void> router::impl::nobody(exchange& x, int status, const char* reason) {
  co_await x.respond(response::json(status, messages::dump_json(nlohmann::json(reason))));
}

awaitable<void> router::impl::authority(exchange& x) {
  auto root = s->root_ca ? s->root_ca() : std::string();
  if (root.empty()) {
    co_await no_such_address(x);
  } else {
    auto pem = response::text(200, std::move(root));
    pem.content_type = "application/x-pem-file";
    co_await x.respond(std::move(pem));
  }
}

awaitable<void> router::impl::ping(exchange& x) {
  co_await x.respond(response::text(200, "OK"));
}

awaitable<void> router::impl::connectivity_check(exchange& x) {
  co_await x.respond(empty_response(204));
}

awaitable<void> router::impl::health(exchange& x) {
  const auto ok = p.health();
  auto answer = ok ? response::text(200, "OK") : response::text(503, ok.error().detail);
  co_await x.respond(std::move(answer));
}

awaitable<void> router::impl::metrics(exchange& x) {
  auto text = response::text(200, p.metrics());
  text.content_type = "text/plain; version=0.0.4";
  co_await x.respond(std::move(text));
}

}  // namespace slipway::gateways
