#include "agent/posix/docker_host.hpp"

#include "runtime/failpoint.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace slipway::agent {
namespace {

using domain::container_status;
using domain::step_kind;
using messages::errc;
using messages::fail;
using json = nlohmann::json;

constexpr std::chrono::seconds stop_grace_default{10};

container_status status_of(const std::string& text) {
  if (text == "running" || text == "stopping") {
    return container_status::running;
  }
  if (text == "paused") {
    return container_status::paused;
  }
  if (text == "restarting") {
    return container_status::restarting;
  }
  if (text == "removing") {
    return container_status::removing;
  }
  if (text == "dead") {
    return container_status::dead;
  }
  if (text == "exited" || text == "stopped") {  // podman says stopped
    return container_status::exited;
  }
  return container_status::created;
}

std::string label(const runtime::label_map& labels, const char* name) {
  const auto it = labels.find(name);
  return it == labels.end() ? std::string() : it->second;
}

/// A member of the engine's answer, null if it is not there: answers are not trusted to be complete.
const json& member(const json& j, std::initializer_list<const char*> path) {
  static const json nothing;
  const json* at = &j;
  for (const char* name : path) {
    if (!at->is_object()) {
      return nothing;
    }
    const auto it = at->find(name);
    if (it == at->end()) {
      return nothing;
    }
    at = &*it;
  }
  return *at;
}

std::string text(const json& j) {
  return j.is_string() ? j.get<std::string>() : std::string();
}

bool is(const messages::result<void>& r, errc code) {
  return !r && r.error().code == code;
}

std::string host_of_url(const std::string& url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

std::string host_of_image(const std::string& image) {
  return image.substr(0, image.find('/'));
}

}  // namespace

bool is_platform_image(const std::string& image, const registry_login& login) {
  const auto host = host_of_image(image);
  if (!login.registry.empty()) {
    return host == login.registry;
  }
  const auto api = host_of_url(login.endpoint);
  if (host == api) {
    return true;
  }
  return api.rfind("api.", 0) == 0 && host == "registry2." + api.substr(4);
}

docker_host::docker_host(std::string endpoint) : engine_(std::move(endpoint)) {}

void docker_host::set_identity(std::string uuid, registry_login login) {
  uuid_ = std::move(uuid);
  login_ = std::move(login);
}

std::string docker_host::keep_tag(const std::string& key) const {
  return domain::keep_repository(uuid_) + ":" + key;
}

messages::result<domain::current_state> docker_host::snapshot() {
  domain::current_state out;
  auto r = read_containers(out);
  r = r ? read_networks(out) : r;
  r = r ? read_volumes(out) : r;
  r = r ? read_images(out) : r;
  if (!r) {
    return tl::unexpected(r.error());
  }
  return out;
}

messages::result<void> docker_host::read_containers(domain::current_state& out) {
  const auto list = engine_.containers({std::string(domain::label_device) + "=" + uuid_});
  if (!list) {
    return tl::unexpected(list.error());
  }
  for (const auto& c : *list) {
    // podman filters by prefix in some versions: never act on what is not ours for certain.
    if (label(c.labels, domain::label_device) != uuid_) {
      continue;
    }
    const auto whole = engine_.inspect_container(c.id);
    if (!whole && whole.error().code == errc::not_found) {
      continue;
    }
    if (!whole) {
      return tl::unexpected(whole.error());
    }
    domain::current_container x;
    x.id = c.id;
    x.name = c.name;
    x.status = status_of(text(member(*whole, {"State", "Status"})));
    x.created = c.created;
    x.app_uuid = label(c.labels, domain::label_app_uuid);
    x.service = label(c.labels, domain::label_service_name);
    const auto app_id = label(c.labels, domain::label_app_id);
    std::from_chars(app_id.data(), app_id.data() + app_id.size(), x.app_id);
    x.config_hash = label(c.labels, domain::label_config);
    const auto& networks = member(*whole, {"NetworkSettings", "Networks"});
    if (networks.is_object()) {
      for (const auto& [name, endpoint] : networks.items()) {
        x.networks.insert(name);
      }
    }
    const auto mode = text(member(*whole, {"HostConfig", "NetworkMode"}));
    if (mode.rfind("container:", 0) == 0) {
      x.shares_network_of = mode.substr(10);
    }
    out.containers.push_back(std::move(x));
  }
  return {};
}

messages::result<void> docker_host::read_networks(domain::current_state& out) {
  const auto list = engine_.networks({std::string(domain::label_device) + "=" + uuid_});
  if (!list) {
    return tl::unexpected(list.error());
  }
  for (const auto& n : *list) {
    if (label(n.labels, domain::label_device) == uuid_) {
      out.networks.push_back(
        {n.id,
         n.name,
         label(n.labels, domain::label_app_uuid),
         label(n.labels, domain::label_name),
         label(n.labels, domain::label_config)});
    }
  }
  return {};
}

messages::result<void> docker_host::read_volumes(domain::current_state& out) {
  const auto list = engine_.volumes({std::string(domain::label_device) + "=" + uuid_});
  if (!list) {
    return tl::unexpected(list.error());
  }
  for (const auto& v : *list) {
    if (label(v.labels, domain::label_device) == uuid_) {
      out.volumes.push_back(
        {v.name,
         v.name,
         label(v.labels, domain::label_app_uuid),
         label(v.labels, domain::label_name),
         label(v.labels, domain::label_config)});
    }
  }
  return {};
}

messages::result<void> docker_host::read_images(domain::current_state& out) {
  const auto list = engine_.images();
  if (!list) {
    return tl::unexpected(list.error());
  }
  const auto mine = domain::keep_repository(uuid_) + ":";
  const auto any_agent = domain::keep_repository("");
  for (const auto& image : *list) {
    bool held = false;
    for (const auto& tag : image.repo_tags) {
      held = held || tag.rfind(any_agent, 0) == 0;
      if (tag.rfind(mine, 0) == 0) {
        out.images.insert(tag.substr(mine.size()));
      }
    }
    if (!held) {
      out.foreign_images.insert(image.repo_tags.begin(), image.repo_tags.end());
      out.foreign_images.insert(image.repo_digests.begin(), image.repo_digests.end());
    }
  }
  return {};
}

messages::result<void> docker_host::perform(
  const domain::step& step,
  const domain::desired_state& desired) {
  const auto app = desired.apps.find(step.app);
  const auto* service = app != desired.apps.end() && app->second.services.contains(step.service)
                          ? &app->second.services.at(step.service)
                          : nullptr;
  switch (step.kind) {
    case step_kind::stop: {
      const std::chrono::seconds grace =
        service == nullptr ? stop_grace_default : std::chrono::seconds(service->stop_seconds);
      const auto done = engine_.stop_container(step.id, grace);
      return is(done, errc::not_found) ? messages::result<void>() : done;
    }
    case step_kind::remove:
      return remove(step.id);
    case step_kind::create_network: {
      const auto made = engine_.create_network(app->second.networks.at(step.service).body);
      return made ? messages::result<void>() : tl::unexpected(made.error());
    }
    case step_kind::remove_network: {
      const auto done = engine_.remove_network(step.id);
      return is(done, errc::not_found) ? messages::result<void>() : done;
    }
    case step_kind::create_volume:
      return create_volume(app->second.volumes.at(step.service));
    case step_kind::create:
      return create(app->second, *service);
    case step_kind::start:
      return start(step.id, *service);
    case step_kind::rename:
      return engine_.rename_container(step.id, service->container_name);
    case step_kind::remove_volume:
      return remove_volume(step.id);
    case step_kind::restart: {
      const std::chrono::seconds grace =
        service == nullptr ? stop_grace_default : std::chrono::seconds(service->stop_seconds);
      const auto done = engine_.restart_container(step.id, grace);
      return is(done, errc::not_found) ? messages::result<void>() : done;
    }
    case step_kind::fetch:
    case step_kind::release_image:
    case step_kind::wait:
      break;
  }
  return {};
}

messages::result<void> docker_host::remove_volume(const std::string& name) {
  const auto there = engine_.inspect_volume(name);
  if (!there) {
    return there.error().code == errc::not_found ? messages::result<void>()
                                                 : tl::unexpected(there.error());
  }
  // The identity is checked once more: this destroys people's data.
  if (label(there->labels, domain::label_device) != uuid_) {
    return fail(errc::rule_violated, "volume is not this device's");
  }
  const auto removed = engine_.remove_volume(name);
  return is(removed, errc::not_found) ? messages::result<void>() : removed;
}

messages::result<void> docker_host::remove(const std::string& id) {
  const auto whole = engine_.inspect_container(id);
  if (!whole) {
    return whole.error().code == errc::not_found ? messages::result<void>()
                                                 : tl::unexpected(whole.error());
  }
  // The identity is checked once more: this is the one call that destroys.
  if (text(member(*whole, {"Config", "Labels", domain::label_device})) != uuid_) {
    return fail(errc::rule_violated, "container is not this device's");
  }
  const auto& timeout = member(*whole, {"Config", "StopTimeout"});
  const auto grace =
    timeout.is_number_integer() ? std::chrono::seconds(timeout.get<int>()) : stop_grace_default;
  const auto stopped = engine_.stop_container(id, grace);
  if (!stopped && !is(stopped, errc::not_found)) {
    return stopped;
  }
  SLIPWAY_FAILPOINT("agent.apply.stopped");
  const auto removed = engine_.remove_container(id, true, true);
  // A removal that is under way already ends without us.
  return is(removed, errc::not_found) || is(removed, errc::conflict) ? messages::result<void>()
                                                                     : removed;
}

messages::result<void> docker_host::create_volume(const domain::desired_object& volume) {
  const auto made = engine_.create_volume(volume.body);
  if (!made) {
    return tl::unexpected(made.error());
  }
  if (label(made->labels, domain::label_device) != uuid_) {
    return fail(
      errc::conflict,
      "volume " + volume.engine_name + " exists and is not this device's");
  }
  return {};
}

messages::result<void> docker_host::create(
  const domain::desired_app& app,
  const domain::desired_service& service) {
  auto body = service.body;
  // By its name if the engine knows it: that is what people see. Else by our tag on the same content.
  body["Image"] =
    engine_.inspect_image(service.image) ? service.image : keep_tag(service.image_key);
  if (!service.shares_network_of.empty()) {
    const auto provider = engine_.containers(
      {std::string(domain::label_device) + "=" + uuid_,
       std::string(domain::label_app_uuid) + "=" + app.uuid,
       std::string(domain::label_service_name) + "=" + service.shares_network_of});
    if (!provider || provider->empty()) {
      return fail(errc::not_found, "no container of service " + service.shares_network_of);
    }
    body["HostConfig"]["NetworkMode"] = "container:" + provider->front().id;
  }
  // Not part of the configuration's hash: where locks lie is the agent's business and no reason to make a container anew.
  if (const auto folder = locks_ == nullptr ? messages::result<std::string>(std::string())
                                            : locks_->prepare(app.id, service.service);
      folder && !folder->empty()) {
    body["HostConfig"]["Binds"].push_back(*folder + ":/tmp/balena:rw");
    body["HostConfig"]["Binds"].push_back(*folder + ":/tmp/resin:rw");
    for (const char* prefix : {"BALENA_", "RESIN_"}) {
      body["Env"].push_back(std::string(prefix) + "APP_LOCK_PATH=/tmp/balena/updates.lock");
    }
  }
  const auto made = engine_.create_container(service.container_name, body);
  if (!made) {
    return tl::unexpected(made.error());
  }
  return {};
}

messages::result<void> docker_host::start(
  const std::string& id,
  const domain::desired_service& service) {
  // A crash may have come between creating it and joining its other networks.
  if (service.networks.size() > 1) {
    const auto whole = engine_.inspect_container(id);
    if (!whole) {
      return tl::unexpected(whole.error());
    }
    const auto& joined = member(*whole, {"NetworkSettings", "Networks"});
    for (const auto& n : service.networks) {
      if (joined.is_object() && joined.contains(n.network)) {
        continue;
      }
      if (auto done = engine_.connect_network(n.network, id, n.config); !done) {
        return done;
      }
      SLIPWAY_FAILPOINT("agent.apply.connect");
    }
  }
  return engine_.start_container(id);
}

messages::result<void> docker_host::fetch(
  const std::string& image,
  const std::string& key,
  const fetch_progress& progress) {
  if (!engine_.inspect_image(image)) {
    runtime::registry_access access;
    access.plain_http = login_.endpoint.rfind("http://", 0) == 0;
    if (is_platform_image(image, login_)) {
      access.username = "d_" + uuid_;
      access.password = login_.device_key;
      access.server_address = host_of_image(image);
    }
    pull_progress percent;
    const auto got = engine_.pull(image, access, [&](const runtime::transfer_progress& event) {
      return progress(percent.add(event));
    });
    if (!got) {
      return tl::unexpected(got.error());
    }
    SLIPWAY_FAILPOINT("agent.apply.pulled");
  }
  // Images pulled by digest have no tag, and clean-ups take them for left-overs.
  return engine_.tag_image(image, domain::keep_repository(uuid_), key);
}

messages::result<void> docker_host::release_image(
  const std::string& key,
  const std::string& pulled) {
  const auto untagged = engine_.remove_image(keep_tag(key));
  if (!untagged && !is(untagged, errc::not_found)) {
    return untagged;
  }
  SLIPWAY_FAILPOINT("agent.apply.untagged");
  if (pulled.empty()) {
    return {};
  }
  const auto left = engine_.inspect_image(pulled);
  if (!left || !left->repo_tags.empty()) {
    return {};  // gone, or somebody else holds it
  }
  const auto removed = engine_.remove_image(pulled);
  // A container of somebody else uses it: it is theirs now.
  return is(removed, errc::not_found) || is(removed, errc::conflict) ? messages::result<void>()
                                                                     : removed;
}

int pull_progress::add(const runtime::transfer_progress& event) {
  if (event.id.empty()) {
    return percent_;
  }
  constexpr double download_share = 0.7;
  const double part =
    event.total_bytes > 0 ? std::clamp(
      static_cast<double>(event.current_bytes) / static_cast<double>(event.total_bytes),
      0.0,
      1.0)
                          : 0;
  auto& layer = layers_[event.id];
  if (event.status == "Downloading") {
    layer = std::max(layer, part * download_share);
  } else if (event.status == "Download complete" || event.status == "Verifying Checksum") {
    layer = std::max(layer, download_share);
  } else if (event.status == "Extracting") {
    layer = std::max(layer, download_share + part * (1 - download_share));
  } else if (event.status == "Pull complete" || event.status == "Already exists") {
    layer = 1;
  } else if (event.status != "Pulling fs layer" && event.status != "Waiting") {
    layers_.erase(event.id);  // `Pulling from`, with the tag as id
    return percent_;
  }
  const double sum =
    std::accumulate(layers_.begin(), layers_.end(), 0.0, [](double s, const auto& l) {
      return s + l.second;
    });
  const auto now = static_cast<int>(100 * sum / static_cast<double>(layers_.size()));
  percent_ = std::clamp(std::max(percent_, now), 0, 100);
  return percent_;
}

}  // namespace slipway::agent
