#include "gateways/call_waiter.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <utility>

namespace slipway::gateways {

namespace asio = boost::asio;

struct call_waiter::state {
  explicit state(asio::any_io_executor e) : executor(e), timer(std::move(e)) {}
  asio::any_io_executor executor;
  asio::steady_timer timer;  ///< touched on the executor only
  std::atomic<bool> called{false};
};

call_waiter::call_waiter(asio::any_io_executor executor)
  : state_(std::make_shared<state>(std::move(executor))) {}

call_waiter::~call_waiter() = default;

std::function<void()> call_waiter::caller() const {
  return [s = state_] {
    if (!s->called.exchange(true)) {
      asio::post(s->executor, [s] { s->timer.cancel(); });
    }
  };
}

asio::awaitable<void> call_waiter::wait(std::int64_t ms) {
  auto s = state_;
  if (s->called.exchange(false) || ms <= 0) {
    co_return;
  }
  s->timer.expires_after(std::chrono::milliseconds(ms));
  // A call between the look and this wait has posted its cancel behind us on this very executor.
  boost::system::error_code ignored;
  co_await s->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  s->called.exchange(false);
}

}  // namespace slipway::gateways
