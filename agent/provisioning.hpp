#pragma once

#include "agent/device_config.hpp"
#include "agent/platform_api.hpp"
#include "agent/state_store.hpp"
#include "runtime/curve.hpp"

#include <functional>
#include <string>

namespace slipway::agent {

/// The CURVE pair of a uuid: loaded, or made and stored. Each uuid has its own, so that a new identity has a new key.
using key_maker = std::function<messages::result<runtime::curve_keys>(const std::string& uuid)>;

enum class provisioning_outcome {
  done,          ///< registered and announced
  retry,         ///< no luck this time; the same again later
  new_identity,  ///< the identity was taken; a new one is stored, try at once
};

/// How a device joins (facts: balena API, "Registration"; ADR 0020). Every secret is on disk before the first request that
/// names it, so that a crash at any point repeats a request instead of making a second device.
class provisioning {
public:
  provisioning(
    device_config& config,
    platform_api& api,
    state_store& store,
    key_maker keys,
    host_facts facts);

  /// uuid, device key and CURVE pair exist and are on disk afterwards.
  [[nodiscard]] messages::result<void> ensure_identity();
  /// One attempt; `why` says what stopped it.
  [[nodiscard]] provisioning_outcome attempt(std::string& why);

private:
  enum class exchange_result { accepted, refused, unclear };
  provisioning_outcome register_device(std::string& why);
  provisioning_outcome finish_registered(std::string& why);
  provisioning_outcome forget_identity(std::string& why);
  exchange_result exchange(std::int64_t& id, std::string& why);
  provisioning_outcome finish(std::int64_t id, std::string& why);
  provisioning_outcome announce(std::string& why);

  device_config& config_;
  platform_api& api_;
  state_store& store_;
  key_maker keys_;
  host_facts facts_;
};

/// What the API and the CLI take for the version of the software on the device (ADR 0023).
inline constexpr auto reported_supervisor_version = "17.0.0";

}  // namespace slipway::agent
