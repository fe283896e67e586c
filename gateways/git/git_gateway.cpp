#include "gateways/git/git_gateway.hpp"

#include "gateways/git/packets.hpp"
#include "gateways/git/process_output.hpp"
#include "runtime/http_inflate.hpp"
#include "runtime/http_text.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace slipway::gateways::git {

namespace asio = boost::asio;
using messages::errc;
using messages::error;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
/// Inflated at a time: at most a thousand times as much comes out.
constexpr std::size_t inflate_bytes = 4 * 1024;
constexpr std::size_t inflated_bytes_max = 8U << 20U;
/// What git does not want any more is still received, up to here, so that the client gets to read why.
constexpr std::uint64_t dropped_bytes_max = 4ULL << 30U;
constexpr int read_seconds = 120;
/// How often it is looked whether the client is still there, while git has nothing to say.
constexpr auto look_every = std::chrono::milliseconds(1000);
/// git's end follows that of its output at once. The pauses double from 1 ms to this, 8 s in all.
constexpr auto end_pause_max = std::chrono::milliseconds(4096);
constexpr int not_ended = -1;
/// Above it a signal ended git.
constexpr int exit_status_max = 128;

/// git shows the text of a refusal to its user, if it is plain.
response refusal(const error& e) {
  auto r = response::text(messages::http_status(e.code), e.detail + "\n");
  if (e.code == errc::unauthorized) {
    r.headers.emplace_back("WWW-Authenticate", R"(Basic realm="Slipway", charset="UTF-8")");
  } else if (e.code == errc::unavailable) {
    r.headers.emplace_back("Retry-After", "5");
  }
  return r;
}

response refusal(int status, const char* text) {
  return response::text(status, std::string(text) + "\n");
}

response accepted(service what, const char* kind) {
  response r;
  r.content_type = std::string("application/x-git-") + name(what) + "-" + kind;
  r.headers.emplace_back("Cache-Control", "no-cache, max-age=0, must-revalidate");
  return r;
}

std::optional<service> service_of_query(std::string_view query) {
  const auto pairs = runtime::parse_query(query);
  const auto wanted = pairs ? runtime::query_value(*pairs, "service") : std::nullopt;
  return wanted ? parse_service(*wanted) : std::nullopt;
}

}  // namespace

/// One request that git answers.
struct git_gateway::call {
  exchange& x;
  bool push;
  std::shared_ptr<const std::atomic<int>> status;  ///< of git, once it has ended
  git_process process;
  asio::posix::stream_descriptor input;
  process_output output;
  std::string remark;
  std::uint64_t taken_bytes_max;
  std::optional<runtime::gzip_inflater> inflater = {};
  bool wanted = true;       ///< git still reads
  std::uint64_t taken = 0;  ///< by git
  std::uint64_t dropped = 0;

  call(
    exchange& exchange_,
    service what,
    git_sessions::session s,
    std::shared_ptr<const std::atomic<int>> its_status)
    : x(exchange_),
      push(what == service::receive_pack),
      status(std::move(its_status)),
      process(std::move(s.process)),
      input(x.executor(), copy_of(process.input)),
      output(x.executor(), process.output),
      remark(std::move(s.remark)),
      taken_bytes_max(s.input_bytes_max) {
    process.input.reset();  // or git would never see its end
    process.output.reset();
  }
};

session_request git_gateway::request_of(
  const exchange& x,
  std::string slug,
  service what,
  std::shared_ptr<std::atomic<int>> status) const {
  session_request r;
  r.ended = [status = std::move(status)](int how) { *status = how; };
  r.what = what;
  r.slug = std::move(slug);
  // Never from the query: addresses end up in logs.
  r.who = [s = s_, secret = authenticator::secret_of(x.header("authorization"), "")] {
    return s->authenticator->identify(secret);
  };
  r.protocol = clean_protocol(x.header("git-protocol"));
  r.stateless = true;
  return r;
}

awaitable<void> git_gateway::handle(exchange& x, std::string_view path) {
  auto target = parse_http_target(path);
  if (!target) {
    co_return co_await x.respond(
      refusal(404, "a repository's address ends in organization/fleet.git"));
  }
  const auto method = x.head().method;
  if (target->rest == "/info/refs" && method == "GET") {
    co_return co_await advertise(x, std::move(target->slug));
  }
  const auto what = target->rest.empty() ? std::nullopt : parse_service(target->rest.substr(1));
  if (what && method == "POST") {
    co_return co_await run(x, std::move(target->slug), *what);
  }
  if (what || target->rest == "/info/refs") {
    auto wrong = refusal(405, "another method is needed");
    wrong.headers.emplace_back("Allow", what ? "POST" : "GET");
    co_return co_await x.respond(std::move(wrong));
  }
  co_await x.respond(refusal(404, "this is an address for git"));
}

