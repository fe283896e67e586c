#include "runtime/engine_session.hpp"

#include "messages/json.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <utility>

namespace slipway::runtime {

using messages::errc;
using messages::error;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

/// What this client was written for. Older engines get theirs, engines that refuse it their oldest.
constexpr int api_minor = 41;
constexpr std::size_t line_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;
constexpr std::size_t answer_depth_max = 64;

std::string socket_path(std::string endpoint) {
  constexpr std::string_view scheme = "unix://";
  return endpoint.starts_with(scheme) ? endpoint.substr(scheme.size()) : endpoint;
}

/// 41 of `1.41`, -1 when it is not that.
int minor_of(std::string_view version) {
  int minor = -1;
  if (version.starts_with("1.")) {
    std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  }
  return minor;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What engines, and registries through them, say in an error without a status of its own; the first that is found decides. What is
/// not here is io_failed: it may go better the next time.
constexpr auto words = std::to_array<std::pair<std::string_view, errc>>({
  {"no space left on device", errc::disk_full},
  {"toomanyrequests", errc::too_many_requests},
  {"too many requests", errc::too_many_requests},
  {"unauthorized", errc::unauthorized},
  {"authentication required", errc::unauthorized},
  {"denied", errc::unauthorized},
  {"no basic auth credentials", errc::unauthorized},
  {"manifest unknown", errc::not_found},
  {"not found", errc::not_found},
  {"no such image", errc::not_found},
  {"name unknown", errc::not_found},
  {"name not known to registry", errc::not_found},
  // podman answers 500 where dockerd answers 409.
  {"already exists", errc::conflict},
  {"already in use", errc::conflict},
  {"already used", errc::conflict},
  // No registry has that address, or it is spoken to in the wrong way.
  {"no such host", errc::invalid_argument},
  {"invalid reference format", errc::invalid_argument},
  {"server gave http response to https client", errc::invalid_argument},
  {"first record does not look like a tls handshake", errc::invalid_argument},
  {"x509: ", errc::invalid_argument},
  // Codes of the OCI distribution specification for what is wrong in itself; those of a broken upload are not here.
  {"manifest invalid", errc::invalid_argument},
  {"name invalid", errc::invalid_argument},
  {"tag invalid", errc::invalid_argument},
  {"unsupported: ", errc::invalid_argument},
});

/// The code for a registry's HTTP status, as engines quote one whose body says nothing.
errc status_of_registry(std::string_view lower) {
  for (const std::string_view before :
       {"error parsing http ", "unexpected http status: ", "statuscode: "}) {
    const auto at = lower.find(before);
    if (at == std::string_view::npos) {
      continue;
    }
    int status = 0;
    std::from_chars(lower.data() + at + before.size(), lower.data() + lower.size(), status);
    if (status == 429) {
      return errc::too_many_requests;
    }
    if (status >= 400 && status < 500 && status != 408) {
      return errc::invalid_argument;
    }
  }
  return errc::io_failed;
}

/// Cuts a stream into JSON lines.
class line_reader {
public:
  explicit line_reader(const object_sink& sink) : sink_(sink) {}

  /// False when the call shall end; `failure` says why.
  bool feed(std::string_view bytes) {
    for (;;) {
      const auto end = bytes.find('\n');
      if (line_.size() + std::min(end, bytes.size()) > line_bytes_max) {
        failure = error{errc::too_large, "the engine sent a line of more than 4 MiB"};
        return false;
      }
      if (end == std::string_view::npos) {
        line_ += bytes;
        return true;
      }
      line_ += bytes.substr(0, end);
      bytes.remove_prefix(end + 1);
      if (!take_line()) {
        return false;
      }
    }
  }
  bool finish() { return take_line(); }
  std::optional<error> failure;

private:
  bool take_line() {
    const auto line = std::exchange(line_, {});
    if (line.find_first_not_of(" \r\t") == std::string::npos) {
      return true;
    }
    const auto object = messages::parse_json(line, answer_depth_max);
    if (!object || !object->is_object()) {
      failure = error{errc::corrupt, "the engine's stream is not JSON"};
      return false;
    }
    if (const auto it = object->find("error"); it != object->end() && it->is_string()) {
      auto text = it->get<std::string>();
      text.erase(text.find_last_not_of('\n') + 1);
      failure = error{classify(text), text};
      return false;
    }
    if (!sink_(*object)) {
      failure = error{errc::io_failed, "given up"};
      return false;
    }
    return true;
  }

  const object_sink& sink_;
  std::string line_;
};

}  // namespace

errc classify(std::string_view text) {
  const auto lower = ascii_lower(text);
  for (const auto& [part, code] : words) {
    if (contains(lower, part)) {
      return code;
    }
  }
  return status_of_registry(lower);
}

error engine_error(int status, std::string_view body) {
  std::string text;
  if (const auto object = messages::parse_json(body, answer_depth_max);
      object && object->is_object()) {
    const auto it = object->find("message");
    text = it != object->end() && it->is_string() ? it->get<std::string>() : "";
  }
  if (text.empty()) {
    text = "the engine answered " + std::to_string(status);
  }
  switch (status) {
    case 301:
    case 400:
      return {errc::invalid_argument, text};
    case 401:
    case 403:
      return {errc::unauthorized, text};
    case 404:
      // dockerd also answers 404 for a repository that an anonymous client may not see.
      return {classify(text) == errc::unauthorized ? errc::unauthorized : errc::not_found, text};
    case 409:
      return {errc::conflict, text};
    default:
      return {classify(text), text};
  }
}

std::string engine_reference(std::string_view reference) {
  std::string out;
  while (true) {
    const auto part = reference.substr(0, reference.find('/'));
    if (part == "." || part == ".." || part.empty()) {
      return {};  // would name another route of the API
    }
    for (const char c : part) {
      // References hold these, and engines want them bare.
      out += c == ':' || c == '@' ? std::string(1, c) : percent_encode({&c, 1});
    }
    if (part.size() == reference.size()) {
      return out;
    }
    out += '/';
    reference.remove_prefix(part.size() + 1);
  }
}

void add_label_filter(engine_query& query, const std::vector<std::string>& labels) {
  if (!labels.empty()) {
    query.emplace_back("filters", messages::dump_json(json{{"label", labels}}));
  }
}

container_engine::impl::impl(const std::string& endpoint)
  : http(
    {.unix_socket = socket_path(endpoint),
     .ca_file = "",
     .ca_pem = "",
     .user_agent = "slipway/" SLIPWAY_VERSION}) {}

result<engine_version> container_engine::impl::negotiate() {
  if (known) {
    return *known;
  }
  http_request r;
  r.url = "http://engine/version";
  const auto reply = http.send(r);
  if (!reply) {
    return tl::unexpected(messages::with_context("container engine", reply.error()));
  }
  if (reply->status != 200) {
    return tl::unexpected(engine_error(reply->status, reply->body));
  }
  const auto answer = messages::parse_json(reply->body, answer_depth_max);
  if (!answer || !answer->is_object()) {
    return fail(errc::corrupt, "container engine: its version is not JSON");
  }
  auto version = convert([&] {
    engine_version v;
    v.version = member<std::string>(*answer, "Version");
    v.os = member<std::string>(*answer, "Os");
    v.arch = member<std::string>(*answer, "Arch");
    for (const auto& c : member<json>(*answer, "Components", json::array())) {
      v.podman = v.podman || contains(ascii_lower(member<std::string>(c, "Name")), "podman");
    }
    v.balena = contains(ascii_lower(member<std::string>(*answer, "Engine")), "balena");
    const int newest = minor_of(member<std::string>(*answer, "ApiVersion"));
    const int oldest = minor_of(member<std::string>(*answer, "MinAPIVersion"));
    v.api_version =
      "1." + std::to_string(std::max(newest < 0 ? api_minor : std::min(newest, api_minor), oldest));
    return v;
  });
  if (version) {
    known = *version;
  }
  return version;
}

result<http_request> container_engine::impl::make_request(const engine_call& c) {
  const auto version = negotiate();
  if (!version) {
    return tl::unexpected(version.error());
  }
  http_request r;
  r.method = c.method;
  r.url = "http://engine/v" + version->api_version + c.path;
  char separator = '?';
  for (const auto& [name, value] : c.query) {
    r.url += separator;
    r.url += percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  r.headers = c.headers;
  r.timeout = c.timeout;
  r.body_bytes_max = answer_bytes_max;
  if (c.body != nullptr) {
    r.body = messages::dump_json(*c.body);
    r.headers.emplace_back("Content-Type", "application/json");
  } else if (c.source != nullptr) {
    r.body_source = *c.source;
    r.headers.emplace_back("Content-Type", "application/x-tar");
  }
  return r;
}

result<http_reply> container_engine::impl::call(const engine_call& c) {
  const auto request = make_request(c);
  if (!request) {
    return tl::unexpected(request.error());
  }
  auto reply = http.send(*request);
  if (!reply) {
    if (reply.error().code == errc::unavailable) {
      known.reset();  // whoever comes back may be another engine
    }
    return tl::unexpected(messages::with_context("container engine", reply.error()));
  }
  // 304: it is so already. Any other redirection means that a name made a path of its own.
  if (reply->status >= 300 && reply->status != 304) {
    return tl::unexpected(engine_error(reply->status, reply->body));
  }
  return reply;
}

result<void> container_engine::impl::call_void(const engine_call& c) {
  const auto reply = call(c);
  return reply ? result<void>{} : tl::unexpected(reply.error());
}

result<json> container_engine::impl::call_json(const engine_call& c) {
  const auto reply = call(c);
  if (!reply) {
    return tl::unexpected(reply.error());
  }
  auto answer = messages::parse_json(reply->body, answer_depth_max);
  if (!answer) {
    return fail(errc::corrupt, "the engine's answer is not JSON");
  }
  return answer;
}

result<void> container_engine::impl::call_stream(engine_call c, const object_sink& sink) {
  auto request = make_request(c);
  if (!request) {
    return tl::unexpected(request.error());
  }
  line_reader lines(sink);
  request->body_sink = [&lines](std::string_view bytes) { return lines.feed(bytes); };
  const auto reply = http.send(*request);
  if (lines.failure) {
    return tl::unexpected(*lines.failure);
  }
  if (!reply) {
    auto failed = reply.error();
    if (http.broken()) {
      failed.code = errc::unavailable;
      known.reset();
    }
    return tl::unexpected(messages::with_context("container engine", std::move(failed)));
  }
  if (reply->status >= 300) {
    return tl::unexpected(engine_error(reply->status, reply->body));
  }
  if (!lines.finish()) {
    return tl::unexpected(*lines.failure);
  }
  return {};
}

}  // namespace slipway::runtime
