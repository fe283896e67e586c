#include "agent/platform_api.hpp"

#include "messages/json.hpp"

#include <charconv>

namespace slipway::agent {
namespace {

using messages::errc;
using messages::fail;
using json = nlohmann::json;

/// Seconds only; a date is not worth a parser, the ordinary back-off does as well.
std::optional<std::chrono::seconds> read_retry_after(std::string_view text) {
  long seconds = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || problem != std::errc{} || end != text.data() + text.size() || seconds < 0) {
    return std::nullopt;
  }
  return std::min(std::chrono::seconds(seconds), retry_after_max);
}

}  // namespace

platform_api::platform_api(http_port& http, std::string endpoint)
  : http_(http), endpoint_(std::move(endpoint)) {}

platform_api::result platform_api::call(runtime::http_request request, const std::string& key) {
  request.url.insert(0, endpoint_);
  request.headers.emplace_back("Authorization", "Bearer " + key);
  if (!request.body.empty() && request.headers.size() == 1) {
    request.headers.emplace_back("Content-Type", "application/json");
  }
  request.timeout = api_timeout;
  request.body_bytes_max = target_bytes_max;
  auto got = http_.send(request);
  if (!got) {
    return tl::unexpected(
      messages::with_context(request.method + " " + request.url, std::move(got.error())));
  }
  reply out;
  out.status = got->status;
  out.etag = got->header("etag");
  out.retry_after = read_retry_after(got->header("retry-after"));
  out.body = std::move(got->body);
  return out;
}

platform_api::result platform_api::register_device(const json& body, const std::string& key) {
  runtime::http_request r;
  r.method = "POST";
  r.url = "/device/register";
  r.body = messages::dump_json(body);
  return call(std::move(r), key);
}

messages::result<std::int64_t> platform_api::find_device(
  const std::string& uuid,
  const std::string& key) {
  runtime::http_request r;
  // uuid is hex of our own making or checked when config.json was read: nothing to encode.
  r.url = "/v7/device?$select=id&$filter=uuid%20eq%20'" + uuid + "'";
  const auto got = call(std::move(r), key);
  if (!got) {
    return tl::unexpected(got.error());
  }
  if (got->status == 401 || got->status == 403 || got->status == 404) {
    return 0;
  }
  const auto j = messages::parse_json(got->body);
  if (!got->ok() || !j || !j->is_object() || !j->contains("d") || !(*j)["d"].is_array()) {
    return fail(errc::unavailable, "GET /v7/device: status " + std::to_string(got->status));
  }
  for (const auto& row : (*j)["d"]) {
    if (row.is_object() && row.contains("id") && row["id"].is_number_integer()) {
      return row["id"].get<std::int64_t>();
    }
  }
  return 0;
}

platform_api::result platform_api::add_device_key(
  std::int64_t device,
  const std::string& new_key,
  const std::string& key) {
  runtime::http_request r;
  r.method = "POST";
  r.url = "/api-key/device/" + std::to_string(device) + "/device-key";
  r.body = messages::dump_json({{"apiKey", new_key}});
  return call(std::move(r), key);
}

platform_api::result
platform_api::patch_device(std::int64_t device, const json& body, const std::string& key) {
  runtime::http_request r;
  r.method = "PATCH";
  r.url = "/v7/device(" + std::to_string(device) + ")";
  r.body = messages::dump_json(body);
  return call(std::move(r), key);
}

platform_api::result
platform_api::get_state(const std::string& uuid, const std::string& etag, const std::string& key) {
  runtime::http_request r;
  r.url = "/device/v3/" + uuid + "/state";
  if (!etag.empty()) {
    r.headers.emplace_back("If-None-Match", etag);
  }
  return call(std::move(r), key);
}

platform_api::result platform_api::get_tags(const std::string& uuid, const std::string& key) {
  runtime::http_request r;
  r.url = "/v7/device_tag?$select=id,tag_key,value&$filter=device/any(d:d/uuid%20eq%20'" + uuid
          + "')&$orderby=tag_key%20asc";
  return call(std::move(r), key);
}

platform_api::result
platform_api::patch_tags(const std::string& uuid, const std::string& tags, const std::string& key) {
  runtime::http_request r;
  r.method = "PATCH";
  r.url = "/device/v3/tags";
  // Our own text: it parses.
  r.body = messages::dump_json({{uuid, json::parse(tags)}});
  return call(std::move(r), key);
}

platform_api::result platform_api::patch_state(const json& body, const std::string& key) {
  runtime::http_request r;
  r.method = "PATCH";
  r.url = "/device/v3/state";
  r.body = messages::dump_json(body);
  return call(std::move(r), key);
}

platform_api::result
platform_api::post_logs(const std::string& uuid, std::string records, const std::string& key) {
  runtime::http_request r;
  r.method = "POST";
  r.url = "/device/v2/" + uuid + "/log-stream";
  r.headers.emplace_back("Content-Type", "application/x-ndjson");
  r.body = std::move(records);
  return call(std::move(r), key);
}

}  // namespace slipway::agent
