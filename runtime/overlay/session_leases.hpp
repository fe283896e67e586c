#pragma once

#include "messages/edge_bus.hpp"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

namespace slipway::runtime {

/// The core's memory of which edge holds which session and until when, so that a dead edge's sessions end by themselves.
/// Times are steady ms. One thread at a time.
class session_leases {
public:
  struct known_session {
    std::int64_t device = 0;
    std::int64_t edge = 0;
    std::uint64_t epoch = 0;
  };

  /// Sessions that the store says are online, from before this process: they have until `deadline` to show up.
  void assume(const std::vector<known_session>& sessions, std::int64_t deadline);
  /// A (new) process of this edge joined. Sessions of an earlier process keep their deadline and are not renewed any more.
  void joined(std::int64_t edge, std::uint64_t epoch_start, std::int64_t deadline);
  void beat(std::int64_t edge, std::int64_t deadline);
  void presence(const messages::presence_batch& batch);

  struct lapsed {
    std::int64_t edge = 0;
    std::int64_t device = 0;
    std::uint64_t epoch = 0;
  };
  /// Sessions whose lease has run out, once.
  [[nodiscard]] std::vector<lapsed> lapse(std::int64_t now);
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  /// The largest epoch seen so far: a new edge process starts above it.
  [[nodiscard]] std::uint64_t epoch_max() const { return epoch_max_; }

private:
  struct edge_lease {
    std::uint64_t epoch_start = 0;
    std::int64_t deadline = 0;
  };
  struct session {
    std::int64_t edge = 0;
    std::uint64_t epoch = 0;
    std::int64_t orphan_deadline = 0;  ///< 0 = held by the living process of its edge
  };
  std::map<std::int64_t, edge_lease> edges_;
  std::unordered_map<std::int64_t, session> sessions_;  // by device
  std::uint64_t epoch_max_ = 0;
};

}  // namespace slipway::runtime
