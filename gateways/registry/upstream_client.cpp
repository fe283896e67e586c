#include "gateways/registry/upstream_client.hpp"

#include "gateways/registry/auth_challenge.hpp"
#include "gateways/registry/manifest.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;
using runtime::http_reply;

namespace {

constexpr int redirects_max = 5;
constexpr std::size_t token_bytes_max = 64U << 10U;
constexpr std::size_t authorizations_max = 1'000;  // then all are asked for anew
constexpr std::chrono::seconds stall{60};
constexpr std::chrono::milliseconds cancel_again{50};
constexpr auto manifest_types =
  "application/vnd.oci.image.index.v1+json, "
  "application/vnd.docker.distribution.manifest.list.v2+json, "
  "application/vnd.oci.image.manifest.v1+json, "
  "application/vnd.docker.distribution.manifest.v2+json";

/// `https://host:port` of a URL.
std::string origin(std::string_view url) {
  const auto host = url.find("://");
  const auto path = host == std::string_view::npos ? host : url.find_first_of("/?#", host + 3);
  return std::string(url.substr(0, path));
}

bool is_secure(std::string_view url) {
  return url.starts_with("https://");
}

/// Where a redirect leads. It must not leave TLS, and must be a URL of HTTP.
result<std::string> redirect_target(const std::string& from, std::string_view location) {
  std::string to(location);
  if (to.starts_with("/") && !to.starts_with("//")) {
    return origin(from) + to;
  }
  const bool allowed = is_secure(to) || (to.starts_with("http://") && !is_secure(from));
  if (!allowed) {
    return fail(errc::unavailable, "the upstream registry redirects to an unsafe place");
  }
  return to;
}

result<void> check_status(const http_reply& r, errc missing) {
  if (r.status == 200) {
    return {};
  }
  if (r.status == 404) {
    return fail(missing, "the upstream registry does not have it");
  }
  if (r.status == 401 || r.status == 403) {
    return fail(missing, "the upstream registry does not let this server read it");
  }
  if (r.status == 429) {
    return fail(errc::unavailable, "the upstream registry asks to come later");
  }
  return fail(errc::unavailable, "the upstream registry answered " + std::to_string(r.status));
}

}  // namespace

std::string upstream_client::known_authorization(const std::string& repository) {
  const std::lock_guard lock(mutex_);
  const auto it = authorizations_.find(repository);
  return it == authorizations_.end() ? std::string() : it->second;
}

result<std::string> upstream_client::answer_challenge(
  const std::string& repository,
  const http_reply& refused) {
  const auto challenge = parse_challenge(refused.header("www-authenticate"));
  const auto basic = address_.user.empty()
                       ? std::string()
                       : "Basic " + runtime::base64(address_.user + ":" + address_.password);
  if (!challenge) {
    return fail(errc::unavailable, "the upstream registry's challenge is not understood");
  }
  std::string answer = basic;
  if (challenge->bearer) {
    const auto of = [&](const char* name) {
      const auto it = challenge->parameters.find(name);
      return it == challenge->parameters.end() ? std::string() : it->second;
    };
    const auto realm = of("realm");
    if (!is_secure(realm) && (is_secure(address_.url) || !realm.starts_with("http://"))) {
      return fail(errc::unavailable, "the upstream registry's token service is no safe address");
    }
    runtime::http_request r;
    r.url = realm + (realm.find('?') == std::string::npos ? "?" : "&")
            + "service=" + runtime::percent_encode(of("service"))
            + "&scope=" + runtime::percent_encode("repository:" + repository + ":pull");
    r.body_bytes_max = token_bytes_max;
    if (!basic.empty()) {
      r.headers.emplace_back("Authorization", basic);
    }
    r.no_local_address = !local_;
    runtime::http_client client({});
    const auto reply = exchange(client, r);
    if (!reply) {
      return tl::unexpected(
        messages::with_context("token of the upstream registry", reply.error()));
    }
    const auto body = nlohmann::json::parse(reply->body, nullptr, false);
    const auto token = [&](const char* name) {
      const auto it = body.is_object() ? body.find(name) : body.end();
      return body.is_object() && it != body.end() && it->is_string() ? it->get<std::string>()
                                                                     : std::string();
    };
    const auto text = token("token").empty() ? token("access_token") : token("token");
    if (reply->status != 200 || text.empty()) {
      return fail(
        errc::unavailable,
        "the upstream registry gives no token: " + std::to_string(reply->status));
    }
    answer = "Bearer " + text;
  }
  if (answer.empty()) {
    return fail(errc::manifest_unknown, "the upstream registry wants a user and a password");
  }
  const std::lock_guard lock(mutex_);
  if (authorizations_.size() >= authorizations_max) {
    authorizations_.clear();
  }
  authorizations_[repository] = answer;
  return answer;
}

