#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

/// Counts attempts by what is tried (a user name, a client's address) and refuses more than `tries_max` in `window_ms` for `block_ms`.
/// An attempt counts when it begins, so that many at once are no way around it; one that succeeds is forgiven.
///
/// Memory is fixed: a table of sets of eight. In a full set the newcomer takes the place of what is over, else of the entry with the
/// fewest tries, never of one that is blocked; when all eight are blocked the newcomer is refused. Nobody who fills the table can
/// reset what it holds (ADR 57). Safe from any thread.
class attempt_limiter {
public:
  struct limits {
    int tries_max = 10;
    std::int64_t window_ms = 2 * 3600 * 1000;
    std::int64_t block_ms = 3600 * 1000;
    std::size_t sets = 8192;  ///< of eight entries of 32 bytes: 2 MiB, made at the first attempt
  };

  explicit attempt_limiter(limits l);

  /// Counts an attempt. 0 = go on; else it is refused, and the ms until one may be made again.
  [[nodiscard]] std::int64_t begin(std::string_view what, std::int64_t now_ms);
  /// The attempt succeeded: forgets all attempts on this.
  void forget(std::string_view what);
  /// The attempt succeeded: takes this one back only.
  void take_back(std::string_view what);

private:
  static constexpr std::size_t ways = 8;
  struct entry {
    std::uint64_t key = 0;  ///< 0 = free
    std::int64_t since = 0;
    std::int64_t blocked_until = 0;
    std::int64_t count = 0;
  };
  [[nodiscard]] std::uint64_t key_of(std::string_view what) const;
  [[nodiscard]] entry* find(std::uint64_t key);
  [[nodiscard]] entry* place(std::uint64_t key, std::int64_t now_ms);
  [[nodiscard]] bool over(const entry& e, std::int64_t now_ms) const;

  const limits limits_;
  const std::string seed_;  ///< so that nobody can choose what shares a set with whom
  std::mutex mutex_;
  std::vector<entry> entries_;
};

/// What attempts of this client address are counted under: an IPv4 address, the /64 of an IPv6 address; "" for a loopback address,
/// which is not limited: a proxy on this machine speaks for many.
[[nodiscard]] std::string limited_address(std::string_view peer);

}  // namespace slipway::gateways
