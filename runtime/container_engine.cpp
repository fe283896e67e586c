#include "runtime/container_engine.hpp"

#include "runtime/engine_log_splitter.hpp"
#include "runtime/engine_session.hpp"
#include "runtime/http_text.hpp"

#include <array>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

/// On top of what a stop may take by its own grace.
constexpr std::chrono::seconds stop_slack{60};

label_map labels_of(const json& object) {
  return member<label_map>(object, "Labels");
}

engine_container container_of(const json& c) {
  engine_container out;
  out.id = c.at("Id").get<std::string>();
  for (const auto& name : member<std::vector<std::string>>(c, "Names")) {
    // A linked container has further names, with a slash of their own.
    if (name.find('/', 1) == std::string::npos) {
      out.name = name.starts_with('/') ? name.substr(1) : name;
      break;
    }
  }
  out.image = member<std::string>(c, "Image");
  out.image_id = member<std::string>(c, "ImageID");
  out.state = member<std::string>(c, "State");
  out.status = member<std::string>(c, "Status");
  out.created = member<std::int64_t>(c, "Created");
  out.labels = labels_of(c);
  out.network_mode =
    member<std::string>(member<json>(c, "HostConfig", json::object()), "NetworkMode");
  return out;
}

engine_network network_of(const json& n) {
  return {
    n.at("Id").get<std::string>(),
    member<std::string>(n, "Name"),
    member<std::string>(n, "Driver"),
    labels_of(n)};
}

engine_volume volume_of(const json& v) {
  return {
    v.at("Name").get<std::string>(),
    member<std::string>(v, "Driver"),
    member<std::string>(v, "Mountpoint"),
    labels_of(v)};
}

template <class T>
messages::result<std::vector<T>> list_of(
  const messages::result<json>& answer,
  T (*one)(const json&)) {
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] {
    std::vector<T> out;
    for (const auto& item : *answer) {
      out.push_back(one(item));
    }
    return out;
  });
}

std::string of_container(std::string_view id, std::string_view what) {
  return "/containers/" + percent_encode(id) + std::string(what);
}

}  // namespace

template <class T>
using result = messages::result<T>;

container_engine::container_engine(std::string endpoint)
  : impl_(std::make_unique<impl>(endpoint)) {}
container_engine::~container_engine() = default;
container_engine::container_engine(container_engine&&) noexcept = default;
container_engine& container_engine::operator=(container_engine&&) noexcept = default;

void container_engine::cancel() {
  impl_->http.cancel();
}

result<void> container_engine::ping() {
  return impl_->call_void({.path = "/_ping"});
}

result<engine_version> container_engine::version() {
  impl_->known.reset();
  return impl_->negotiate();
}

result<engine_disk_usage> container_engine::disk_usage() {
  const auto answer = impl_->call_json({.path = "/system/df"});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] {
    engine_disk_usage d;
    const auto count = [&](const char* name) {
      return static_cast<std::int64_t>(member<json>(*answer, name, json::array()).size());
    };
    d.image_layer_bytes = member<std::int64_t>(*answer, "LayersSize");
    d.images = count("Images");
    d.containers = count("Containers");
    d.volumes = count("Volumes");
    return d;
  });
}

result<std::vector<engine_container>> container_engine::containers(
  const std::vector<std::string>& labels,
  bool all) {
  engine_query query{{"all", all ? "true" : "false"}};
  add_label_filter(query, labels);
  return list_of(impl_->call_json({.path = "/containers/json", .query = query}), &container_of);
}

result<std::string> container_engine::create_container(std::string_view name, const json& config) {
  engine_query query;
  if (!name.empty()) {
    query.emplace_back("name", name);
  }
  const auto answer = impl_->call_json(
    {.method = "POST", .path = "/containers/create", .query = query, .body = &config});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] { return answer->at("Id").get<std::string>(); });
}

result<json> container_engine::inspect_container(std::string_view id) {
  return impl_->call_json({.path = of_container(id, "/json")});
}

result<void> container_engine::start_container(std::string_view id) {
  return impl_->call_void({.method = "POST", .path = of_container(id, "/start")});
}

result<void> container_engine::stop_container(std::string_view id, std::chrono::seconds grace) {
  return impl_->call_void(
    {.method = "POST",
     .path = of_container(id, "/stop"),
     .query = {{"t", std::to_string(grace.count())}},
     .timeout = grace + stop_slack});
}

result<void> container_engine::kill_container(std::string_view id, std::string_view signal) {
  return impl_->call_void(
    {.method = "POST",
     .path = of_container(id, "/kill"),
     .query = {{"signal", std::string(signal)}}});
}

result<void> container_engine::restart_container(std::string_view id, std::chrono::seconds grace) {
  return impl_->call_void(
    {.method = "POST",
     .path = of_container(id, "/restart"),
     .query = {{"t", std::to_string(grace.count())}},
     .timeout = grace + stop_slack});
}

result<void>
container_engine::remove_container(std::string_view id, bool force, bool anonymous_volumes) {
  return impl_->call_void(
    {.method = "DELETE",
     .path = of_container(id, ""),
     .query = {{"force", force ? "true" : "false"}, {"v", anonymous_volumes ? "true" : "false"}}});
}

result<void> container_engine::rename_container(std::string_view id, std::string_view name) {
  return impl_->call_void(
    {.method = "POST",
     .path = of_container(id, "/rename"),
     .query = {{"name", std::string(name)}}});
}

