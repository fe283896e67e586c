#pragma once

#include "messages/requester.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways::ssh {

/// Finds the user whose public key somebody has. The keys are read into memory and again when one is not found and rows have changed since,
/// at most every `reread_ms`: who guesses keys costs no more. Safe from any thread.
class user_keys {
public:
  explicit user_keys(storage::store s) : store_(std::move(s)) {}

  struct owner {
    std::int64_t row = 0;  ///< of user_public_key
    std::int64_t user = 0;
  };
  /// `blob` is a key's bytes as SSH sends them. Blocks for up to `reread_ms` and a read of all keys.
  [[nodiscard]] std::optional<owner> find(std::string_view blob);
  /// The user as one who asks, as long as the row is there and holds this key. Errors: unauthorized.
  [[nodiscard]] messages::result<messages::requester> admit(const owner& o, std::string_view blob)
    const;

private:
  static constexpr std::int64_t reread_ms = 200;
  [[nodiscard]] bool holds(const domain::row_source& rows, const owner& o, std::string_view blob)
    const;
  void read();

  storage::store store_;
  std::mutex mutex_;
  std::map<std::string, owner, std::less<>> by_digest_;
  storage::event_log::heads read_at_{};
  std::int64_t read_ms_ = 0;
};

}  // namespace slipway::gateways::ssh
