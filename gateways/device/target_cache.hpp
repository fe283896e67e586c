#pragma once

#include "gateways/services.hpp"

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slipway::gateways::device {

/// A device's target state, ready to send.
struct target {
  std::int64_t device = 0;
  std::int64_t application = 0;
  /// Applications that the device may report of: those of its supervisor and host, its fleet.
  std::vector<std::pair<std::string, std::int64_t>> apps = {};  ///< uuid, id
  bool frozen = false;       ///< the device keeps what it runs and is not listened to
  std::int64_t poll_ms = 0;  ///< how often the device is told to ask
  std::string etag;          ///< with quotes
  std::string body;

  struct document {
    std::string etag;
    std::string body;
  };
  /// As early supervisors read it; composed when the first one asks.
  [[nodiscard]] const document& v2() const;

private:
  mutable std::once_flag once_;
  mutable document v2_;
};

/// Target states by device uuid, composed once and kept until a commit of the device or its fleet may have changed them.
class target_cache {
public:
  explicit target_cache(std::shared_ptr<const services> s) : s_(std::move(s)) {}
  /// Null when there is no such device.
  [[nodiscard]] std::shared_ptr<const target> find(const std::string& uuid);

private:
  struct entry {
    std::shared_ptr<const target> value;
    std::uint64_t device_change = 0;
    std::uint64_t fleet_change = 0;
    std::vector<std::pair<std::int64_t, std::uint64_t>> hosts =
      {};  ///< other fleets it holds, and their change
  };
  static constexpr std::size_t entries_max = 8192;  ///< per shard; a full one is emptied
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::string, entry> entries;
  };
  [[nodiscard]] bool still_valid(const entry& e) const;
  [[nodiscard]] std::vector<std::int64_t> hosts_of(std::int64_t device) const;
  [[nodiscard]] entry compose(const std::string& uuid) const;

  std::shared_ptr<const services> s_;
  std::array<shard, 16> shards_;
};

}  // namespace slipway::gateways::device
