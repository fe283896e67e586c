#include "agent/provisioning.hpp"

#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

namespace slipway::agent {
namespace {

constexpr std::size_t uuid_characters = 32;
constexpr std::size_t key_characters = 32;

std::string describe(const platform_api::reply& r, const char* what) {
  return std::string(what) + " answered " + std::to_string(r.status) + ": " + r.body.substr(0, 200);
}

}  // namespace

provisioning::provisioning(
  device_config& config,
  platform_api& api,
  state_store& store,
  key_maker keys,
  host_facts facts)
  : config_(config), api_(api), store_(store), keys_(std::move(keys)), facts_(std::move(facts)) {}

messages::result<void> provisioning::ensure_identity() {
  if (!config_.has_identity()) {
    if (config_.uuid().empty()) {
      config_.set("uuid", runtime::random_hex(uuid_characters));
    }
    if (config_.device_key().empty()) {
      config_.set("deviceApiKey", runtime::random_token(key_characters));
    }
  }
  // The pair first: a uuid on disk always has one.
  if (auto pair = keys_(config_.uuid()); !pair) {
    return tl::unexpected(messages::with_context("overlay key", pair.error()));
  }
  SLIPWAY_FAILPOINT("agent.provision.keys_stored");
  auto saved = config_.save();
  SLIPWAY_FAILPOINT("agent.provision.identity_stored");
  return saved;
}

provisioning_outcome provisioning::attempt(std::string& why) {
  if (auto made = ensure_identity(); !made) {
    why = made.error().detail;
    return provisioning_outcome::retry;
  }
  if (config_.is_provisioned()) {
    return config_.provisioning_key().empty() ? announce(why) : finish_registered(why);
  }
  if (config_.provisioning_key().empty()) {
    why = "not registered, and config.json holds no provisioning key (apiKey)";
    return provisioning_outcome::retry;
  }
  if (!config_.text("registered_at").empty() || config_.number("registered_at") != 0) {
    // Registered, but the answer was lost before its id was stored.
    std::int64_t id = 0;
    switch (exchange(id, why)) {
      case exchange_result::accepted:
        return finish(id, why);
      case exchange_result::refused:
        return forget_identity(why);
      case exchange_result::unclear:
        return provisioning_outcome::retry;
    }
  }
  return register_device(why);
}

provisioning_outcome provisioning::register_device(std::string& why) {
  const auto keys = keys_(config_.uuid());
  if (!keys) {
    why = keys.error().detail;
    return provisioning_outcome::retry;
  }
  nlohmann::json body = {
    {"application", config_.number("applicationId")},
    {"uuid", config_.uuid()},
    {"device_type", config_.text("deviceType")},
    {"api_key", config_.device_key()},
    {"supervisor_version", reported_supervisor_version},
    {"os_version", facts_.os_version},
    {"os_variant", facts_.os_variant},
    {"mac_address", facts_.mac_address},
    {"overlay_public_key", keys->public_key}};
  const auto got = api_.register_device(body, config_.provisioning_key());
  if (!got) {
    why = got.error().detail;
    return provisioning_outcome::retry;
  }
  SLIPWAY_FAILPOINT("agent.provision.registered");
  if (got->status == 409) {
    std::int64_t id = 0;
    switch (exchange(id, why)) {
      case exchange_result::accepted:
        return finish(id, why);
      case exchange_result::refused:
        return forget_identity(why);
      case exchange_result::unclear:
        return provisioning_outcome::retry;
    }
  }
  const auto answer = messages::parse_json(got->body);
  if (
    !got->ok() || !answer || !answer->is_object() || !answer->contains("id")
    || !(*answer)["id"].is_number_integer()) {
    why = describe(*got, "registration");
    return provisioning_outcome::retry;
  }
  return finish((*answer)["id"].get<std::int64_t>(), why);
}

/// Our uuid is known already. It is ours if the platform knows our key, or lets the provisioning key add it.
provisioning::exchange_result provisioning::exchange(std::int64_t& id, std::string& why) {
  const auto own = api_.find_device(config_.uuid(), config_.device_key());
  if (!own) {
    why = own.error().detail;
    return exchange_result::unclear;
  }
  if (*own > 0) {
    id = *own;
    return exchange_result::accepted;
  }
  const auto seen = api_.find_device(config_.uuid(), config_.provisioning_key());
  if (!seen) {
    why = seen.error().detail;
    return exchange_result::unclear;
  }
  if (*seen == 0) {
    why = "the uuid is taken and the fleet's key may not see it";
    return exchange_result::refused;
  }
  const auto added = api_.add_device_key(*seen, config_.device_key(), config_.provisioning_key());
  if (!added) {
    why = added.error().detail;
    return exchange_result::unclear;
  }
  if (!added->ok()) {
    why = describe(*added, "key exchange");
    const bool definite = added->status >= 400 && added->status < 500 && added->status != 429;
    return definite ? exchange_result::refused : exchange_result::unclear;
  }
  id = *seen;
  return exchange_result::accepted;
}

provisioning_outcome provisioning::forget_identity(std::string& why) {
  runtime::log::warn(
    "identity is taken, making a new one",
    {{"uuid", config_.uuid()}, {"why", why}});
  config_.set("uuid", runtime::random_hex(uuid_characters));
  config_.set("deviceApiKey", runtime::random_token(key_characters));
  config_.erase("registered_at");
  config_.erase("deviceId");
  if (auto made = ensure_identity(); !made) {
    why = made.error().detail;
    return provisioning_outcome::retry;
  }
  return provisioning_outcome::new_identity;
}

/// Fully registered, with the provisioning key still in the file: the crash came before it was deleted.
provisioning_outcome provisioning::finish_registered(std::string& why) {
  std::int64_t id = 0;
  switch (exchange(id, why)) {
    case exchange_result::accepted:
      return finish(id, why);
    case exchange_result::refused:
      // A device at work does not give up its identity because of one answer.
      runtime::log::warn("the platform does not accept this device's key", {{"why", why}});
      return provisioning_outcome::retry;
    case exchange_result::unclear:
      break;
  }
  return provisioning_outcome::retry;
}

provisioning_outcome provisioning::finish(std::int64_t id, std::string& why) {
  config_.set("deviceId", id);
  if (config_.number("registered_at") == 0) {
    config_.set("registered_at", runtime::now_ms());
  }
  config_.erase("apiKey");
  if (auto saved = config_.save(); !saved) {
    why = saved.error().detail;
    return provisioning_outcome::retry;
  }
  SLIPWAY_FAILPOINT("agent.provision.saved");
  runtime::log::info("registered", {{"uuid", config_.uuid()}, {"device", std::to_string(id)}});
  return announce(why);
}

/// Once per identity and key: the overlay key (also of devices that were registered by somebody else) and the first name.
provisioning_outcome provisioning::announce(std::string& why) {
  const auto keys = keys_(config_.uuid());
  if (!keys) {
    why = keys.error().detail;
    return provisioning_outcome::retry;
  }
  const auto what = config_.uuid() + " " + keys->public_key;
  if (store_.load_announced() == what) {
    return provisioning_outcome::done;
  }
  nlohmann::json body = {{"overlay_public_key", keys->public_key}};
  if (const auto name = config_.text("initialDeviceName"); !name.empty()) {
    body["device_name"] = name;
  }
  const auto got = api_.patch_device(config_.number("deviceId"), body, config_.device_key());
  if (!got || !got->ok()) {
    why = got ? describe(*got, "announcing the overlay key") : got.error().detail;
    return provisioning_outcome::retry;
  }
  if (auto saved = store_.save_announced(what); !saved) {
    why = saved.error().detail;
    return provisioning_outcome::retry;
  }
  return provisioning_outcome::done;
}

}  // namespace slipway::agent