result<void> container_engine::update_container(std::string_view id, const json& config) {
  return impl_->call_void({.method = "POST", .path = of_container(id, "/update"), .body = &config});
}

result<int> container_engine::wait_container(
  std::string_view id,
  std::chrono::milliseconds timeout) {
  const auto answer =
    impl_->call_json({.method = "POST", .path = of_container(id, "/wait"), .timeout = timeout});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] { return answer->at("StatusCode").get<int>(); });
}

result<void>
container_engine::logs(std::string_view id, const log_request& request, const log_sink& sink) {
  const auto about = inspect_container(id);
  if (!about) {
    return tl::unexpected(about.error());
  }
  const bool terminal = about->value("/Config/Tty"_json_pointer, false);
  const auto flag = [](bool on) { return on ? "true" : "false"; };
  auto made = impl_->make_request(
    {.path = of_container(id, "/logs"),
     .query =
       {{"stdout", "true"},
        {"stderr", "true"},
        {"follow", flag(request.follow)},
        {"timestamps", flag(request.timestamps)},
        {"since", std::to_string(request.since)},
        {"tail", request.tail < 0 ? "all" : std::to_string(request.tail)}},
     .timeout = std::chrono::milliseconds(0)});
  if (!made) {
    return tl::unexpected(made.error());
  }
  log_splitter splitter;
  const auto part = [&sink](bool error, bool, std::string_view bytes) {
    return sink(error, bytes);
  };
  bool given_up = false;
  made->body_sink = [&](std::string_view bytes) {
    given_up = terminal ? !sink(false, bytes) : !splitter.feed(bytes, part);
    return !given_up;
  };
  const auto reply = impl_->http.send(*made);
  if (given_up) {
    return {};
  }
  if (!reply) {
    return tl::unexpected(messages::with_context("container engine", reply.error()));
  }
  if (reply->status >= 300) {
    return tl::unexpected(engine_error(reply->status, reply->body));
  }
  return {};
}

result<void> container_engine::events(
  const std::vector<std::string>& labels,
  std::int64_t since,
  const std::function<bool(const json&)>& sink) {
  engine_query query;
  add_label_filter(query, labels);
  if (since > 0) {
    query.emplace_back("since", std::to_string(since));
  }
  bool given_up = false;
  const auto done = impl_->call_stream(
    {.path = "/events", .query = query, .timeout = std::chrono::milliseconds(0)},
    [&](const json& event) {
      given_up = !sink(event);
      return !given_up;
    });
  return given_up ? result<void>{} : done;
}

result<std::vector<engine_network>> container_engine::networks(
  const std::vector<std::string>& labels) {
  engine_query query;
  add_label_filter(query, labels);
  return list_of(impl_->call_json({.path = "/networks", .query = query}), &network_of);
}

result<std::string> container_engine::create_network(const json& config) {
  // Without it dockerd makes a second network of the same name.
  auto checked = config;
  checked["CheckDuplicate"] = true;
  const auto answer =
    impl_->call_json({.method = "POST", .path = "/networks/create", .body = &checked});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] { return answer->at("Id").get<std::string>(); });
}

result<json> container_engine::inspect_network(std::string_view id) {
  return impl_->call_json({.path = "/networks/" + percent_encode(id)});
}

result<void> container_engine::remove_network(std::string_view id) {
  return impl_->call_void({.method = "DELETE", .path = "/networks/" + percent_encode(id)});
}

result<void> container_engine::connect_network(
  std::string_view network,
  std::string_view container,
  const json& endpoint) {
  const json body{{"Container", container}, {"EndpointConfig", endpoint}};
  return impl_->call_void(
    {.method = "POST", .path = "/networks/" + percent_encode(network) + "/connect", .body = &body});
}

result<void> container_engine::disconnect_network(
  std::string_view network,
  std::string_view container,
  bool force) {
  const json body{{"Container", container}, {"Force", force}};
  return impl_->call_void(
    {.method = "POST",
     .path = "/networks/" + percent_encode(network) + "/disconnect",
     .body = &body});
}

result<std::vector<engine_volume>> container_engine::volumes(
  const std::vector<std::string>& labels) {
  engine_query query;
  add_label_filter(query, labels);
  auto answer = impl_->call_json({.path = "/volumes", .query = query});
  if (answer) {
    answer = convert([&] { return member<json>(*answer, "Volumes", json::array()); });
  }
  return list_of(answer, &volume_of);
}

result<engine_volume> container_engine::create_volume(const json& config) {
  const auto answer =
    impl_->call_json({.method = "POST", .path = "/volumes/create", .body = &config});
  if (!answer) {
    // podman refuses what dockerd answers with the volume that is there.
    if (impl_->known && impl_->known->podman && config.contains("Name")) {
      if (auto there = inspect_volume(config.at("Name").get<std::string>())) {
        return there;
      }
    }
    return tl::unexpected(answer.error());
  }
  return convert([&] { return volume_of(*answer); });
}

result<engine_volume> container_engine::inspect_volume(std::string_view name) {
  const auto answer = impl_->call_json({.path = "/volumes/" + percent_encode(name)});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] { return volume_of(*answer); });
}

result<void> container_engine::remove_volume(std::string_view name, bool force) {
  return impl_->call_void(
    {.method = "DELETE",
     .path = "/volumes/" + percent_encode(name),
     .query = {{"force", force ? "true" : "false"}}});
}

}  // namespace slipway::runtime
