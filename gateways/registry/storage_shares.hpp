#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::gateways {

/// Adds up what organizations with a limit have stored and what their uploads hold. What is stored was counted some time ago; what uploads
/// stored since is added, so that the sum may be too high for a moment but never too low. Callable from any thread.
class storage_shares {
public:
  /// Bytes that uploads of the organization have stored since the start: to be asked before counting.
  [[nodiscard]] std::uint64_t stored(std::int64_t organization) const;
  /// `counted` are the bytes that the organization was found to have, by a count that began when `stored` was `before`.
  void
  set(std::int64_t organization, std::uint64_t limit, std::uint64_t counted, std::uint64_t before);
  /// What is left beside what is stored and held.
  [[nodiscard]] std::uint64_t room(std::int64_t organization) const;

  /// The upload holds so many bytes from now on; false when that is more than there is, and then it holds what it did. Less is always granted.
  [[nodiscard]] bool
  hold(std::int64_t organization, const std::string& upload, std::uint64_t bytes);
  /// The same for one that is known; true for one that is not.
  [[nodiscard]] bool resize(const std::string& upload, std::uint64_t bytes);
  /// Holds so many bytes, which are no more than it did, while nobody goes on with it.
  void pause(const std::string& upload, std::uint64_t bytes);
  /// Holds nothing any more; `stored` bytes count as such at once.
  void release(const std::string& upload, bool stored);
  /// Holds nothing any more, unless somebody goes on with it.
  void forget(const std::string& upload);
  /// Uploads that hold something and that nobody goes on with at present.
  [[nodiscard]] std::vector<std::string> paused(std::int64_t organization) const;

private:
  struct share {
    std::uint64_t limit = 0;
    std::uint64_t used = 0;    ///< stored, as far as is known
    std::uint64_t held = 0;    ///< by uploads
    std::uint64_t stored = 0;  ///< by uploads since the start
    [[nodiscard]] std::uint64_t left() const {
      return used + held < limit ? limit - used - held : 0;
    }
  };
  struct upload {
    std::int64_t organization = 0;
    std::uint64_t bytes = 0;
    bool paused = false;
  };
  bool change(upload& u, std::uint64_t bytes);
  void end(std::unordered_map<std::string, upload>::iterator it, bool stored);

  mutable std::mutex mutex_;
  std::map<std::int64_t, share> shares_;
  std::unordered_map<std::string, upload> uploads_;
};

}  // namespace slipway::gateways
