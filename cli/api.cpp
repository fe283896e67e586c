#include "cli/api.hpp"

#include "cli/console.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

/// Reads only: a write whose outcome is unknown must not be repeated blindly.
constexpr std::array retry_after{
  std::chrono::milliseconds{200},
  std::chrono::milliseconds{800},
  std::chrono::milliseconds{2000}};

/// The server answers an upload only when all of it is on its disk.
constexpr std::chrono::seconds transfer_stall{300};

/// The server's plain port sends other machines to https.
messages::error moved(const std::string& server, std::string_view place) {
  const auto scheme = place.find("://");
  const auto host = place.substr(0, place.find('/', scheme == place.npos ? 0 : scheme + 3));
  return {
    errc::invalid_argument,
    server + " sends to another address; use --server " + printable(host)};
}

bool worth_retrying(const messages::error& e) {
  return e.code == errc::unavailable || e.code == errc::too_many_requests;
}

errc code_of_status(int status, std::string_view text) {
  switch (status) {
    case 401:
      return errc::unauthorized;
    case 403:
      return errc::forbidden;
    case 404:
      return errc::not_found;
    case 409:
      return text.find("unique") != std::string_view::npos ? errc::unique_violated : errc::conflict;
    case 413:
      return errc::too_large;
    case 423:
      return errc::locked;
    case 429:
      return errc::too_many_requests;
    case 502:
    case 503:
      return errc::unavailable;
    case 504:
      return errc::timed_out;
    case 507:
      return errc::disk_full;
    default:
      return status >= 500 ? errc::internal : errc::invalid_argument;
  }
}

std::string text_of_refusal(std::string_view body) {
  const auto j = messages::parse_json(body);
  if (!j) {
    return std::string(body);
  }
  if (j->is_string()) {
    return j->get<std::string>();
  }
  if (!j->is_object()) {
    return std::string(body);
  }
  const auto e = j->find("error");
  if (e != j->end() && e->is_object()) {
    if (auto text = text_of(*e, "text"); !text.empty()) {
      return text;
    }
  }
  auto text = text_of(*j, "message");
  return text.empty() ? text_of(*j, "error") : text;
}

}  // namespace

std::string odata_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    quoted += c;
    if (c == '\'') {
      quoted += '\'';
    }
  }
  return quoted + "'";
}

std::string percent_encode(std::string_view text) {
  static constexpr std::string_view plain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$(),':;/=*@";
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

std::string path_of(const odata_query& q) {
  std::string path = "/v7/" + percent_encode(q.resource);
  char separator = '?';
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) {
      path += separator;
      path += name;
      path += '=' + percent_encode(value);
      separator = '&';
    }
  };
  add("$filter", q.filter);
  add("$select", q.select);
  add("$expand", q.expand);
  add("$orderby", q.orderby);
  add("$top", q.top > 0 ? std::to_string(q.top) : std::string{});
  return path;
}

api::api(std::string server, std::string token, std::string trusted)
  : server_(std::move(server)),
    token_(std::move(token)),
    has_root_(!trusted.empty()),
    client_(
      {.unix_socket = {},
       .ca_file = {},
       .ca_pem = std::move(trusted),
       .user_agent = "slipway/" SLIPWAY_VERSION}) {}

messages::result<std::vector<json>> api::query(const odata_query& q) {
  auto answer = get(path_of(q));
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  const auto d = answer->find("d");
  if (d == answer->end() || !d->is_array()) {
    return fail(errc::corrupt, server_ + " does not answer like a Slipway server");
  }
  return d->get<std::vector<json>>();
}

messages::result<json> api::first(const odata_query& q, const std::string& what) {
  auto rows = query(q);
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->empty()) {
    return fail(errc::not_found, what + " not found");
  }
  return std::move(rows->front());
}

