// Images: lists, pull, push, build, load.
#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/container_engine.hpp"
#include "runtime/crypto.hpp"
#include "runtime/engine_session.hpp"

#include <algorithm>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using nlohmann::json;
template <class T>
using result = messages::result<T>;

namespace {

constexpr std::chrono::milliseconds no_timeout{0};
/// How much later than the end of a container the engine may hear why it ended.
constexpr std::int64_t late_event_ms = 100;

engine_image image_of(const json& i) {
  engine_image out;
  out.id = i.at("Id").get<std::string>();
  // podman's list leaves the algorithm out.
  if (out.id.find(':') == std::string::npos) {
    out.id = "sha256:" + out.id;
  }
  out.repo_tags = member<std::vector<std::string>>(i, "RepoTags");
  out.repo_digests = member<std::vector<std::string>>(i, "RepoDigests");
  std::erase(out.repo_tags, "<none>:<none>");
  std::erase(out.repo_digests, "<none>@<none>");
  out.arch = member<std::string>(i, "Architecture");
  out.size_bytes = member<std::int64_t>(i, "Size");
  if (const auto created = i.find("Created"); created != i.end() && created->is_number()) {
    out.created = created->get<std::int64_t>();
  }
  const auto config = member<json>(i, "Config", json::object());
  out.labels = member<label_map>(i.contains("Labels") ? i : config, "Labels");
  return out;
}

json credentials(const registry_access& a, bool podman) {
  if (!a.registry_token.empty()) {
    // podman knows passwords only; our registry takes a token as one.
    return podman ? json{{"username", "token"}, {"password", a.registry_token}}
                  : json{{"registrytoken", a.registry_token}};
  }
  if (a.username.empty()) {
    return json::object();
  }
  return {{"username", a.username}, {"password", a.password}, {"serveraddress", a.server_address}};
}

/// The engine decodes the URL-safe alphabet only.
std::string header_value(const json& value) {
  auto text = base64(messages::dump_json(value));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

/// Name and tag or digest, as two query parameters want them.
std::pair<std::string, std::string> split_reference(std::string_view reference) {
  const auto at = reference.find('@');
  auto name = reference.substr(0, at);
  const auto slash = name.rfind('/');
  const auto colon = name.rfind(':');
  const bool tagged =
    colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  const auto bare = tagged ? name.substr(0, colon) : name;
  if (at != std::string_view::npos) {
    return {std::string(bare), std::string(reference.substr(at + 1))};
  }
  // Without a tag the engine would fetch all of them.
  return {std::string(bare), tagged ? std::string(name.substr(colon + 1)) : "latest"};
}

transfer_progress progress_of(const json& line) {
  transfer_progress p;
  p.id = member<std::string>(line, "id");
  p.status = member<std::string>(line, "status");
  const auto detail = member<json>(line, "progressDetail", json::object());
  p.current_bytes = member<std::int64_t>(detail, "current");
  p.total_bytes = member<std::int64_t>(detail, "total");
  return p;
}

/// The digest in `latest: digest: sha256:... size: 582`, which is all that podman tells; "" in other words.
std::string pushed_digest(std::string_view status) {
  constexpr std::string_view before = ": digest: ";
  const auto at = status.find(before);
  const auto digest = at == std::string_view::npos ? "" : status.substr(at + before.size());
  return digest.starts_with("sha256:") ? std::string(digest.substr(0, digest.find(' '))) : "";
}

/// Sink for lines of a shape of ours: JSON of another shape ends the stream.
object_sink guarded(std::optional<messages::error>& failure, object_sink inner) {
  return [&failure, inner = std::move(inner)](const json& line) {
    try {
      return inner(line);
    } catch (const json::exception& e) {
      failure = messages::error{errc::corrupt, std::string("the engine's stream: ") + e.what()};
      return false;
    }
  };
}

/// The container of a step, where the engine names it: ` ---> Running in 1e3c7e93bdbd`; "" in other text.
std::string container_of_step(std::string_view text) {
  constexpr std::string_view words = " ---> Running in ";
  if (!text.starts_with(words)) {
    return "";
  }
  const auto id = text.substr(words.size());
  return std::string(id.substr(0, id.find_first_not_of("0123456789abcdef")));
}

engine_query build_query(const build_request& request) {
  engine_query query{{"dockerfile", request.dockerfile}, {"rm", "true"}, {"forcerm", "true"}};
  for (const auto& tag : request.tags) {
    query.emplace_back("t", tag);
  }
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) {
      query.emplace_back(name, value);
    }
  };
  add("target", request.target);
  add("platform", request.platform);
  add("networkmode", request.network_mode);
  add("nocache", request.no_cache ? "true" : "");
  add("pull", request.pull ? "true" : "");
  add("cachefrom", request.cache_from.empty() ? "" : messages::dump_json(json(request.cache_from)));
  if (request.memory_bytes_max > 0) {
    add("memory", std::to_string(request.memory_bytes_max));
    add("memswap", std::to_string(request.memory_bytes_max));
  }
  add("buildargs", request.build_args.empty() ? "" : messages::dump_json(json(request.build_args)));
  add("labels", request.labels.empty() ? "" : messages::dump_json(json(request.labels)));
  add("volumes", request.volumes.empty() ? "" : messages::dump_json(json(request.volumes)));
  add("secrets", request.secrets.empty() ? "" : messages::dump_json(json(request.secrets)));
  return query;
}

}  // namespace

