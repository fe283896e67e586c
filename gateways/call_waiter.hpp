#pragma once

#include "runtime/http_server.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace slipway::gateways {

/// How a coroutine waits: for a call of another thread or for a time, whichever is first.
class call_waiter {
public:
  explicit call_waiter(boost::asio::any_io_executor executor);
  ~call_waiter();
  /// What others call, from any thread, also when the waiter is gone. A reader that is busy looks again by itself: one call is enough
  /// until it has.
  [[nodiscard]] std::function<void()> caller() const;
  /// On the executor. Returns at once when there was a call since the last wait.
  [[nodiscard]] runtime::awaitable<void> wait(std::int64_t ms);

private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace slipway::gateways