messages::result<json> api::get(const std::string& path) {
  auto text = send("GET", path, nullptr);
  for (const auto wait : retry_after) {
    if (text || !worth_retrying(text.error()) || client_.distrusted() != runtime::distrust::none) {
      break;
    }
    std::this_thread::sleep_for(wait);
    text = send("GET", path, nullptr);
  }
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto j = messages::parse_json(*text);
  if (!j || !j->is_object()) {
    return fail(errc::corrupt, server_ + " does not answer like a Slipway server");
  }
  return j;
}

messages::result<json> api::post(const std::string& path, const json& body) {
  const auto text = send("POST", path, &body);
  if (!text) {
    return tl::unexpected(text.error());
  }
  return text->empty() ? messages::result<json>(json::object()) : messages::parse_json(*text);
}

messages::result<std::string> api::post_text(const std::string& path, const json& body) {
  auto text = send("POST", path, &body);
  if (text && text->starts_with('"')) {
    const auto j = messages::parse_json(*text);
    return j && j->is_string() ? j->get<std::string>() : *text;
  }
  return text;
}

messages::result<void> api::patch(const std::string& path, const json& body) {
  return send("PATCH", path, &body).map([](const std::string&) {});
}

messages::result<void> api::remove(const std::string& path) {
  return send("DELETE", path, nullptr).map([](const std::string&) {});
}

