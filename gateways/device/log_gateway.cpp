#include "gateways/device/log_gateway.hpp"

#include "domain/numbers.hpp"
#include "gateways/call_waiter.hpp"
#include "gateways/device/log_records.hpp"
#include "runtime/clock.hpp"
#include "runtime/http_inflate.hpp"
#include "runtime/http_text.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <optional>
#include <utility>

namespace slipway::gateways::device {

namespace asio = boost::asio;
using domain::action;
using messages::errc;
using messages::error;
using messages::fail;
using messages::result;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;
using storage::log_line;

namespace {

constexpr std::size_t batch_bytes_max = log_batch_records_max * log_record_bytes_max;
/// Many streams are open at once: each has one such buffer.
constexpr std::size_t read_bytes = 4096;
/// Inflated at a time, so that a stream that inflates to a thousand times its size is still handled in small pieces.
constexpr std::size_t inflate_bytes = 512;
constexpr std::size_t inflated_bytes_max = 1U << 20U;
/// Handed to the store at once.
constexpr std::size_t append_lines_max = 512;
constexpr std::size_t append_bytes_max = 64 * 1024;
constexpr int stream_idle_seconds = 300;
constexpr const char* retry_after_seconds = "10";

response refusal(const error& e) {
  const bool ours = e.code == errc::unavailable || e.code == errc::disk_full
                    || e.code == errc::io_failed || e.code == errc::corrupt
                    || e.code == errc::timed_out;
  auto r = error_response(ours ? error{errc::unavailable, "device logs are not available"} : e);
  if (ours || e.code == errc::too_many_requests) {
    r.headers.emplace_back("Retry-After", retry_after_seconds);
  }
  return r;
}

awaitable<void> pause(const exchange& x, std::int64_t ms) {
  asio::steady_timer timer(x.executor());
  timer.expires_after(std::chrono::milliseconds(ms));
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

/// One for all streams of a thread: it is done with before anything is waited for.
std::string& inflate_buffer() {
  static thread_local std::string buffer;
  return buffer;
}

/// `application/x-ndjson`, without parameters but those that say nothing.
bool is_ndjson(std::string_view type) {
  return runtime::iequals(type.substr(0, type.find(';')), "application/x-ndjson");
}

}  // namespace

/// A stream that a device sends.
struct log_gateway::sending {
  exchange& x;
  std::int64_t device;
  bool gzip;
  live_right right;
  log_rate rate{runtime::steady_ms()};
  std::optional<runtime::gzip_inflater> inflater = {};
  log_line_splitter splitter = {};
  std::vector<log_line> lines = {};
  std::size_t bytes = 0;
};

/// A log that somebody reads.
struct log_gateway::reading {
  exchange& x;
  std::int64_t device;
  log_query query;
  std::uint64_t after;
  std::shared_ptr<log_tail> tail;
};

result<std::int64_t> log_gateway::device_of(const exchange& x, const std::string& uuid, action what)
  const {
  if (!s_->logs) {
    return fail(errc::unavailable, "device logs are off");
  }
  const auto by = requester_of(*s_, x);
  if (!by) {
    return tl::unexpected(by.error());
  }
  const auto& d = domain::numbers::get().device;
  const auto view = s_->store.rows->view();
  const std::array<messages::value, 1> key{uuid};
  const auto id = view->first(d.resource, d.uuid, key);
  const auto row = id ? view->get(d.resource, *id) : std::nullopt;
  const domain::access rights(*s_->model, *by, *view);
  if (!row || !rights.may_do(what, s_->model->at("device"), *row)) {
    const bool guest = by->kind == messages::requester_kind::guest;
    return what == action::write_logs || guest
             ? fail(errc::unauthorized, "no such device, or no access to it")
             : fail(errc::not_found, "no such device, or no access to it");
  }
  return *id;
}

live_right log_gateway::right_to(const exchange& x, std::int64_t device, action what) const {
  return {
    s_,
    authenticator::secret_of(x.header("authorization"), x.head().query),
    [model = s_->model,
     device,
     what](const messages::requester& by, const domain::row_source& rows) {
      const auto row = rows.get(domain::numbers::get().device.resource, device);
      return row && domain::access(*model, by, rows).may_do(what, model->at("device"), *row);
    }};
}

awaitable<void> log_gateway::post_batch(exchange& x, std::string uuid) {
  const auto device = device_of(x, uuid, action::write_logs);
  if (!device) {
    co_return co_await x.respond(refusal(device.error()));
  }
  if (const auto wait = limiter_.take(*device, runtime::steady_ms()); wait > 0) {
    auto busy = error_response(errc::too_many_requests, "too many batches of log records");
    busy.headers.emplace_back("Retry-After", std::to_string((wait + 999) / 1000));
    co_return co_await x.respond(std::move(busy));
  }
  const auto body = co_await x.read_body(batch_bytes_max);
  if (!body) {
    co_return co_await x.respond(runtime::body_refused(body.error()));
  }
  auto lines = parse_log_batch(*body, s_->now());
  if (!lines) {
    co_return co_await x.respond(error_response(lines.error()));
  }
  if (!lines->empty()) {
    storage::log_batch batch{*device, std::move(*lines)};
    const auto done = co_await s_->logs->append(x.executor(), std::move(batch), true);
    if (!done) {
      co_return co_await x.respond(refusal(done.error()));
    }
  }
  co_await x.respond(empty_response(201));
}

awaitable<void> log_gateway::post_stream(exchange& x, std::string uuid) {
  // All that can be refused is refused before the first byte of the body: clients wait for that, and take any later answer for
  // a failure.
  const auto device = device_of(x, uuid, action::write_logs);
  if (!device) {
    co_return co_await x.respond(refusal(device.error()));
  }
  const auto encoding = x.header("content-encoding");
  const bool gzip = runtime::iequals(encoding, "gzip") || runtime::iequals(encoding, "x-gzip");
  if (
    !is_ndjson(x.header("content-type"))
    || (!gzip && !encoding.empty() && !runtime::iequals(encoding, "identity"))) {
    auto answer = runtime::body_refused(error{errc::unsupported, ""});
    co_return co_await x.respond(std::move(answer));
  }
  const auto place = s_->logs->enter(*device, false);
  if (!place) {
    co_return co_await x.respond(refusal(place.error()));
  }
  x.become_long_lived(stream_idle_seconds);
  sending in{
    .x = x,
    .device = *device,
    .gzip = gzip,
    .right = right_to(x, *device, action::write_logs)};
  if (gzip) {
    in.inflater.emplace();
  }
  const auto received = co_await receive(in);
  if (!received) {
    auto answer =
      received.error().code == errc::invalid_argument || received.error().code == errc::too_large
        ? runtime::body_refused(received.error())
        : refusal(received.error());
    co_return co_await x.respond(std::move(answer));
  }
  // What came is in the store; the answer also promises that it is on disk.
  storage::log_batch nothing{*device, {}};
  const auto durable = co_await s_->logs->append(x.executor(), std::move(nothing), true);
  auto answer = durable ? empty_response(201) : refusal(durable.error());
  co_await x.respond(std::move(answer));
}

awaitable<result<void>> log_gateway::receive(sending& in) {
  std::vector<char> buffer(read_bytes);
  const auto take = [&](std::string_view text) {
    // A record that is wrong is skipped: the stream has no way to say which it was.
    auto line = parse_log_record(text, s_->now());
    if (line && *line) {
      in.bytes += text.size();
      in.lines.push_back(std::move(**line));
    }
  };
  for (;;) {
    const auto n = co_await in.x.read_some(buffer);
    if (!n) {
      co_return tl::unexpected(n.error());
    }
    if (*n == 0) {
      break;
    }
    if (!in.right.holds()) {
      co_return fail(errc::unauthorized, "no longer permitted");
    }
    std::string_view rest(buffer.data(), *n);
    while (!rest.empty()) {
      const auto part = rest.substr(0, in.gzip ? inflate_bytes : rest.size());
      rest.remove_prefix(part.size());
      std::string_view text = part;
      if (in.gzip) {
        auto& inflated = inflate_buffer();
        inflated.clear();
        if (const auto fed = in.inflater->feed(part, inflated, inflated_bytes_max); !fed) {
          co_return fed;
        }
        text = inflated;
      }
      const auto wait = in.rate.take(static_cast<std::int64_t>(text.size()), runtime::steady_ms());
      in.splitter.feed(text, take);
      if (in.lines.size() >= append_lines_max || in.bytes >= append_bytes_max) {
        const auto stored = co_await store(in);
        if (!stored) {
          co_return stored;
        }
      }
      if (wait > 0) {
        co_await pause(in.x, wait);
      }
    }
    const auto stored = co_await store(in);
    if (!stored) {
      co_return stored;
    }
  }
  if (in.gzip && !in.inflater->finished()) {
    co_return fail(errc::invalid_argument, "the gzip stream is cut");
  }
  in.splitter.finish(take);
  const auto stored = co_await store(in);
  co_return stored;
}

awaitable<result<void>> log_gateway::store(sending& in) {
  if (in.lines.empty()) {
    co_return result<void>{};
  }
  storage::log_batch batch{in.device, std::exchange(in.lines, {})};
  in.bytes = 0;
  const auto done = co_await s_->logs->append(in.x.executor(), std::move(batch), false);
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return result<void>{};
}

awaitable<void> log_gateway::get(exchange& x, std::string uuid) {
  const auto device = device_of(x, uuid, action::read_logs);
  if (!device) {
    co_return co_await x.respond(refusal(device.error()));
  }
  const auto query = parse_log_query(x.head().query);
  if (!query) {
    co_return co_await x.respond(error_response(query.error()));
  }
  const auto place = s_->logs->enter(*device, true);
  if (!place) {
    co_return co_await x.respond(refusal(place.error()));
  }
  auto tail = s_->logs->tail(*device);
  const auto at = tail ? s_->logs->store().extent(*device) : tl::unexpected(tail.error());
  if (!at) {
    co_return co_await x.respond(refusal(at.error()));
  }
  const auto count = std::min(query->count.value_or(at->lines()), at->lines());
  reading out{x, *device, *query, at->last - count, std::move(*tail)};
  if (query->stream) {
    co_await send_stream(out);
  } else {
    co_await send_list(out);
  }
}

/// A JSON array, in pieces: what is kept of a device need not fit into memory many times over.
awaitable<void> log_gateway::send_list(reading& out) {
  log_feed feed(out.tail, out.after, out.query.start_ms, s_->now(), s_->logs->feed_limits());
  auto head = response::json(200, "");
  co_await out.x.begin(std::move(head));
  std::string text = "[";
  bool open = true;
  while (open && feed.in_history()) {
    const auto piece = feed.next(s_->now());
    if (!piece) {
      co_return;  // cut off: a part must not look like the whole
    }
    for (std::string_view rest = *piece ? **piece : std::string_view(); !rest.empty();) {
      const auto end = rest.find('\n');
      text += text == "[" ? "" : ",";
      text += rest.substr(0, end);
      rest.remove_prefix(end + 1);
    }
    if (text.size() > s_->logs->feed_limits().piece_bytes) {
      open = co_await out.x.write(text);
      text = "";
      co_await asio::post(out.x.executor(), asio::use_awaitable);
    }
  }
  text += "]";
  co_await out.x.write(text);
  co_await out.x.end();
}

awaitable<void> log_gateway::send_stream(reading& out) {
  auto& x = out.x;
  auto& hub = *s_->logs;
  x.become_long_lived(stream_idle_seconds);
  call_waiter waiter(x.executor());
  const auto wake = std::make_shared<log_tail::waker>(waiter.caller());
  out.tail->add(wake);
  log_feed feed(out.tail, out.after, out.query.start_ms, s_->now(), hub.feed_limits());
  response head;
  head.content_type = "application/x-ndjson";
  co_await x.begin(std::move(head));
  auto right = right_to(x, out.device, action::read_logs);
  while (!hub.closed() && right.holds() && !x.client_gone()) {
    const auto text = feed.next(s_->now());
    if (!text) {
      break;
    }
    if (*text && !(*text)->empty()) {
      const bool open = co_await x.write(**text);
      if (!open) {
        break;
      }
      co_await asio::post(x.executor(), asio::use_awaitable);
    } else if (!*text) {
      const auto wait = std::min(feed.due_ms() - s_->now(), live_right_ms);
      co_await waiter.wait(wait);
    }
  }
  co_await x.end();
}

}  // namespace slipway::gateways::device