result<http_reply> upstream_client::exchange(
  runtime::http_client& client,
  const runtime::http_request& r) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return fail(errc::unavailable, "the server stops");
    }
    sending_.insert(&client);
  }
  auto reply = client.send(r);
  const std::lock_guard lock(mutex_);
  sending_.erase(&client);
  sent_.notify_all();
  return reply;
}

void upstream_client::stop() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  while (!sending_.empty()) {
    for (auto* client : sending_) {
      client->cancel();
    }
    sent_.wait_for(lock, cancel_again);  // a client whose request was just beginning forgets it
  }
}

result<http_reply>
upstream_client::follow(const call& c, const std::string& url, const std::string& authorization) {
  auto at = url;
  runtime::http_client client({});
  for (int i = 0; i <= redirects_max; ++i) {
    runtime::http_request r;
    r.method = c.method;
    r.url = at;
    r.timeout = c.take ? std::chrono::milliseconds{0} : r.timeout;
    r.stall_timeout = stall;
    r.body_bytes_max = c.bytes_max;
    if (!c.accept.empty()) {
      r.headers.emplace_back("Accept", c.accept);
    }
    // Credentials are the registry's alone: where it redirects to has its own in the URL.
    if (!authorization.empty() && origin(at) == address_.url) {
      r.headers.emplace_back("Authorization", authorization);
    }
    r.body_sink = c.take;
    r.no_local_address = i > 0 && !local_;
    auto reply = exchange(client, r);
    if (reply && i == 0) {
      local_ = client.reached_local_address();
    }
    if (!reply && reply.error().code == errc::io_failed) {
      return fail(errc::unavailable, "the upstream registry: " + reply.error().detail);
    }
    const bool redirected =
      reply && reply->status >= 301 && reply->status <= 308 && reply->status != 304;
    if (!redirected) {
      return reply;
    }
    auto next = redirect_target(at, reply->header("location"));
    if (!next) {
      return tl::unexpected(next.error());
    }
    at = std::move(*next);
  }
  return fail(errc::unavailable, "the upstream registry redirects too often");
}

result<http_reply> upstream_client::send(const std::string& repository, const call& c) {
  const auto url = address_.url + "/v2/" + repository + c.path;
  auto reply = follow(c, url, known_authorization(repository));
  if (!reply || reply->status != 401) {
    return reply;
  }
  // No token yet, or it ran out.
  const auto authorization = answer_challenge(repository, *reply);
  if (!authorization) {
    return tl::unexpected(authorization.error());
  }
  return follow(c, url, *authorization);
}

result<upstream_manifest> upstream_client::manifest(
  const std::string& repository,
  const std::string& reference) {
  call c;
  c.path = "/manifests/" + reference;
  c.accept = manifest_types;
  c.bytes_max = manifest_bytes_max;
  auto reply = send(repository, c);
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  if (const auto good = check_status(*reply, errc::manifest_unknown); !good) {
    return tl::unexpected(good.error());
  }
  return upstream_manifest{std::string(reply->header("content-type")), std::move(reply->body)};
}

result<std::string> upstream_client::tag(const std::string& repository, const std::string& tag) {
  call c;
  c.method = "HEAD";
  c.path = "/manifests/" + tag;
  c.accept = manifest_types;
  const auto reply = send(repository, c);
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  if (const auto good = check_status(*reply, errc::manifest_unknown); !good) {
    return tl::unexpected(good.error());
  }
  return std::string(reply->header("docker-content-digest"));
}

result<void>
upstream_client::blob(const std::string& repository, const std::string& digest, sink take) {
  call c;
  c.path = "/blobs/" + digest;
  c.take = std::move(take);
  const auto reply = send(repository, c);
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  return check_status(*reply, errc::blob_unknown);
}

}  // namespace slipway::gateways
