// The receiving half of an HTTP connection: bodies.
#include "runtime/clock.hpp"
#include "runtime/http_connection.hpp"
#include "runtime/http_inflate.hpp"
#include "runtime/http_text.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace slipway::runtime {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using messages::errc;
using messages::error;
using messages::fail;
using messages::result;

namespace {

/// Chunked bodies pass through the connection's buffer: big enough that a chunk of the usual 32 KiB costs about one read.
constexpr std::size_t chunk_buffer_bytes = 128 * 1024;
constexpr std::size_t body_step_bytes = 64 * 1024;
/// A whole body may take this many times as long as one read of it.
constexpr int body_patience = 10;

}  // namespace

void http_connection::make_room(std::size_t capacity) {
  if (used_ > 0) {
    std::copy(
      buffer_.begin() + static_cast<std::ptrdiff_t>(used_),
      buffer_.begin() + static_cast<std::ptrdiff_t>(filled_),
      buffer_.begin());
    filled_ -= used_;
    used_ = 0;
  }
  if (capacity > buffer_.size()) {
    buffer_.resize(capacity);
  }
}

error http_connection::break_off(errc code, std::string why) {
  keep_alive_ = false;
  broken_ = error{code, std::move(why)};
  return *broken_;
}

awaitable<void> http_connection::send_continue() {
  expect_continue_ = false;
  if (answer_ != answer::none || buffered() > 0) {
    co_return;  // answered already, or the client did not wait
  }
  std::string line = "HTTP/1.1 100 Continue\r\n\r\n";
  std::array<iovec, 1> one{iovec{line.data(), line.size()}};
  co_await send(one);
}

awaitable<result<std::size_t>> http_connection::receive(std::span<char> out) {
  const auto began = steady_ms();
  if (long_lived()) {
    set_deadline(read_seconds_);
  } else {
    expect_within(body_pace_.left_ms());
  }
  if (body_deadline_ms_ != 0) {
    deadline_ms_ = std::min(deadline_ms_, body_deadline_ms_);
  }
  boost::system::error_code ec;
  std::size_t n = 0;
  if (tls_) {
    n = co_await read_tls(out, ec);
  } else {
    n = co_await socket_.async_read_some(
      asio::buffer(out.data(), out.size()),
      asio::redirect_error(asio::use_awaitable, ec));
  }
  deadline_ms_ = 0;
  body_pace_.waited(steady_ms() - began, n, worker_.limits.bytes_per_second_min);
  if (!ec) {
    if (tls_) {
      co_await turn(n);
    }
    co_return n;
  }
  if (expired_) {
    co_return tl::unexpected(break_off(errc::timed_out, "the body did not come in time"));
  }
  co_return tl::unexpected(
    break_off(errc::invalid_argument, "the connection ended within the body"));
}

std::size_t http_connection::take_buffered(std::span<char> out) {
  const auto n = std::min(out.size(), buffered());
  std::copy_n(buffer_.data() + used_, n, out.data());
  used_ += n;
  return n;
}

result<std::size_t> http_connection::take_chunked(std::span<char> out) {
  parser_->sink(out);
  while (!parser_->is_done() && parser_->taken() < out.size()) {
    boost::system::error_code ec;
    const auto n = parser_->put(asio::buffer(buffer_.data() + used_, buffered()), ec);
    used_ += n;
    if (ec == http::error::need_more || (!ec && n == 0)) {
      break;
    }
    if (ec) {
      return tl::unexpected(break_off(errc::invalid_argument, "the body's chunks are malformed"));
    }
  }
  if (parser_->is_done()) {
    body_ = body_kind::none;
  }
  return parser_->taken();
}

awaitable<bool> http_connection::fill(std::size_t capacity) {
  make_room(capacity);
  if (filled_ == buffer_.size()) {
    // Only a chunk's header or the trailer can be this long.
    break_off(errc::invalid_argument, "the body's chunks are malformed");
    co_return false;
  }
  const auto n = co_await receive({buffer_.data() + filled_, buffer_.size() - filled_});
  if (n) {
    filled_ += *n;
  }
  co_return n.has_value();
}

awaitable<result<std::size_t>> http_connection::read_some(std::span<char> out) {
  if (broken_) {
    co_return tl::unexpected(*broken_);
  }
  if (body_done() || out.empty()) {
    co_return std::size_t{0};
  }
  if (expect_continue_) {
    co_await send_continue();
  }
  if (body_ == body_kind::length) {
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), body_left_)));
    auto n = take_buffered(out);
    if (n == 0) {
      const auto got = co_await receive(out);
      if (!got) {
        co_return got;
      }
      n = *got;
    }
    body_left_ -= n;
    if (body_left_ == 0) {
      body_ = body_kind::none;
    }
    co_return n;
  }
  for (;;) {
    const auto n = take_chunked(out);
    if (!n || *n > 0 || body_done()) {
      co_return n;
    }
    // Many long-lived bodies may be open at once, each with a small `out`.
    const bool filled =
      co_await fill(std::max(buffer_.size(), std::min(2 * out.size(), chunk_buffer_bytes)));
    if (!filled) {
      co_return tl::unexpected(*broken_);
    }
  }
}

awaitable<result<std::string>> http_connection::read_body(std::size_t bytes_max) {
  const auto encoding = store_.find(http::field::content_encoding);
  body_deadline_ms_ =
    steady_ms() + std::int64_t{worker_.limits.body_seconds_per_read} * 1000 * body_patience;
  if (iequals(encoding, "gzip") || iequals(encoding, "x-gzip")) {
    co_return co_await read_inflated(bytes_max);
  }
  if (!encoding.empty() && !iequals(encoding, "identity")) {
    co_return fail(errc::unsupported, "the body's Content-Encoding is not gzip");
  }
  const auto too_large = [bytes_max] {
    return fail(errc::too_large, "the body is larger than " + std::to_string(bytes_max) + " bytes");
  };
  std::string body;
  if (content_length_ > 0 && static_cast<std::uint64_t>(content_length_) > bytes_max) {
    co_return too_large();  // before a single byte of it
  }
  while (!body_done()) {
    // Grows with what really comes: a client that only claims a length gets no memory for it.
    const auto before = body.size();
    if (before > bytes_max) {
      co_return too_large();
    }
    auto room = std::min(std::max(body_step_bytes, before), bytes_max + 1 - before);
    if (body_ == body_kind::length) {
      room = static_cast<std::size_t>(std::min<std::uint64_t>(room, body_left_));
    }
    body.resize(before + room);
    const auto n = co_await read_some({body.data() + before, room});
    if (!n) {
      co_return tl::unexpected(n.error());
    }
    body.resize(before + *n);
  }
  if (body.size() > bytes_max) {
    co_return too_large();
  }
  co_return body;
}

awaitable<result<std::string>> http_connection::read_inflated(std::size_t bytes_max) {
  gzip_inflater inflater;
  std::string packed(body_step_bytes, '\0');
  std::string body;
  while (!body_done()) {
    const auto n = co_await read_some(packed);
    if (!n) {
      co_return tl::unexpected(n.error());
    }
    if (const auto fed = inflater.feed({packed.data(), *n}, body, bytes_max); !fed) {
      co_return tl::unexpected(fed.error());
    }
  }
  if (!inflater.finished()) {
    co_return fail(errc::invalid_argument, "the gzip body is cut");
  }
  co_return body;
}

}  // namespace slipway::runtime
