// What an HTTP connection does differently on TLS. OpenSSL reads and writes the socket at once or says what to wait for.
#include "runtime/http_connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>

#include <algorithm>

namespace slipway::runtime {

namespace asio = boost::asio;

namespace {

/// A record's payload. Small pieces are joined up to here: a record and a system call each would cost more than the copy.
constexpr std::size_t record_bytes = 16 * 1024;
/// What one connection may encrypt or decrypt before the others of its thread get their turn: about 2 ms.
constexpr std::size_t turn_bytes = 1024 * 1024;

}  // namespace

awaitable<bool> http_connection::ready(tls_stream::next what) {
  const auto kind = what == tls_stream::next::writable ? http_worker::tcp::socket::wait_write
                                                       : http_worker::tcp::socket::wait_read;
  boost::system::error_code ec;
  co_await socket_.async_wait(kind, asio::redirect_error(asio::use_awaitable, ec));
  co_return !ec;
}

awaitable<bool> http_connection::shake_hands() {
  set_deadline(worker_.limits.header_seconds);
  auto state = tls_->stream.handshake();
  while (state == tls_stream::next::readable || state == tls_stream::next::writable) {
    const bool open = co_await ready(state);
    if (!open || worker_.stopping) {
      state = tls_stream::next::closed;
    } else {
      state = tls_->stream.handshake();
    }
  }
  deadline_ms_ = 0;
  if (state == tls_stream::next::done) {
    co_return true;
  }
  ++worker_.tls_failed;
  gone_ = true;
  if (tls_->stream.was_plain_http()) {
    constexpr std::string_view hint =
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
      "Content-Type: application/json; charset=utf-8\r\nContent-Length: 34\r\n\r\n"
      "\"this port speaks HTTPS, not HTTP\"";
    // One try, as for any connection that is refused.
    [[maybe_unused]] const auto n =
      ::send(socket_.native_handle(), hint.data(), hint.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    co_await linger();
  }
  co_return false;
}

awaitable<std::size_t> http_connection::read_tls(
  std::span<char> out,
  boost::system::error_code& ec) {
  for (;;) {
    const auto p = tls_->stream.read(out);
    if (p.bytes > 0) {
      co_return p.bytes;
    }
    if (p.what == tls_stream::next::closed || p.what == tls_stream::next::done) {
      ec = asio::error::eof;
      co_return 0;
    }
    const bool open = co_await ready(p.what);
    if (!open) {
      ec = asio::error::operation_aborted;
      co_return 0;
    }
  }
}

std::string_view http_connection::one_record(pieces out) {
  const std::string_view first(static_cast<const char*>(out[0].iov_base), out[0].iov_len);
  if (out.size() == 1 || first.size() >= record_bytes) {
    return first;
  }
  auto& record = tls_->record;
  record.clear();
  for (const auto& one : out) {
    const auto n = std::min(one.iov_len, record_bytes - record.size());
    record.append(static_cast<const char*>(one.iov_base), n);
  }
  return record;
}

bool http_connection::try_send_tls(pieces& out) {
  while (!out.empty()) {
    if (out.front().iov_len == 0) {
      out = out.subspan(1);
      continue;
    }
    const auto p = tls_->stream.write(one_record(out));
    if (p.bytes > 0) {
      advance(out, p.bytes);
      continue;
    }
    // A renegotiation that asked for bytes of the client is refused, so only `writable` can be waited for.
    gone_ = p.what != tls_stream::next::writable;
    return !gone_;
  }
  return true;
}

awaitable<void> http_connection::turn(std::size_t bytes) {
  tls_->since_turn += bytes;
  if (tls_->since_turn >= turn_bytes) {
    tls_->since_turn = 0;
    co_await asio::post(worker_.context.get_executor(), asio::use_awaitable);
  }
}

}  // namespace slipway::runtime
