// The sending half of an HTTP connection: answers.
#include "runtime/clock.hpp"
#include "runtime/http_connection.hpp"
#include "runtime/http_text.hpp"
#include "runtime/log.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/status.hpp>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace slipway::runtime {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

/// One call of sendfile(2); after `file_turn_bytes` other connections of the thread get their turn.
constexpr std::size_t file_step_bytes = 1024 * 1024;
constexpr std::uint64_t file_turn_bytes = 4 * 1024 * 1024;
constexpr std::size_t copy_step_bytes = 256 * 1024;

iovec piece(std::string_view s) {
  return {const_cast<char*>(s.data()), s.size()};  // sendmsg only reads it
}

void put_number(std::string& out, std::uint64_t n, int base = 10) {
  std::array<char, 24> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), n, base).ptr;
  out.append(text.data(), end);
}

/// A value that came from outside must not end its line.
void put_value(std::string& out, std::string_view value) {
  for (const char c : value) {
    const auto u = static_cast<unsigned char>(c);
    out += (u < 0x20 && c != '\t') || u == 0x7f ? ' ' : c;
  }
}

void put_field(std::string& out, std::string_view name, std::string_view value) {
  put_value(out, name);
  out += ": ";
  put_value(out, value);
  out += "\r\n";
}

std::string_view status_line(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\n";
    case 201:
      return "HTTP/1.1 201 Created\r\n";
    case 304:
      return "HTTP/1.1 304 Not Modified\r\n";
    default:
      return {};
  }
}

}  // namespace

response response::text(int status, std::string body) {
  response r;
  r.status = status;
  r.content_type = "text/plain; charset=utf-8";
  r.body = std::move(body);
  return r;
}

response response::json(int status, std::string body) {
  response r;
  r.status = status;
  r.content_type = "application/json; charset=utf-8";
  r.body = std::move(body);
  return r;
}

response body_refused(const messages::error& e) {
  const auto [status, text] = [&]() -> std::pair<int, const char*> {
    switch (e.code) {
      case messages::errc::too_large:
        return {413, R"("Payload Too Large")"};
      case messages::errc::timed_out:
        return {408, R"("Request Timeout")"};
      case messages::errc::unsupported:
        return {415, R"("Unsupported Media Type")"};
      default:
        return {400, R"("Bad Request")"};
    }
  }();
  return response::json(status, text);
}

bool http_connection::has_no_body(int status) const {
  return status < 200 || status == 204 || status == 304;
}

bool http_connection::start_answer(const response& r) {
  if (answer_ != answer::none) {
    log::error(
      "a request was answered twice",
      {{"path", std::string(head_.path)}, {"status", std::to_string(r.status)}});
    return false;
  }
  answer_ = answer::complete;
  // A body that will not be read to its end: say so, clients then use another connection at once.
  if (expect_continue_ || broken_ || worker_.stopping) {
    keep_alive_ = false;
  }
  return !gone_;
}

void http_connection::put_head(const response& r, std::int64_t content_length) {
  out_.clear();
  if (const auto line = status_line(r.status); !line.empty()) {
    out_ += line;
  } else {
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(r.status)));
    out_ += "HTTP/1.1 ";
    put_number(out_, static_cast<std::uint64_t>(r.status));
    out_ += ' ';
    out_.append(reason.data(), reason.size());
    out_ += "\r\n";
  }
  out_ += worker_.date_line;
  if (!keep_alive_) {
    out_ += "Connection: close\r\n";
  } else if (store_.version < 11) {
    out_ += "Connection: keep-alive\r\n";
  }
  if (tls_ && tls_->hsts) {
    out_ += "Strict-Transport-Security: max-age=31536000\r\n";
  }
  if (!r.content_type.empty()) {
    put_field(out_, "Content-Type", r.content_type);
  }
  if (content_length >= 0 && r.status >= 200 && r.status != 204) {
    out_ += "Content-Length: ";
    put_number(out_, static_cast<std::uint64_t>(content_length));
    out_ += "\r\n";
  }
  for (const auto& [name, value] : r.headers) {
    put_field(out_, name, value);
  }
  if (chunked_ && content_length < 0) {
    out_ += "Transfer-Encoding: chunked\r\n";
  }
  out_ += "\r\n";
}

