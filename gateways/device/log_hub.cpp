#include "gateways/device/log_hub.hpp"

#include "actors/log_writer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>

namespace slipway::gateways::device {

namespace asio = boost::asio;
using messages::errc;
using messages::fail;
using messages::result;
using storage::log_extent;

namespace {

/// What a line takes beside its text.
constexpr std::size_t line_overhead_bytes = 96;
/// The writer always answers; a death of its thread must not leave connections waiting for ever.
constexpr auto append_timeout = std::chrono::seconds(30);

std::size_t bytes_of(const storage::log_batch& b) {
  std::size_t n = 0;
  for (const auto& line : b.lines) {
    n += line.message.size() + line_overhead_bytes;
  }
  return n;
}

}  // namespace

struct log_hub::waiting {
  explicit waiting(asio::any_io_executor e) : executor(e), timer(std::move(e)) {}
  asio::any_io_executor executor;
  asio::steady_timer timer;
  std::optional<result<log_extent>> answer;  ///< touched on the executor only
};

log_hub::log_hub(
  std::shared_ptr<const storage::device_logs> store,
  log_hub_limits limits,
  log_feed_limits feed_limits)
  : store_(std::move(store)), limits_(limits), feed_limits_(feed_limits) {}

log_hub::~log_hub() = default;

asio::awaitable<result<log_extent>>
log_hub::append(asio::any_io_executor executor, storage::log_batch batch, bool durable) {
  const auto bytes = bytes_of(batch);
  const auto lines = batch.lines.size();
  if (!writer_ || bytes_waiting_.fetch_add(bytes) + bytes > limits_.bytes_waiting_max) {
    bytes_waiting_.fetch_sub(writer_ ? bytes : 0);
    refused_.fetch_add(lines, std::memory_order_relaxed);
    co_return fail(errc::unavailable, "device logs are busy");
  }
  auto w = std::make_shared<waiting>(executor);
  auto a = std::make_shared<actors::log_append>();
  a->batch = std::move(batch);
  a->durable = durable;
  a->done = [this, w, bytes, lines](result<log_extent> r) {
    bytes_waiting_.fetch_sub(bytes);
    (r ? lines_ : refused_).fetch_add(lines, std::memory_order_relaxed);
    auto to = w->executor;
    asio::post(to, [w, r = std::move(r)]() mutable {
      w->answer = std::move(r);
      w->timer.cancel();
    });
  };
  w->timer.expires_after(append_timeout);
  writer_(std::move(a));
  boost::system::error_code ignored;
  co_await w->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (!w->answer) {
    co_return fail(errc::timed_out, "device logs: no answer in time");
  }
  co_return std::move(*w->answer);
}

void log_hub::written(std::int64_t device, const log_extent& now) {
  std::shared_ptr<log_tail> t;
  {
    const std::lock_guard lock(tails_mutex_);
    const auto it = tails_.find(device);
    t = it == tails_.end() ? nullptr : it->second.lock();
  }
  if (t) {
    t->advance(now.last);
    t->wake_all();
  }
}

log_hub::place::~place() {
  hub_->leave(device_, reader_);
}

result<std::unique_ptr<log_hub::place>> log_hub::enter(std::int64_t device, bool reader) {
  const auto kind = static_cast<std::size_t>(reader);
  const std::lock_guard lock(places_mutex_);
  const auto all = reader ? limits_.readers_max : limits_.senders_max;
  const auto each = reader ? limits_.readers_per_device_max : limits_.senders_per_device_max;
  auto& of_device = places_[kind][device];
  if (taken_[kind] >= all || of_device >= each) {
    if (of_device == 0) {
      places_[kind].erase(device);
    }
    return fail(errc::too_many_requests, "too many log streams");
  }
  ++of_device;
  ++taken_[kind];
  return std::unique_ptr<place>(new place(this, device, reader));
}

void log_hub::leave(std::int64_t device, bool reader) {
  const auto kind = static_cast<std::size_t>(reader);
  {
    const std::lock_guard lock(places_mutex_);
    --taken_[kind];
    const auto it = places_[kind].find(device);
    if (it != places_[kind].end() && --it->second == 0) {
      places_[kind].erase(it);
    }
  }
  if (reader) {
    const std::lock_guard lock(tails_mutex_);
    const auto it = tails_.find(device);
    if (it != tails_.end() && it->second.expired()) {
      tails_.erase(it);
    }
  }
}

result<std::shared_ptr<log_tail>> log_hub::tail(std::int64_t device) {
  std::shared_ptr<log_tail> t;
  {
    const std::lock_guard lock(tails_mutex_);
    auto& known = tails_[device];
    t = known.lock();
    if (!t) {
      t = std::make_shared<log_tail>(store_, device);
      known = t;
    }
  }
  // Known to the writer first, then asked of the store: what is written in between is in one of the two.
  const auto at = store_->extent(device);
  if (!at) {
    return tl::unexpected(at.error());
  }
  t->advance(at->last);
  return t;
}

void log_hub::wake_all() {
  std::vector<std::shared_ptr<log_tail>> all;
  {
    const std::lock_guard lock(tails_mutex_);
    for (const auto& [device, weak] : tails_) {
      if (auto t = weak.lock()) {
        all.push_back(std::move(t));
      }
    }
  }
  for (const auto& t : all) {
    t->wake_all();
  }
}

void log_hub::close() {
  closed_.store(true, std::memory_order_release);
  wake_all();
}

log_hub::counters log_hub::count() {
  counters c;
  c.lines = lines_.load(std::memory_order_relaxed);
  c.refused = refused_.load(std::memory_order_relaxed);
  {
    const std::lock_guard lock(places_mutex_);
    c.senders = taken_[0];
    c.readers = taken_[1];
  }
  const std::lock_guard lock(tails_mutex_);
  c.tails = tails_.size();
  return c;
}

}  // namespace slipway::gateways::device
