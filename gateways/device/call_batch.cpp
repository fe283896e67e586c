#include "gateways/device/call_batch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <utility>

namespace slipway::gateways::device {
namespace {

namespace asio = boost::asio;
using messages::call_outcome;
using messages::call_result;
using std::chrono::steady_clock;

/// Touched on its executor only, which is one thread: results come in through `post`.
class batch : public std::enable_shared_from_this<batch> {
public:
  batch(
    const services& s,
    asio::any_io_executor executor,
    std::vector<std::int64_t> devices,
    messages::call request)
    : s_(s),
      executor_(executor),
      finished_(std::move(executor)),
      devices_(std::move(devices)),
      request_(std::move(request)),
      results_(devices_.size()) {
    finished_.expires_at(steady_clock::time_point::max());
  }

  void begin() { pump(); }
  [[nodiscard]] bool done() const { return answered_ == devices_.size(); }
  asio::steady_timer& finished() { return finished_; }
  std::vector<call_result> take() { return std::move(results_); }

private:
  void pump() {
    while (next_ < devices_.size() && in_flight_ < batch_in_flight_max) {
      const auto at = next_++;
      ++in_flight_;
      if (steady_clock::now() >= end_) {
        call_result late;
        late.device = devices_[at];
        late.outcome = call_outcome::timed_out;
        post(at, std::move(late));
      } else {
        s_.call_device(devices_[at], request_, [self = shared_from_this(), at](call_result r) {
          self->post(at, std::move(r));
        });
      }
    }
  }

  void post(std::size_t at, call_result r) {
    asio::post(executor_, [self = shared_from_this(), at, r = std::move(r)]() mutable {
      self->took(at, std::move(r));
    });
  }

  void took(std::size_t at, call_result r) {
    results_[at] = std::move(r);
    --in_flight_;
    ++answered_;
    pump();
    if (done()) {
      finished_.cancel();
    }
  }

  const services& s_;
  asio::any_io_executor executor_;
  asio::steady_timer finished_;  ///< never runs out: its cancellation is the end
  std::vector<std::int64_t> devices_;
  messages::call request_;
  std::vector<call_result> results_;
  std::size_t next_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t answered_ = 0;
  steady_clock::time_point end_ = steady_clock::now() + batch_time_max;
};

}  // namespace

runtime::awaitable<std::vector<call_result>> call_devices(
  const services& s,
  asio::any_io_executor executor,
  std::vector<std::int64_t> devices,
  messages::call request) {
  auto b = std::make_shared<batch>(s, std::move(executor), std::move(devices), std::move(request));
  b->begin();
  boost::system::error_code ignored;
  while (!b->done()) {
    co_await b->finished().async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return b->take();
}

}  // namespace slipway::gateways::device
