#pragma once

#include "agent/ports.hpp"
#include "agent/posix/lock_files.hpp"
#include "runtime/container_engine.hpp"

#include <string>

namespace slipway::agent {

/// The registry that this device's key opens, as the platform's API endpoint or config.json's `registryEndpoint` tell.
struct registry_login {
  std::string endpoint;  ///< of the API: `https://api.example.com`
  std::string registry;  ///< host[:port] from config.json, "" = derived from the endpoint
  std::string device_key;
};

/// Whether `image` lies in the platform's registry: only that host ever sees the device's key.
[[nodiscard]] bool is_platform_image(const std::string& image, const registry_login& login);

/// A `container_host` on the Docker Engine API. Sees only what carries this device's label.
class docker_host : public container_host {
public:
  explicit docker_host(std::string endpoint);

  /// Before use: the identity may be final only after registration.
  void set_identity(std::string uuid, registry_login login);
  /// Makes the folder of update locks that a container mounts. Outlives this; null = none.
  void set_locks(lock_files* locks) { locks_ = locks; }

  messages::result<domain::current_state> snapshot() override;
  messages::result<void> perform(const domain::step& step, const domain::desired_state& desired)
    override;
  messages::result<void>
  fetch(const std::string& image, const std::string& key, const fetch_progress& progress) override;
  messages::result<void> release_image(const std::string& key, const std::string& pulled) override;
  void cancel() override { engine_.cancel(); }

private:
  messages::result<void> read_containers(domain::current_state& out);
  messages::result<void> read_networks(domain::current_state& out);
  messages::result<void> read_volumes(domain::current_state& out);
  messages::result<void> read_images(domain::current_state& out);
  messages::result<void> create(
    const domain::desired_app& app,
    const domain::desired_service& service);
  messages::result<void> start(const std::string& id, const domain::desired_service& service);
  messages::result<void> remove(const std::string& id);
  messages::result<void> create_volume(const domain::desired_object& volume);
  messages::result<void> remove_volume(const std::string& name);
  [[nodiscard]] std::string keep_tag(const std::string& key) const;

  runtime::container_engine engine_;
  std::string uuid_;
  registry_login login_;
  lock_files* locks_ = nullptr;
};

/// Percent of a pull from the engine's events per layer; never goes back.
class pull_progress {
public:
  int add(const runtime::transfer_progress& event);

private:
  std::map<std::string, double> layers_;
  int percent_ = 0;
};

}  // namespace slipway::agent
