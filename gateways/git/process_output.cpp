#include "gateways/git/process_output.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>

#include <utility>
#include <vector>

namespace slipway::gateways::git {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t held_bytes_max = 1U << 20U;
constexpr std::size_t read_bytes = 64 * 1024;

}  // namespace

struct process_output::state {
  asio::posix::stream_descriptor from;
  asio::steady_timer came;   ///< cancelled when there is something to take
  asio::steady_timer taken;  ///< cancelled when there is room again
  std::string held;
  bool over = false;

  state(const asio::any_io_executor& executor, const storage::unique_fd& output)
    : from(executor, copy_of(output)), came(executor), taken(executor) {}

  static asio::awaitable<void> wait(asio::steady_timer& timer, std::chrono::milliseconds most) {
    timer.expires_after(most);
    error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  static asio::awaitable<void> read(std::shared_ptr<state> s) {
    std::vector<char> buffer(read_bytes);
    while (!s->over) {
      error_code ec;
      const auto n = co_await s->from.async_read_some(
        asio::buffer(buffer),
        asio::redirect_error(asio::use_awaitable, ec));
      s->held.append(buffer.data(), n);
      s->over = s->over || static_cast<bool>(ec);
      s->came.cancel();
      while (!s->over && s->held.size() >= held_bytes_max) {
        co_await wait(s->taken, std::chrono::hours(1));
      }
    }
  }
};

int copy_of(const storage::unique_fd& fd) {
  return ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
}

process_output::process_output(
  const asio::any_io_executor& executor,
  const storage::unique_fd& output)
  : state_(std::make_shared<state>(executor, output)) {
  asio::co_spawn(executor, state::read(state_), asio::detached);
}

process_output::~process_output() {
  state_->over = true;
  error_code ignored;
  state_->from.close(ignored);
  state_->taken.cancel();
}

asio::awaitable<process_output::piece> process_output::next(std::chrono::milliseconds patience) {
  const auto s = state_;
  if (s->held.empty() && !s->over) {
    co_await state::wait(s->came, patience);
  }
  piece out;
  out.bytes.swap(s->held);
  out.over = s->over && out.bytes.empty();
  s->taken.cancel();
  co_return out;
}

}  // namespace slipway::gateways::git