result<std::vector<engine_image>> container_engine::images(const std::vector<std::string>& labels) {
  engine_query query;
  add_label_filter(query, labels);
  const auto answer = impl_->call_json({.path = "/images/json", .query = query});
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] {
    std::vector<engine_image> out;
    for (const auto& item : *answer) {
      out.push_back(image_of(item));
    }
    return out;
  });
}

result<json> container_engine::inspect_image_json(std::string_view reference) {
  return impl_->call_json({.path = "/images/" + engine_reference(reference) + "/json"});
}

result<engine_image> container_engine::inspect_image(std::string_view reference) {
  const auto answer = inspect_image_json(reference);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return convert([&] { return image_of(*answer); });
}

result<void> container_engine::remove_image(std::string_view reference, bool force) {
  return impl_->call_void(
    {.method = "DELETE",
     .path = "/images/" + engine_reference(reference),
     .query = {{"force", force ? "true" : "false"}}});
}

result<void> container_engine::tag_image(
  std::string_view reference,
  std::string_view repository,
  std::string_view tag) {
  return impl_->call_void(
    {.method = "POST",
     .path = "/images/" + engine_reference(reference) + "/tag",
     .query = {{"repo", std::string(repository)}, {"tag", std::string(tag)}}});
}

result<engine_image> container_engine::pull(
  std::string_view reference,
  const registry_access& access,
  const progress_sink& progress) {
  const auto version = impl_->negotiate();
  if (!version) {
    return tl::unexpected(version.error());
  }
  const auto [name, tag] = split_reference(reference);
  engine_call call{
    .method = "POST",
    .path = "/images/create",
    .query = {{"fromImage", name}, {"tag", tag}},
    .timeout = no_timeout,
    .headers = {{"X-Registry-Auth", header_value(credentials(access, version->podman))}}};
  if (version->podman && access.plain_http) {
    call.query.emplace_back("tlsVerify", "false");
  }
  std::optional<messages::error> failure;
  const auto done = impl_->call_stream(call, guarded(failure, [&](const json& line) {
                                         return !progress || progress(progress_of(line));
                                       }));
  if (failure || !done) {
    return tl::unexpected(
      messages::with_context("pull " + std::string(reference), failure ? *failure : done.error()));
  }
  return inspect_image(reference);
}

