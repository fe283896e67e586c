#pragma once

#include "gateways/services.hpp"

#include <functional>
#include <memory>
#include <string>

namespace slipway::gateways {

/// A right that a long exchange lives on: a log stream, a tunnel. A revoked key, a role taken away, a device moved or removed end it.
/// Used by one thread at a time.
class live_right {
public:
  /// Whether this requester may go on, by the rows as they are.
  using predicate = std::function<bool(const messages::requester&, const domain::row_source&)>;

  live_right(std::shared_ptr<const services> s, std::string secret, predicate allowed);

  /// To be asked before each piece that is sent, and each `live_right_ms` while there is none. Cheap: rows are looked at when a credential
  /// changed, else once in `live_right_ms`. Once false, false for ever.
  [[nodiscard]] bool holds();

private:
  [[nodiscard]] bool look();

  std::shared_ptr<const services> s_;
  std::string secret_;
  predicate allowed_;
  authenticator::ticket ticket_;
  std::int64_t looked_at_ = 0;  ///< steady ms
  bool lost_ = false;
};

/// What changed about the rows is noticed so late at most.
constexpr std::int64_t live_right_ms = 1000;

}  // namespace slipway::gateways