awaitable<void> git_gateway::advertise(exchange& x, std::string slug) {
  const auto what = service_of_query(x.head().query);
  if (!what) {
    co_return co_await x.respond(
      refusal(403, "only git's smart HTTP protocol is spoken here: use a newer git"));
  }
  const auto status = std::make_shared<std::atomic<int>>(not_ended);
  auto request = request_of(x, std::move(slug), *what, status);
  request.advertise_only = true;
  // As git's own http-backend: version 2, which is for fetching, has no such line.
  const bool plain =
    *what == service::upload_pack && request.protocol.find("version=2") != std::string::npos;
  auto started = sessions_.start(std::move(request));
  if (!started) {
    co_return co_await x.respond(refusal(started.error()));
  }
  call c(x, *what, std::move(*started), status);
  boost::system::error_code ignored;
  c.input.close(ignored);
  co_await x.begin(accepted(*what, "advertisement"));
  if (!plain) {
    const auto line = packet(std::string("# service=git-") + name(*what) + "\n");
    (void)co_await x.write(line + std::string(flush_packet));  // a client that is gone ends below
  }
  co_await send_output(c);
}

awaitable<void> git_gateway::run(exchange& x, std::string slug, service what) {
  const auto type = std::string("application/x-git-") + name(what) + "-request";
  const auto encoding = x.header("content-encoding");
  const bool gzip = runtime::iequals(encoding, "gzip") || runtime::iequals(encoding, "x-gzip");
  if (x.header("content-type") != type || (!gzip && !encoding.empty())) {
    co_return co_await x.respond(refusal(415, "this is an address for git"));
  }
  const auto status = std::make_shared<std::atomic<int>>(not_ended);
  auto started = sessions_.start(request_of(x, std::move(slug), what, status));
  if (!started) {
    co_return co_await x.respond(refusal(started.error()));
  }
  // Its end may be far: a build is part of a push.
  x.become_long_lived(read_seconds);
  call c(x, what, std::move(*started), status);
  if (gzip) {
    c.inflater.emplace();
  }
  auto refused = co_await take_body(c);
  if (refused) {
    co_return co_await x.respond(std::move(*refused));
  }
  boost::system::error_code ignored;
  c.input.close(ignored);
  co_await x.begin(accepted(what, "result"));
  if (!c.remark.empty()) {
    (void)co_await x.write(remark_packet(c.remark));  // a client that is gone ends below
  }
  co_await send_output(c);
}

/// The body goes to git; answers why not, if it does not.
awaitable<std::optional<response>> git_gateway::take_body(call& c) {
  std::vector<char> buffer(c.inflater ? inflate_bytes : read_bytes);
  std::string inflated;
  bool first = true;
  for (;;) {
    const auto n = co_await c.x.read_some(buffer);
    if (n && *n == 0 && (!c.inflater || c.inflater->finished())) {
      co_return std::nullopt;
    }
    if (!n || *n == 0) {
      co_return refusal(400, "the request did not come whole");
    }
    std::string_view bytes(buffer.data(), *n);
    if (c.inflater) {
      inflated.clear();
      if (!c.inflater->feed(bytes, inflated, inflated_bytes_max)) {
        co_return refusal(400, "the request is not the gzip it claims to be");
      }
      bytes = inflated;
    }
    if (first && !(c.push && takes_remarks(bytes))) {
      c.remark.clear();
    }
    first = false;
    co_await give(c, bytes);
    if (c.taken > c.taken_bytes_max || c.dropped > dropped_bytes_max) {
      co_return refusal(413, "the request is larger than may be");
    }
  }
}

awaitable<void> git_gateway::give(call& c, std::string_view bytes) {
  if (c.wanted) {
    boost::system::error_code ec;
    co_await asio::async_write(
      c.input,
      asio::buffer(bytes.data(), bytes.size()),
      asio::redirect_error(asio::use_awaitable, ec));
    c.wanted = !ec;
  }
  (c.wanted ? c.taken : c.dropped) += bytes.size();
}

/// Whether git ended by itself, and a push without a failure that its report does not tell. A client that gets the rest of an answer which
/// looks whole waits for ever.
awaitable<bool> git_gateway::said_all(call& c) {
  asio::steady_timer timer(c.x.executor());
  auto pause = std::chrono::milliseconds(1);
  for (; *c.status == not_ended && pause <= end_pause_max; pause *= 2) {
    timer.expires_after(pause);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  const int status = *c.status;
  co_return status == 0 || (!c.push && status != not_ended && status <= exit_status_max);
}

awaitable<void> git_gateway::send_output(call& c) {
  for (;;) {
    const auto piece = co_await c.output.next(look_every);
    if (piece.over) {
      const bool whole = co_await said_all(c);
      if (whole) {
        co_await c.x.end();
      }
      co_return;  // else the connection is cut
    }
    bool there = !c.x.client_gone();
    if (there && !piece.bytes.empty()) {
      there = co_await c.x.write(piece.bytes);
    }
    if (!there) {
      co_return;  // git ends with `c`
    }
  }
}

}  // namespace slipway::gateways::git