result<std::string> container_engine::push(
  std::string_view reference,
  const registry_access& access,
  const progress_sink& progress) {
  const auto version = impl_->negotiate();
  if (!version) {
    return tl::unexpected(version.error());
  }
  const auto [name, tag] = split_reference(reference);
  engine_call call{
    .method = "POST",
    .path = "/images/" + engine_reference(name) + "/push",
    .query = {{"tag", tag}},
    .timeout = no_timeout,
    .headers = {{"X-Registry-Auth", header_value(credentials(access, version->podman))}}};
  if (version->podman && access.plain_http) {
    call.query.emplace_back("tlsVerify", "false");
  }
  std::string digest;
  std::optional<messages::error> failure;
  const auto done =
    impl_->call_stream(call, guarded(failure, [&](const json& line) {
                         const auto aux = member<json>(line, "aux", json::object());
                         if (aux.contains("Digest")) {
                           digest = aux.at("Digest").get<std::string>();
                           return true;
                         }
                         const auto step = progress_of(line);
                         if (auto told = pushed_digest(step.status); !told.empty()) {
                           digest = std::move(told);
                           return true;
                         }
                         return !progress || progress(step);
                       }));
  if (failure || !done) {
    return tl::unexpected(
      messages::with_context("push " + std::string(reference), failure ? *failure : done.error()));
  }
  return digest;
}

result<engine_image> container_engine::build(
  const build_request& request,
  const tar_source& context,
  const text_sink& output,
  const progress_sink& progress) {
  engine_call call{
    .method = "POST",
    .path = "/build",
    .query = build_query(request),
    .timeout = no_timeout,
    .source = &context,
    .headers = {}};
  if (!request.registries.empty()) {
    json all = json::object();
    for (const auto& [host, access] : request.registries) {
      all[host] = credentials(access, false);  // user and password, or nothing
    }
    call.headers.emplace_back("X-Registry-Config", header_value(all));
  }
  std::string id;
  std::string step;
  std::optional<messages::error> failure;
  const auto done =
    impl_->call_stream(call, guarded(failure, [&](const json& line) {
                         const auto aux = member<json>(line, "aux", json::object());
                         id = member<std::string>(aux, "ID", id);
                         auto text = member<std::string>(line, "stream");
                         if (auto begun = container_of_step(text); !begun.empty()) {
                           step = std::move(begun);
                         }
                         if (text.empty() && progress && line.contains("status")) {
                           return progress(progress_of(line));
                         }
                         if (text.empty() && line.contains("status")) {
                           text = member<std::string>(line, "status") + "\n";  // of a base image
                         }
                         return text.empty() || !output || output(text);
                       }));
  if (failure || !done) {
    auto why = messages::with_context("build", failure ? *failure : done.error());
    // All that the engine itself says is the status of the step, which may be anything.
    if (
      !failure && request.memory_bytes_max > 0 && !step.empty() && impl_->ran_out_of_memory(step)) {
      why.detail += ": it needed more memory than the "
                    + std::to_string(request.memory_bytes_max >> 20) + " MiB that a step may have";
    }
    return tl::unexpected(why);
  }
  if (id.empty() && request.tags.empty()) {
    return fail(errc::corrupt, "build: the engine did not name the image");
  }
  return inspect_image(id.empty() ? request.tags.front() : id);
}

bool container_engine::impl::ran_out_of_memory(const std::string& container) {
  const auto until = now_ms() + late_event_ms;
  const auto fraction = std::to_string(until % 1000);
  const json filters = {{"container", json::array({container})}, {"event", json::array({"oom"})}};
  bool seen = false;
  const auto asked = call_stream(
    {.path = "/events",
     .query =
       {{"since", "0"},
        {"until",
         std::to_string(until / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction},
        {"filters", messages::dump_json(filters)}},
     .headers = {}},
    [&](const json&) {
      seen = true;
      return true;
    });
  return asked && seen;
}

result<void> container_engine::load(const tar_source& archive, const text_sink& output) {
  std::optional<messages::error> failure;
  const auto done = impl_->call_stream(
    {.method = "POST",
     .path = "/images/load",
     .timeout = no_timeout,
     .source = &archive,
     .headers = {}},
    guarded(failure, [&](const json& line) {
      const auto text = member<std::string>(line, "stream");
      return text.empty() || !output || output(text);
    }));
  if (failure || !done) {
    return tl::unexpected(messages::with_context("load", failure ? *failure : done.error()));
  }
  return {};
}

}  // namespace slipway::runtime