void http_connection::advance(pieces& out, std::size_t sent) {
  while (!out.empty() && sent >= out.front().iov_len) {
    sent -= out.front().iov_len;
    out = out.subspan(1);
  }
  if (!out.empty()) {
    out.front().iov_base = static_cast<char*>(out.front().iov_base) + sent;
    out.front().iov_len -= sent;
  }
}

bool http_connection::try_send(pieces& out, int flags) {
  if (tls_) {
    return try_send_tls(out);
  }
  while (!out.empty()) {
    msghdr message{};
    message.msg_iov = out.data();
    message.msg_iovlen = out.size();
    const auto n =
      ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      gone_ = errno != EAGAIN && errno != EWOULDBLOCK;
      return !gone_;
    }
    advance(out, static_cast<std::size_t>(n));
  }
  return true;
}

/// The kernel takes more only after a good part of its buffer was sent, which a slow but steady client may need minutes for: what counts
/// is what it acknowledged meanwhile.
awaitable<bool> http_connection::writable() {
  const int fd = socket_.native_handle();
  if (!answer_waited_ || long_lived()) {
    answer_waited_ = true;
    answer_pace_.begin(worker_.limits.write_seconds);
    acknowledged_ = bytes_acknowledged(fd);
  }
  bool wait = !gone_;
  while (wait) {
    const auto began = steady_ms();
    expect_within(answer_pace_.left_ms());
    boost::system::error_code ec;
    co_await socket_.async_wait(
      http_worker::tcp::socket::wait_write,
      asio::redirect_error(asio::use_awaitable, ec));
    deadline_ms_ = 0;
    const auto before = std::exchange(acknowledged_, bytes_acknowledged(fd));
    answer_pace_.waited(
      steady_ms() - began,
      acknowledged_ - before,
      worker_.limits.bytes_per_second_min);
    wait = ec && expired_ && !gone_ && answer_pace_.left_ms() > 0;
    gone_ = gone_ || (ec && !wait);
  }
  co_return !gone_;
}

// GCC 12 miscompiles `co_await` inside conditions: it always stands in a statement of its own here.
awaitable<bool> http_connection::send(pieces out) {
  bool open = try_send(out);
  while (open && !out.empty()) {
    open = co_await writable();
    open = open && try_send(out);
  }
  co_return open;
}

awaitable<void> http_connection::respond(response r) {
  if (!start_answer(r)) {
    co_return;
  }
  chunked_ = false;
  put_head(
    r,
    has_no_body(r.status) && r.body.empty() ? -1 : static_cast<std::int64_t>(r.body.size()));
  const bool head_only = head_.method == "HEAD" || has_no_body(r.status);
  std::array<iovec, 2> both{piece(out_), piece(r.body)};
  pieces out(both.data(), head_only || r.body.empty() ? 1 : 2);
  // Nearly always the kernel takes all of it here, in one call.
  if (try_send(out) && !out.empty()) {
    co_await send(out);
  }
}

awaitable<void> http_connection::respond_head(response r, std::uint64_t content_length) {
  if (!start_answer(r)) {
    co_return;
  }
  if (head_.method != "HEAD" && !has_no_body(r.status)) {
    keep_alive_ = false;  // the promised body never comes
  }
  chunked_ = false;
  put_head(r, static_cast<std::int64_t>(content_length));
  std::array<iovec, 1> one{piece(out_)};
  co_await send(one);
}

awaitable<void> http_connection::respond_file(
  response r,
  int descriptor,
  std::uint64_t offset,
  std::uint64_t length) {
  if (!start_answer(r)) {
    co_return;
  }
  chunked_ = false;
  put_head(r, static_cast<std::int64_t>(length));
  std::array<iovec, 1> one{piece(out_)};
  pieces out(one);
  const bool head_only = head_.method == "HEAD" || has_no_body(r.status) || length == 0;
  // The head waits for the file's first bytes, to leave in one segment with them.
  bool sent = try_send(out, head_only ? 0 : MSG_MORE);
  if (sent && !out.empty()) {
    sent = co_await send(out);
  }
  if (!sent || head_only) {
    co_return;
  }
  if (tls_) {
    sent = co_await copy_file(descriptor, offset, length);
  } else {
    sent = co_await send_file(descriptor, offset, length);
  }
  gone_ = gone_ || !sent;
}

