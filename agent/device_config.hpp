#pragma once

#include "agent/ports.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace slipway::agent {

/// The device's config.json (balenaOS's names, and two of ours). Keys that this program does not know survive every rewrite.
class device_config {
public:
  /// Errors: not_found, invalid_argument (not a JSON object, a member of the wrong type, no apiEndpoint).
  [[nodiscard]] static messages::result<device_config> load(file_store& files, std::string name);
  /// Writes if something changed.
  [[nodiscard]] messages::result<void> save();

  [[nodiscard]] std::string text(const char* key) const;
  /// Numbers, also when written as text; 0 if absent.
  [[nodiscard]] std::int64_t number(const char* key) const;
  /// As it stands; null if absent.
  [[nodiscard]] nlohmann::json value(const char* key) const {
    return content_.value(key, nlohmann::json());
  }
  void set(const char* key, nlohmann::json value);
  void erase(const char* key);

  [[nodiscard]] std::string api_endpoint() const;  ///< without trailing slash
  [[nodiscard]] std::string uuid() const { return text("uuid"); }
  [[nodiscard]] std::string device_key() const { return text("deviceApiKey"); }
  [[nodiscard]] std::string provisioning_key() const { return text("apiKey"); }
  /// The platform's own root certificate as PEM, from `balenaRootCA`; "" = the public ones are enough, or it is no base64.
  [[nodiscard]] std::string root_ca() const;
  [[nodiscard]] bool has_identity() const { return !uuid().empty() && !device_key().empty(); }
  /// uuid, apiEndpoint, registered_at and deviceId are all there.
  [[nodiscard]] bool is_provisioned() const;

private:
  file_store* files_ = nullptr;
  std::string name_;
  nlohmann::json content_;
  nlohmann::json stored_;
};

}  // namespace slipway::agent
