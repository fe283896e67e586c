#pragma once

#include "messages/requester.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways::git {

/// What a push may do, as its ticket says.
struct push {
  messages::requester by;
  std::int64_t fleet = 0;
  /// Whether `by` may still push to the fleet, by the rows and credentials as they are. Any thread; cheap.
  std::function<bool()> still_may;
};

/// Tickets of pushes under way. The hooks of a repository have one, for as long as git-receive-pack runs: whoever shows it asks in the
/// pusher's name, for this fleet only. A secret: never logged. Safe from any thread.
class push_tickets {
public:
  [[nodiscard]] std::string open(push p);
  /// Nothing when the ticket is unknown or its push over.
  [[nodiscard]] std::optional<push> find(std::string_view ticket) const;
  /// Notes a build of this push, to be settled when it is over. False when it already is: then the caller ends the build.
  [[nodiscard]] bool started(std::string_view ticket, std::int64_t release);
  /// Releases that were started, in order.
  [[nodiscard]] std::vector<std::int64_t> releases(std::string_view ticket) const;
  /// The push is over; answers the releases that were started.
  [[nodiscard]] std::vector<std::int64_t> close(std::string_view ticket);

private:
  struct entry {
    push about;
    std::vector<std::int64_t> releases;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;  ///< by the digest of the ticket
};

}  // namespace slipway::gateways::git