awaitable<bool>
http_connection::send_file(int descriptor, std::uint64_t offset, std::uint64_t length) {
  std::uint64_t turn = 0;
  auto at = static_cast<off_t>(offset);
  while (length > 0) {
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(length, file_step_bytes));
    const auto n = ::sendfile(socket_.native_handle(), descriptor, &at, step);
    if (n > 0) {
      length -= static_cast<std::uint64_t>(n);
      turn += static_cast<std::uint64_t>(n);
      if (turn >= file_turn_bytes && length > 0) {
        turn = 0;
        co_await asio::post(worker_.context.get_executor(), asio::use_awaitable);
      }
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      const bool open = co_await writable();
      if (!open) {
        co_return false;
      }
    } else if (n < 0 && (errno == EINVAL || errno == ENOSYS)) {
      const bool copied = co_await copy_file(descriptor, static_cast<std::uint64_t>(at), length);
      co_return copied;
    } else if (n == 0 || errno != EINTR) {
      co_return false;  // the file is shorter than promised, or the client is gone
    }
  }
  co_return true;
}

awaitable<bool>
http_connection::copy_file(int descriptor, std::uint64_t offset, std::uint64_t length) {
  std::string step(copy_step_bytes, '\0');
  while (length > 0) {
    const auto n = ::pread(
      descriptor,
      step.data(),
      static_cast<std::size_t>(std::min<std::uint64_t>(length, step.size())),
      static_cast<off_t>(offset));
    if (n <= 0) {
      co_return false;
    }
    std::array<iovec, 1> one{iovec{step.data(), static_cast<std::size_t>(n)}};
    const bool sent = co_await send(one);
    if (!sent) {
      co_return false;
    }
    offset += static_cast<std::uint64_t>(n);
    length -= static_cast<std::uint64_t>(n);
    if (tls_ && length > 0) {
      co_await turn(static_cast<std::size_t>(n));
    }
  }
  co_return true;
}

awaitable<void> http_connection::begin(response r) {
  if (!start_answer(r)) {
    answer_ = answer_ == answer::none ? answer::complete : answer_;
    co_return;
  }
  answer_ = answer::streaming;
  stream_left_ = -1;
  for (const auto& [name, value] : r.headers) {
    if (iequals(name, "content-length")) {
      std::from_chars(value.data(), value.data() + value.size(), stream_left_);
    }
  }
  chunked_ = store_.version >= 11 && stream_left_ < 0 && !has_no_body(r.status);
  if (!chunked_ && stream_left_ < 0) {
    keep_alive_ = false;  // an HTTP/1.0 client learns the end from the end of the connection
  }
  put_head(r, -1);
  std::array<iovec, 1> one{piece(out_)};
  co_await send(one);
}

awaitable<bool> http_connection::write(std::string_view bytes) {
  if (answer_ != answer::streaming || gone_) {
    co_return false;
  }
  if (bytes.empty() || head_.method == "HEAD") {
    co_return true;
  }
  if (stream_left_ >= 0) {
    if (bytes.size() > static_cast<std::uint64_t>(stream_left_)) {
      gone_ = true;  // more than the promised length: the rest would be read as another answer
      co_return false;
    }
    stream_left_ -= static_cast<std::int64_t>(bytes.size());
  }
  std::array<iovec, 3> all{};
  pieces out(all.data(), 1);
  if (chunked_) {
    out_.clear();
    put_number(out_, bytes.size(), 16);
    out_ += "\r\n";
    all = {piece(out_), piece(bytes), piece("\r\n")};
    out = pieces(all);
  } else {
    all[0] = piece(bytes);
  }
  if (try_send(out) && !out.empty()) {
    co_await send(out);
  }
  co_return !gone_;
}

awaitable<void> http_connection::end() {
  if (answer_ != answer::streaming) {
    co_return;
  }
  answer_ = answer::complete;
  if (gone_ || head_.method == "HEAD") {
    co_return;
  }
  if (stream_left_ > 0) {
    gone_ = true;
    co_return;
  }
  if (chunked_) {
    std::array<iovec, 1> one{piece("0\r\n\r\n")};
    co_await send(one);
  }
}

}  // namespace slipway::runtime
