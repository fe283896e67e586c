#pragma once

#include "gateways/services.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::gateways::device {

/// The catalog of device types for clients (balena-api.md 8.10): composed once, and again after the catalog has changed.
class device_types {
public:
  explicit device_types(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// GET /device-types/v1
  runtime::awaitable<void> list(runtime::exchange& x);
  /// GET /device-types/v1/:slug, by slug or alias
  runtime::awaitable<void> one(runtime::exchange& x, std::string slug);
  /// GET /device-types/v1/:slug/images/:version/download-size
  runtime::awaitable<void> download_size(runtime::exchange& x, std::string slug);

  /// Names of the questions that the type's configuration asks. Empty for an unknown type.
  [[nodiscard]] std::vector<std::string> asked_by(const std::string& slug);

private:
  struct document {
    std::string etag;
    std::string body;
  };
  struct catalog {
    std::uint64_t version = 0;
    document all;
    std::unordered_map<std::string, document> by_name;                ///< slug and aliases
    std::unordered_map<std::string, std::vector<std::string>> asked;  ///< by slug
  };
  [[nodiscard]] messages::result<std::shared_ptr<const catalog>> current();
  [[nodiscard]] std::shared_ptr<const catalog> compose(std::uint64_t version) const;
  static runtime::awaitable<void> send(runtime::exchange& x, const document& d);

  std::shared_ptr<const services> s_;
  std::mutex mutex_;
  std::shared_ptr<const catalog> known_;
};

}  // namespace slipway::gateways::device
