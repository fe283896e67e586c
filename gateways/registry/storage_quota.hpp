#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <string>

namespace slipway::gateways {

constexpr const char* quota_exceeded = "the organization's storage quota is used up";

/// What an organization's images may take (ADR 80, ADR 83). An upload counts from its first byte on, so that uploads at once cannot together take
/// more than there is. Callable from any thread.
class storage_quota {
public:
  virtual ~storage_quota() = default;
  /// Bytes that the repository may still take in. May block.
  [[nodiscard]] virtual messages::result<std::uint64_t> room(const std::string& repository) = 0;
  /// From now on the upload counts with so many bytes instead of what it counted with. May block.
  /// Errors: forbidden, and then it counts with what it did.
  [[nodiscard]] virtual messages::result<void>
  hold(const std::string& repository, const std::string& upload, std::uint64_t bytes) = 0;
  /// The same for an upload that `hold` knows, quick, and less exact about what others stored in the last moment.
  [[nodiscard]] virtual messages::result<void> resize(
    const std::string& upload,
    std::uint64_t bytes) = 0;
  /// Its request is over and the upload is not. It counts with so many bytes until somebody goes on with it, or nobody did for ten minutes
  /// and others need the room.
  virtual void pause(const std::string& upload, std::uint64_t bytes) = 0;
  /// The upload is over, and its bytes are `stored` or gone.
  virtual void release(const std::string& upload, bool stored) = 0;
};

}  // namespace slipway::gateways
