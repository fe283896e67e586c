#include "gateways/registry/mirrors.hpp"
#include "gateways/registry/registry_core.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

response error_response(const messages::error& e) {
  auto r = registry_error(messages::http_status(e.code), messages::oci_code(e.code), e.detail);
  if (e.code == errc::too_many_requests || e.code == errc::unavailable) {
    r.headers.emplace_back("Retry-After", "5");
  }
  return r;
}

std::string realm_of(const exchange& x, const std::string& configured) {
  if (!configured.empty()) {
    return configured;
  }
  const auto& head = x.head();
  // The host comes from outside and goes into a quoted string.
  auto host = std::string(head.host_port);
  std::erase_if(host, [](char c) { return c == '"' || c == '\\' || c < ' '; });
  return (head.tls ? "https://" : "http://") + host + "/auth/v1/token";
}

}  // namespace

response registry_response(int status) {
  response r;
  r.status = status;
  r.headers.emplace_back("Docker-Distribution-Api-Version", "registry/2.0");
  return r;
}

void add_error(response& r, std::string_view code, std::string_view message) {
  const nlohmann::json body{{"errors", {{{"code", code}, {"message", message}}}}};
  r.content_type = "application/json";
  r.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

response registry_error(int status, std::string_view code, std::string_view message) {
  auto r = registry_response(status);
  add_error(r, code, message);
  return r;
}

std::string
allowed_repository(const registry_claims& claims, std::string_view name, std::string_view action) {
  for (const auto& a : claims.access) {
    const bool meant = !a.catalog && (a.name == name || (!a.alias.empty() && a.alias == name));
    if (meant && std::find(a.actions.begin(), a.actions.end(), action) != a.actions.end()) {
      return a.name;
    }
  }
  return {};
}

registry_core::registry_core(registry_parts parts, registry_options o)
  : parts_(parts),
    options_(std::move(o)),
    cache_(options_.manifest_cache_bytes),
    pool_(static_cast<std::size_t>(options_.blocking_threads)) {}

registry_core::~registry_core() {
  stop();
}

void registry_core::stop() {
  pool_.join();
  if (parts_.mirrors != nullptr) {
    parts_.mirrors->stop();
  }
}

std::span<const registry_core::row> registry_core::table() {
  using enum registry_resource;
  static const row rows[] = {
    {blob, "GET", {&registry_core::get_blob, "pull", "pull"}},
    {blob, "HEAD", {&registry_core::head_blob, "pull", "pull"}},
    {blob, "DELETE", {&registry_core::delete_blob, "delete", "delete"}},
    {manifest, "GET", {&registry_core::get_manifest, "pull", "pull"}},
    {manifest, "HEAD", {&registry_core::get_manifest, "pull", "pull"}},
    {manifest, "PUT", {&registry_core::put_manifest, "push", "pull,push"}},
    {manifest, "DELETE", {&registry_core::delete_manifest, "delete", "delete"}},
    {tags, "GET", {&registry_core::list_tags, "pull", "pull"}},
    {referrers, "GET", {&registry_core::list_referrers, "pull", "pull"}},
    {catalog, "GET", {&registry_core::list_repositories, "*", "*"}},
    {uploads, "POST", {&registry_core::post_upload, "push", "pull,push"}},
    {upload, "GET", {&registry_core::get_upload, "push", "pull,push"}},
    {upload, "PATCH", {&registry_core::patch_upload, "push", "pull,push"}},
    {upload, "PUT", {&registry_core::put_upload, "push", "pull,push"}},
    {upload, "DELETE", {&registry_core::delete_upload, "push", "pull,push"}},
  };
  return rows;
}

registry_core::operation registry_core::find(registry_resource resource, std::string_view method) {
  for (const auto& r : table()) {
    if (r.resource == resource && r.method == method) {
      return r.what;
    }
  }
  return {nullptr, "", ""};
}

std::string registry_core::methods_of(registry_resource resource) {
  std::string out;
  for (const auto& r : table()) {
    if (r.resource == resource) {
      out += (out.empty() ? "" : ", ") + std::string(r.method);
    }
  }
  return out;
}

result<std::shared_ptr<const registry_claims>> registry_core::bearer(const exchange& x) {
  const auto given = runtime::authorization(x.header("authorization"));
  if (!given || given->first != "bearer") {
    return fail(errc::unauthorized, "authentication required");
  }
  return parts_.tokens.verify(given->second);
}

// Named variables, not temporaries, go into co_await all over this gateway: GCC 12 destroys some of those twice.
awaitable<void> registry_core::refuse(exchange& x, const messages::error& e) {
  auto r = error_response(e);
  co_await x.respond(std::move(r));
}

awaitable<void>
registry_core::challenge(exchange& x, const messages::error& e, const std::string& scope) {
  auto r = error_response(e);
  auto field =
    "Bearer realm=\"" + realm_of(x, options_.realm) + "\",service=\"" + options_.service + "\"";
  if (!scope.empty()) {
    field += ",scope=\"" + scope + "\"";
  }
  if (!x.header("authorization").empty()) {
    field +=
      e.code == errc::forbidden ? ",error=\"insufficient_scope\"" : ",error=\"invalid_token\"";
  }
  r.status = 401;
  r.headers.emplace_back("WWW-Authenticate", std::move(field));
  co_await x.respond(std::move(r));
}

awaitable<result<void>> registry_core::fetch_mirrored(
  const registry_request& r,
  registry_resource resource) {
  const bool manifest = resource == registry_resource::manifest;
  const bool wanted = manifest || resource == registry_resource::blob;
  if (!wanted || parts_.mirrors == nullptr || !parts_.mirrors->handles(r.repository)) {
    co_return result<void>{};
  }
  std::function<void(mirrors::answer)> start = [&](mirrors::answer done) {
    boost::asio::post(pool_, [&, done = std::move(done)]() mutable {
      if (manifest) {
        parts_.mirrors->want_manifest(r.repository, r.last, std::move(done));
      } else {
        parts_.mirrors->want_blob(r.repository, r.last, std::move(done));
      }
    });
  };
  co_return co_await completion<result<void>>(std::move(start));
}

awaitable<void> registry_core::base(exchange& x) {
  const auto claims = bearer(x);
  if (!claims) {
    const std::string no_scope;
    co_await challenge(x, claims.error(), no_scope);
    co_return;
  }
  auto r = registry_response(200);
  r.content_type = "application/json";
  r.body = "{}";
  co_await x.respond(std::move(r));
}

awaitable<std::shared_ptr<const registry_claims>> registry_core::admit(
  exchange& x,
  const registry_route& route,
  const operation& what,
  std::string& repository) {
  const bool catalog = route.resource == registry_resource::catalog;
  const auto scope = catalog ? std::string("registry:catalog:*")
                             : "repository:" + route.repository + ":" + what.challenge;
  auto claims = bearer(x);
  if (!claims) {
    co_await challenge(x, claims.error(), scope);
    co_return nullptr;
  }
  bool allowed = false;
  if (catalog) {
    const auto& access = (*claims)->access;
    allowed = std::any_of(access.begin(), access.end(), [](const token_access& a) {
      return a.catalog && !a.actions.empty();
    });
  } else {
    repository = allowed_repository(**claims, route.repository, what.needs);
    allowed = valid_repository(repository)
              && (!parts_.still_may || parts_.still_may(**claims, repository, what.needs));
  }
  if (!allowed) {
    const messages::error denied{errc::forbidden, "requested access to the resource is denied"};
    co_await challenge(x, denied, scope);
    co_return nullptr;
  }
  co_return std::move(*claims);
}

awaitable<void> registry_core::handle(exchange& x) {
  auto route = parse_registry_path(x.head().path);
  if (route.resource == registry_resource::base) {
    co_await base(x);
    co_return;
  }
  if (route.resource == registry_resource::none) {
    const messages::error unknown{errc::not_found, "no such resource"};
    co_await refuse(x, unknown);
    co_return;
  }
  if (route.resource != registry_resource::catalog && !valid_repository(route.repository)) {
    const messages::error invalid{errc::name_invalid, "invalid repository name"};
    co_await refuse(x, invalid);
    co_return;
  }
  const auto what = find(route.resource, x.head().method);
  if (what.run == nullptr) {
    auto r = registry_error(405, "UNSUPPORTED", "the operation is unsupported");
    r.headers.emplace_back("Allow", methods_of(route.resource));
    co_await x.respond(std::move(r));
    co_return;
  }
  std::string repository;
  auto claims = co_await admit(x, route, what, repository);
  if (!claims) {
    co_return;
  }
  auto query = runtime::parse_query(x.head().query);
  if (!query) {
    const messages::error malformed{errc::invalid_argument, "malformed query"};
    co_await refuse(x, malformed);
    co_return;
  }
  registry_request r{
    x,
    std::move(repository),
    std::move(route.repository),
    std::move(route.last),
    std::move(claims),
    std::move(*query)};
  const auto fetched = co_await fetch_mirrored(r, route.resource);
  if (!fetched) {
    co_await refuse(x, fetched.error());
    co_return;
  }
  const auto done = co_await (this->*what.run)(r);
  if (!done) {
    auto answer = error_response(done.error());
    answer.status = r.body_late ? 408 : answer.status;
    co_await x.respond(std::move(answer));
  }
}

std::unique_ptr<registry> make_registry(registry_parts parts, registry_options o) {
  return std::make_unique<registry_core>(std::move(parts), std::move(o));
}

}  // namespace slipway::gateways
