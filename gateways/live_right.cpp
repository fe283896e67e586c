#include "gateways/live_right.hpp"

#include "runtime/clock.hpp"

#include <utility>

namespace slipway::gateways {

live_right::live_right(std::shared_ptr<const services> s, std::string secret, predicate allowed)
  : s_(std::move(s)), secret_(std::move(secret)), allowed_(std::move(allowed)) {
  lost_ = !look();
}

bool live_right::holds() {
  const bool fresh = runtime::steady_ms() - looked_at_ < live_right_ms;
  if (!lost_ && !(fresh && s_->authenticator->still_valid(ticket_))) {
    lost_ = !look();
  }
  return !lost_;
}

bool live_right::look() {
  looked_at_ = runtime::steady_ms();
  auto admitted = s_->authenticator->admit(secret_);
  if (!admitted) {
    return false;
  }
  ticket_ = std::move(*admitted);
  const auto view = s_->store.rows->view();
  return allowed_(ticket_.by, *view);
}

}  // namespace slipway::gateways