messages::result<std::string> api::manifest_digest(
  const std::string& registry,
  const std::string& repository,
  const std::string& registry_token) {
  runtime::http_request r;
  r.method = "HEAD";
  r.url = server_.substr(0, server_.find("://") + 3) + registry + "/v2/" + repository
          + "/manifests/latest";
  r.headers.emplace_back("Authorization", "Bearer " + registry_token);
  r.headers.emplace_back(
    "Accept",
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json");
  const auto reply = client_.send(r);
  if (!reply) {
    return tl::unexpected(messages::with_context(registry, reply.error()));
  }
  const std::string digest(reply->header("docker-content-digest"));
  if (reply->status != 200 || !digest.starts_with("sha256:")) {
    return fail(
      errc::manifest_unknown,
      registry + " does not tell the digest of what was pushed, status "
        + std::to_string(reply->status));
  }
  return digest;
}

messages::result<std::string> api::get_text(const std::string& path) {
  return send("GET", path, nullptr);
}

messages::result<void> api::stream(
  const std::string& path,
  const std::function<bool(std::string_view)>& sink) {
  auto r = request("GET", path);
  r.timeout = std::chrono::milliseconds{0};
  r.stall_timeout = std::chrono::seconds{150};  // the server sends a blank line each minute
  r.body_sink = sink;
  const auto reply = client_.send(r);
  if (!reply) {
    return tl::unexpected(explain(reply.error()));
  }
  if (reply->status < 200 || reply->status > 299) {
    return tl::unexpected(error_of_reply(reply->status, reply->body));
  }
  return {};
}

messages::result<json> api::upload(
  const std::string& method,
  const std::string& path,
  const std::string& content_type,
  std::int64_t length,
  const std::function<std::ptrdiff_t(char*, std::size_t)>& source) {
  auto r = request(method, path);
  r.headers.emplace_back("Content-Type", content_type);
  r.body_source = source;
  r.body_length = length;
  r.timeout = std::chrono::milliseconds{0};
  r.stall_timeout = transfer_stall;
  const auto text = answer_to(r);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto j = messages::parse_json(*text);
  return j ? *j : json::object();  // a change may answer without a body
}

messages::result<void> api::converse(
  const std::string& path,
  const std::vector<std::pair<std::string, std::string>>& headers,
  const std::function<std::ptrdiff_t(char*, std::size_t)>& source,
  const std::function<bool(std::string_view)>& sink,
  std::chrono::seconds silence_max) {
  auto r = request("POST", path);
  r.headers.insert(r.headers.end(), headers.begin(), headers.end());
  r.body_source = source;
  r.body_sink = sink;
  r.timeout = std::chrono::milliseconds{0};
  r.stall_timeout = silence_max;
  return answer_to(r).map([](const std::string&) {});
}

messages::result<void> api::download(
  const std::string& link,
  const std::function<bool(std::string_view)>& sink) {
  runtime::http_request r;
  r.url = link;
  r.timeout = std::chrono::milliseconds{0};
  r.stall_timeout = transfer_stall;
  r.body_sink = sink;
  return answer_to(r).map([](const std::string&) {});
}

runtime::http_request api::request(const std::string& method, const std::string& path) const {
  runtime::http_request r;
  r.method = method;
  r.url = server_ + path;
  r.headers.emplace_back("X-Balena-Client", "slipway/" SLIPWAY_VERSION);
  if (!token_.empty()) {
    r.headers.emplace_back("Authorization", "Bearer " + token_);
  }
  return r;
}

messages::result<std::string>
api::send(const std::string& method, const std::string& path, const json* body) {
  auto r = request(method, path);
  if (body != nullptr) {
    r.headers.emplace_back("Content-Type", "application/json");
    r.body = messages::dump_json(*body);
  }
  return answer_to(r);
}

messages::result<std::string> api::answer_to(const runtime::http_request& r) {
  auto reply = client_.send(r);
  if (!reply) {
    return tl::unexpected(explain(reply.error()));
  }
  if (const auto place = reply->header("location");
      (reply->status == 301 || reply->status == 308) && !place.empty()) {
    return tl::unexpected(moved(server_, place));
  }
  if (reply->status < 200 || reply->status > 299) {
    return tl::unexpected(error_of_reply(reply->status, reply->body));
  }
  return std::move(reply->body);
}

messages::error api::explain(messages::error e) const {
  if (client_.distrusted() == runtime::distrust::chain) {
    e.detail += has_root_
                  ? "; what --ca, SLIPWAY_CA or the login names is not its root certificate"
                  : "; name its root certificate with --ca FILE or SLIPWAY_CA. An own "
                    "authority's is keys/ca/root.pem on the server and http://ca.DOMAIN/ca.pem";
  } else if (client_.distrusted() == runtime::distrust::name) {
    e.detail += "; --server takes a name that it is for, such as https://api.DOMAIN";
  }
  return messages::with_context(
    e.code == errc::unavailable ? "cannot reach " + server_ : server_,
    std::move(e));
}

messages::error error_of_reply(int status, std::string_view body) {
  auto text = printable(text_of_refusal(body.substr(0, 4096)));
  const auto code = code_of_status(status, text);
  if (text.empty()) {
    text = code == errc::unauthorized ? "not logged in, or no right to do that"
                                      : "the server refused, status " + std::to_string(status);
  }
  return {code, std::move(text)};
}

std::string text_of(const json& row, std::string_view member) {
  const auto it = row.is_object() ? row.find(std::string(member)) : row.end();
  if (it == row.end() || it->is_null()) {
    return {};
  }
  return it->is_string() ? it->get<std::string>() : messages::dump_json(*it);
}

std::int64_t int_of(const json& row, std::string_view member) {
  const auto it = row.is_object() ? row.find(std::string(member)) : row.end();
  return it != row.end() && it->is_number_integer() ? it->get<std::int64_t>() : 0;
}

bool bool_of(const json& row, std::string_view member) {
  const auto it = row.is_object() ? row.find(std::string(member)) : row.end();
  return it != row.end() && it->is_boolean() && it->get<bool>();
}

json expanded(const json& row, std::string_view member) {
  const auto it = row.is_object() ? row.find(std::string(member)) : row.end();
  if (it != row.end() && it->is_array() && !it->empty() && it->front().is_object()) {
    return it->front();
  }
  return json::object();
}

std::int64_t reference_of(const json& row, std::string_view member) {
  const auto it = row.is_object() ? row.find(std::string(member)) : row.end();
  if (it == row.end()) {
    return 0;
  }
  if (it->is_number_integer()) {
    return it->get<std::int64_t>();
  }
  return it->is_object() ? int_of(*it, "__id") : int_of(expanded(row, member), "id");
}

}  // namespace slipway::cli
