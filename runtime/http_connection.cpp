#include "runtime/http_connection.hpp"

#include "runtime/clock.hpp"
#include "runtime/http_text.hpp"
#include "runtime/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

namespace slipway::runtime {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using messages::errc;

namespace {

constexpr std::size_t buffer_bytes = 4 * 1024;
/// A request body that the handler left is read and dropped up to here, so that the connection can go on.
constexpr std::size_t drain_bytes_max = 256 * 1024;
/// What a client may still send after an answer that ends the connection; closing on unread bytes would destroy the answer.
constexpr std::size_t linger_bytes_max = 4 * 1024 * 1024;
constexpr int linger_seconds = 2;

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) {
    return host.substr(0, host.find(']') + 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace

http_connection::http_connection(
  http_worker& worker,
  http_worker::socket socket,
  const tls_context* tls)
  : worker_(worker), socket_(std::move(socket)), buffer_(buffer_bytes) {
  boost::system::error_code ec;
  socket_.non_blocking(true, ec);
  socket_.set_option(http_worker::tcp::no_delay(true), ec);
  const auto peer = socket_.remote_endpoint(ec);
  if (!ec) {
    head_.peer = peer.address().to_string();
  }
  if (tls != nullptr) {
    tls_ =
      std::unique_ptr<secured>(new secured{{tls->current(), socket_.native_handle()}, tls->hsts()});
    head_.tls = true;
    ++worker_.tls_accepted;
  }
  place = worker_.connections.size();
  worker_.connections.push_back(this);
  ++worker_.accepted;
}

http_connection::~http_connection() {
  if (tls_ && !gone_) {
    tls_->stream.finish();
  }
  auto& all = worker_.connections;
  all.back()->place = place;
  std::swap(all[place], all.back());
  all.pop_back();
  --worker_.open;
}

void http_connection::check_deadline(std::int64_t now_ms) {
  if (deadline_ms_ != 0 && now_ms >= deadline_ms_) {
    deadline_ms_ = 0;
    expired_ = true;
    interrupt();
  }
}

void http_connection::interrupt() {
  boost::system::error_code ec;
  socket_.cancel(ec);
}

void http_connection::cut() {
  gone_ = true;
  keep_alive_ = false;
  boost::system::error_code ec;
  socket_.shutdown(http_worker::tcp::socket::shutdown_both, ec);
  socket_.cancel(ec);
}

void http_connection::become_long_lived(int read_seconds) {
  read_seconds_ = read_seconds;
  if (worker_.stopping) {
    cut();
  }
}

bool http_connection::client_gone() const {
  if (tls_) {
    return gone_ || tls_->stream.ended();  // bytes that wait may be the word that it goes
  }
  char next = 0;
  const auto n = ::recv(
    const_cast<http_worker::socket&>(socket_).native_handle(),
    &next,
    1,
    MSG_PEEK | MSG_DONTWAIT);
  return gone_ || n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void http_connection::expect_within(std::int64_t ms) {
  deadline_ms_ = steady_ms() + ms;
  expired_ = false;
}

std::string_view http_connection::header(std::string_view name) const {
  return store_.find(name);
}

asio::any_io_executor http_connection::executor() const {
  return worker_.context.get_executor();
}

std::int64_t http_connection::content_length() const {
  return content_length_;
}

awaitable<void> http_connection::run() {
  if (tls_) {
    const bool secure = co_await shake_hands();
    if (!secure) {
      co_return;
    }
  }
  for (;;) {
    start_request();
    auto state = parsed::need_more;
    bool waiting = buffered() == 0;
    set_deadline(waiting && served_ ? worker_.limits.idle_seconds : worker_.limits.header_seconds);
    while ((state = parse_head()) == parsed::need_more) {
      idle_ = buffered() == 0 && header_bytes_ == 0;
      if (idle_ && worker_.stopping) {
        co_return;
      }
      make_room(buffered() == buffer_.size() ? buffer_.size() * 2 : buffer_.size());
      boost::system::error_code ec;
      std::size_t n = 0;
      if (tls_) {
        n = co_await read_tls({buffer_.data() + filled_, buffer_.size() - filled_}, ec);
      } else {
        n = co_await socket_.async_read_some(
          asio::buffer(buffer_.data() + filled_, buffer_.size() - filled_),
          asio::redirect_error(asio::use_awaitable, ec));
      }
      if (ec) {
        if (expired_ && !idle_) {
          co_await refuse(408);
        }
        co_return;
      }
      if (waiting && served_) {
        set_deadline(worker_.limits.header_seconds);
      }
      waiting = false;
      filled_ += n;
    }
    idle_ = false;
    deadline_ms_ = 0;
    served_ = true;
    if (state == parsed::refused) {
      co_await refuse(refusal_);
      co_return;
    }
    worker_.requests.fetch_add(1, std::memory_order_relaxed);
    co_await serve_one();
    read_seconds_ = 0;  // what a handler left of a body is not worth waiting for
    if (gone_) {
      co_return;
    }
    bool go_on = keep_alive_;
    if (go_on && !body_done()) {
      go_on = co_await drain();
    }
    if (!go_on) {
      co_await linger();
      co_return;
    }
  }
}

void http_connection::start_request() {
  if (used_ == filled_) {
    used_ = filled_ = 0;
  }
  if (buffer_.size() > buffer_bytes && buffered() <= buffer_bytes) {
    make_room(0);
    buffer_.resize(buffer_bytes);
    buffer_.shrink_to_fit();
  }
  parser_.emplace(store_, static_cast<std::uint32_t>(worker_.limits.header_bytes_max));
  header_bytes_ = 0;
  body_ = body_kind::none;
  content_length_ = -1;
  body_left_ = 0;
  body_deadline_ms_ = 0;
  body_pace_.begin(worker_.limits.body_seconds_per_read);
  answer_waited_ = false;
  read_seconds_ = 0;
  expect_continue_ = false;
  broken_.reset();
  answer_ = answer::none;
  keep_alive_ = true;
}

http_connection::parsed http_connection::parse_head() {
  // Clients that end a body with a stray line break are old but real (RFC 9112, 2.2).
  while (header_bytes_ == 0 && buffered() >= 2 && buffer_[used_] == '\r'
         && buffer_[used_ + 1] == '\n') {
    used_ += 2;
  }
  if (buffered() == 0) {
    return parsed::need_more;
  }
  boost::system::error_code ec;
  const auto n = parser_->put(asio::buffer(buffer_.data() + used_, buffered()), ec);
  used_ += n;
  header_bytes_ += n;
  if (ec && ec != http::error::need_more) {
    refusal_ = status_of(ec);
    return parsed::refused;
  }
  const bool done = parser_->is_header_done();
  if (header_bytes_ + (done ? 0 : buffered()) > worker_.limits.header_bytes_max) {
    refusal_ = 431;
    return parsed::refused;
  }
  return done ? accept_head() : parsed::need_more;
}

http_connection::parsed http_connection::accept_head() {
  refusal_ = check_header(*parser_, store_);
  if (refusal_ != 0) {
    return parsed::refused;
  }
  head_.method = store_.method();
  head_.target = store_.target();
  head_.host_port = store_.find(http::field::host);
  split_target();
  host_ = ascii_lower(without_port(head_.host_port));
  head_.host = host_;
  keep_alive_ = parser_->keep_alive() && !worker_.stopping;
  if (parser_->chunked()) {
    body_ = body_kind::chunked;
  } else if (const auto length = parser_->content_length(); length && *length > 0) {
    if (*length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      refusal_ = 413;
      return parsed::refused;
    }
    body_ = body_kind::length;
    body_left_ = *length;
    content_length_ = static_cast<std::int64_t>(*length);
  } else {
    content_length_ = 0;
  }
  const auto expect = store_.find(http::field::expect);
  if (!expect.empty()) {
    if (!iequals(expect, "100-continue")) {
      refusal_ = 417;
      return parsed::refused;
    }
    expect_continue_ = store_.version >= 11 && !body_done();
  }
  return parsed::ready;
}

void http_connection::split_target() {
  auto rest = head_.target;
  if (rest.starts_with("http")) {
    // Absolute form: its authority replaces Host (RFC 9112, 3.2.2).
    const auto begin = rest.find("://") + 3;
    const auto end = std::min(rest.find_first_of("/?", begin), rest.size());
    head_.host_port = rest.substr(begin, end - begin);
    rest.remove_prefix(end);
  }
  const auto question = rest.find('?');
  head_.path = rest.substr(0, question);
  if (head_.path.empty()) {
    head_.path = "/";
  }
  head_.query = question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1);
}

awaitable<void> http_connection::serve_one() {
  try {
    co_await worker_.handler(*this);
  } catch (const std::exception& e) {
    log::error(
      "an HTTP handler threw",
      {{"method", std::string(head_.method)},
       {"path", std::string(head_.path)},
       {"what", e.what()}});
  } catch (...) {
    log::error("an HTTP handler threw", {{"path", std::string(head_.path)}});
  }
  if (answer_ == answer::none) {
    co_await respond(response::json(500, R"("Internal Server Error")"));
  } else if (answer_ == answer::streaming) {
    gone_ = true;  // cut off: the client must not take a part for the whole
  }
}

awaitable<void> http_connection::refuse(int status) {
  answer_ = answer::none;
  keep_alive_ = false;
  head_.method = {};
  const std::string reason =
    http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))).to_string();
  co_await respond(response::json(status, '"' + reason + '"'));
  if (!gone_) {
    co_await linger();
  }
}

awaitable<bool> http_connection::drain() {
  if (expect_continue_ || broken_ || (body_ == body_kind::length && body_left_ > drain_bytes_max)) {
    co_return false;
  }
  std::array<char, 4096> sink{};
  std::size_t dropped = 0;
  while (!body_done()) {
    const auto n = co_await read_some(sink);
    if (!n) {
      co_return false;
    }
    dropped += *n;
    if (dropped > drain_bytes_max) {
      co_return false;
    }
  }
  co_return true;
}

awaitable<void> http_connection::linger() {
  boost::system::error_code ec;
  if (tls_) {
    tls_->stream.finish();
    gone_ = true;  // what still comes is dropped undeciphered
  }
  socket_.shutdown(http_worker::tcp::socket::shutdown_send, ec);
  set_deadline(linger_seconds);
  std::size_t dropped = 0;
  while (!ec && dropped < linger_bytes_max) {
    dropped += co_await socket_.async_read_some(
      asio::buffer(buffer_),
      asio::redirect_error(asio::use_awaitable, ec));
  }
}

}  // namespace slipway::runtime
