#pragma once

#include "messages/edge_bus.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::runtime {

/// Which devices may hold a session, and with which key. One thread.
class admission {
public:
  struct device {
    std::int64_t id = 0;
    std::string uuid;
    std::string key;
    std::int64_t refused_until = 0;   ///< steady ms
    std::int64_t taken_over_at = -1;  ///< steady ms of the last takeover, -1 = never
    std::int64_t silent_since =
      -1;  ///< steady ms of the first admission without a frame since, -1 = none
  };

  /// False until the first whole table is there: nobody can be told apart from a stranger before.
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] device* by_key(const std::string& key);
  [[nodiscard]] device* by_uuid(const std::string& uuid);
  [[nodiscard]] device* by_id(std::int64_t id);
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }

  /// Each answers with the uuids whose sessions must be cut now. Entries without a proper key or uuid, or with another
  /// device's key or uuid, are left out.
  [[nodiscard]] std::vector<std::string> take(messages::admit_all part);
  [[nodiscard]] std::vector<std::string> take(const messages::admit& more);
  [[nodiscard]] std::vector<std::string> take(const messages::revoke& less);

private:
  bool add(const messages::admitted_device& d, std::vector<std::string>& cut);
  void remove(std::int64_t id, std::vector<std::string>& cut);
  std::vector<std::string> replace(const std::vector<messages::admitted_device>& all);

  std::unordered_map<std::int64_t, device> by_id_;
  std::unordered_map<std::string, std::int64_t> by_key_;
  std::unordered_map<std::string, std::int64_t> by_uuid_;
  std::uint64_t table_ = 0;
  std::uint32_t next_part_ = 0;
  std::vector<messages::admitted_device> incoming_;
  bool ready_ = false;
};

}  // namespace slipway::runtime
