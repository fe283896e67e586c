#include "agent/device_config.hpp"

#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <charconv>

namespace slipway::agent {

using messages::errc;
using messages::fail;

namespace {

/// It goes into paths, filters and names.
bool is_uuid(std::string_view s) {
  return s.size() >= 32 && s.size() <= 64
         && s.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

messages::result<device_config> device_config::load(file_store& files, std::string name) {
  const auto bytes = files.read(name);
  if (!bytes) {
    return tl::unexpected(messages::with_context(name, bytes.error()));
  }
  auto content = messages::parse_json(*bytes);
  if (!content || !content->is_object()) {
    return fail(errc::invalid_argument, name + ": not a JSON object");
  }
  for (const char* key :
       {"apiEndpoint", "uuid", "deviceApiKey", "apiKey", "deviceType", "overlayEndpoint"}) {
    const auto it = content->find(key);
    if (it != content->end() && !it->is_string() && !it->is_null()) {
      return fail(errc::invalid_argument, name + ": " + key + " is not a text");
    }
  }
  device_config config;
  config.files_ = &files;
  config.name_ = std::move(name);
  config.content_ = config.stored_ = std::move(*content);
  if (const auto uuid = config.uuid(); !uuid.empty() && !is_uuid(uuid)) {
    return fail(errc::invalid_argument, config.name_ + ": uuid is not 32 to 64 hex digits");
  }
  if (config.api_endpoint().empty()) {
    return fail(errc::invalid_argument, config.name_ + ": apiEndpoint is missing");
  }
  return config;
}

messages::result<void> device_config::save() {
  if (content_ == stored_) {
    return {};
  }
  auto written = files_->write(
    name_,
    content_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  if (written) {
    stored_ = content_;
  }
  return written;
}

std::string device_config::text(const char* key) const {
  const auto it = content_.find(key);
  return it != content_.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::int64_t device_config::number(const char* key) const {
  const auto it = content_.find(key);
  if (it == content_.end()) {
    return 0;
  }
  if (it->is_number()) {
    return it->get<std::int64_t>();
  }
  std::int64_t n = 0;
  const auto digits = text(key);
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

void device_config::set(const char* key, nlohmann::json value) {
  content_[key] = std::move(value);
}

void device_config::erase(const char* key) {
  content_.erase(key);
}

std::string device_config::api_endpoint() const {
  auto endpoint = text("apiEndpoint");
  while (!endpoint.empty() && endpoint.back() == '/') {
    endpoint.pop_back();
  }
  if (!endpoint.empty() && endpoint.find("://") == std::string::npos) {
    endpoint.insert(0, "https://");  // as balenaOS reads it
  }
  return endpoint;
}

std::string device_config::root_ca() const {
  return runtime::base64_decode(text("balenaRootCA"));
}

bool device_config::is_provisioned() const {
  return !uuid().empty() && !api_endpoint().empty() && content_.contains("registered_at")
         && number("deviceId") > 0;
}

}  // namespace slipway::agent
