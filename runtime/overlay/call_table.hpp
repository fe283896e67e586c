#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slipway::runtime {

/// The calls that an edge sent to devices and that are not answered: which connection each went out on, and until when it
/// counts. One thread.
class call_table {
public:
  struct entry {
    std::uint64_t call = 0;
    std::int64_t device = 0;
    std::uint64_t connection = 0;
    std::int64_t deadline = 0;  ///< steady ms
  };

  /// False: a call of this number is there already.
  bool add(const entry& e) {
    if (!by_call_.emplace(e.call, e).second) {
      return false;
    }
    by_deadline_.emplace(e.deadline, e.call);
    by_connection_.emplace(e.connection, e.call);
    return true;
  }

  /// Takes out the call if it went out on this connection.
  std::optional<entry> take(std::uint64_t call, std::uint64_t connection) {
    const auto it = by_call_.find(call);
    return it == by_call_.end() || it->second.connection != connection
             ? std::nullopt
             : std::optional(remove(it->second));
  }

  std::vector<entry> take_all_of(std::uint64_t connection) {
    std::vector<entry> out;
    for (auto it = first_of(connection); it != by_connection_.end() && it->first == connection;
         it = first_of(connection)) {
      out.push_back(remove(by_call_.at(it->second)));
    }
    return out;
  }

  std::vector<entry> take_expired(std::int64_t now) {
    std::vector<entry> out;
    while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
      out.push_back(remove(by_call_.at(by_deadline_.begin()->second)));
    }
    return out;
  }

  [[nodiscard]] std::size_t size() const { return by_call_.size(); }

private:
  using pairs = std::set<std::pair<std::uint64_t, std::uint64_t>>;

  [[nodiscard]] pairs::iterator first_of(std::uint64_t connection) {
    return by_connection_.lower_bound({connection, 0});
  }
  entry remove(entry e) {
    by_deadline_.erase({e.deadline, e.call});
    by_connection_.erase({e.connection, e.call});
    by_call_.erase(e.call);
    return e;
  }

  std::unordered_map<std::uint64_t, entry> by_call_;
  std::set<std::pair<std::int64_t, std::uint64_t>> by_deadline_;
  pairs by_connection_;
};

}  // namespace slipway::runtime
