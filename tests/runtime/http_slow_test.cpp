#include "runtime/clock.hpp"
#include "runtime/http_server.hpp"
#include "tests/support/raw_socket.hpp"

#include <catch2/catch.hpp>
#include <sys/socket.h>

#include <array>
#include <thread>

using namespace slipway;
using runtime::awaitable;
using runtime::exchange;
using runtime::http_server;
using runtime::response;
using test::raw_socket;

namespace {

constexpr std::size_t big_bytes = std::size_t{24} << 20U;
constexpr std::size_t step_bytes = 64 * 1024;

/// Counts a body, piece by piece or whole.
awaitable<void> count(exchange& x) {
  std::size_t total = 0;
  messages::result<void> done;
  if (x.head().path == "/whole") {
    const auto body = co_await x.read_body(1000);
    total = body ? body->size() : 0;
    done = body ? done : tl::unexpected(body.error());
  } else {
    std::array<char, 700> part{};
    messages::result<std::size_t> n = 1;
    while (n && *n > 0) {
      n = co_await x.read_some(part);
      total += n ? *n : 0;
    }
    done = n ? done : tl::unexpected(n.error());
  }
  auto answer =
    done ? response::text(200, std::to_string(total)) : runtime::body_refused(done.error());
  co_await x.respond(std::move(answer));
}

/// A long answer in one piece or in many.
awaitable<void> send_big(exchange& x) {
  const bool pieces = x.head().path != "/big";
  if (x.head().path == "/follow") {
    x.become_long_lived(60);
  }
  if (!pieces) {
    auto answer = response::text(200, std::string(big_bytes, 'x'));
    co_await x.respond(std::move(answer));
    co_return;
  }
  response head;
  co_await x.begin(std::move(head));
  const std::string piece(step_bytes, 'x');
  bool open = true;
  for (std::size_t sent = 0; open && sent < big_bytes; sent += piece.size()) {
    open = co_await x.write(piece);
  }
  co_await x.end();
}

awaitable<void> handle(exchange& x) {
  const auto path = x.head().path;
  if (path == "/big" || path == "/pieces" || path == "/follow") {
    co_await send_big(x);
    co_return;
  }
  if (path == "/listen") {
    x.become_long_lived(60);
  }
  if (x.head().method == "POST") {
    co_await count(x);
    co_return;
  }
  auto answer = response::text(200, "here");
  co_await x.respond(std::move(answer));
}

struct fixture {
  std::unique_ptr<http_server> server;

  explicit fixture(runtime::http_limits limits) {
    http_server::options o;
    o.limits = limits;
    auto opened = http_server::open(o);
    REQUIRE(opened);
    server = std::move(*opened);
    server->start(handle);
  }
  ~fixture() { server->stop(1000); }

  [[nodiscard]] raw_socket connect() const {
    auto s = raw_socket::connect(server->port());
    REQUIRE(s.fd() >= 0);
    return s;
  }
  /// Status of the answer to `bytes` on a connection of its own, which must close.
  [[nodiscard]] int status_of(std::string_view bytes) const {
    auto s = connect();
    s.send(bytes);
    const auto a = s.read_answer();
    CHECK(s.closed_within(10'000));
    return a.status;
  }
};

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

std::string post(std::string_view target, std::string_view fields, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n"
         + std::string(body);
}

/// Reads up to `bytes` every 50 ms, for `ms` or to the end; how much came.
std::size_t read_slowly(const raw_socket& s, std::size_t bytes, std::int64_t ms) {
  std::string part(bytes, '\0');
  std::size_t total = 0;
  const auto until = runtime::steady_ms() + ms;
  while (runtime::steady_ms() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto n = ::recv(s.fd(), part.data(), part.size(), 0);
    if (n <= 0) {
      break;
    }
    total += static_cast<std::size_t>(n);
  }
  return total;
}

}  // namespace

TEST_CASE("slow clients are let go") {
  runtime::http_limits limits;
  limits.header_seconds = 1;
  limits.idle_seconds = 1;
  limits.body_seconds_per_read = 1;
  fixture f(limits);
  SECTION("that say nothing") {
    auto s = f.connect();
    CHECK(s.read_to_end(10'000).empty());
    CHECK(s.closed_within(0));
  }
  SECTION("that say nothing after an answer") {
    auto s = f.connect();
    s.send(get("/"));
    CHECK(s.read_answer().status == 200);
    CHECK(s.closed_within(10'000));
  }
  SECTION("that drip a header") {
    auto s = f.connect();
    const auto begin = runtime::steady_ms();
    s.send("GET / HTTP/1.1\r\nHost: h\r\n");
    std::string got;
    // A field a time, always in time for an idle limit; the limit is for the whole header.
    while (got.empty() && runtime::steady_ms() - begin < 10'000) {
      s.send("X: y\r\n");
      got = s.read_some(100);
    }
    CHECK(got.starts_with("HTTP/1.1 408 "));
    CHECK(runtime::steady_ms() - begin < 5'000);
  }
  SECTION("that stop within a body") {
    CHECK(f.status_of(post("/whole", "Content-Length: 10\r\n", "abc")) == 408);
    CHECK(f.status_of(post("/count", "Transfer-Encoding: chunked\r\n", "5\r\nabc")) == 408);
  }
}

TEST_CASE("a body that drips is ended, though every byte of it comes in time") {
  runtime::http_limits limits;
  limits.body_seconds_per_read = 1;
  limits.bytes_per_second_min = 1000;
  fixture f(limits);
  // Sends so much every 50 ms; the status, 0 when there was none until everything was sent.
  const auto drip = [&](std::string_view target, std::size_t bytes, std::int64_t ms) {
    auto s = f.connect();
    s.send(post(target, "Content-Length: 1000000\r\n", ""));
    const std::string part(bytes, 'x');
    const auto until = runtime::steady_ms() + ms;
    std::string got;
    while (got.empty() && runtime::steady_ms() < until && s.send(part)) {
      got = s.read_some(50);
    }
    return got.size() > 12 ? std::stoi(got.substr(9, 3)) : 0;
  };
  SECTION("one byte at a time") {
    CHECK(drip("/count", 1, 20'000) == 408);
  }
  SECTION("after a fast start") {
    auto s = f.connect();
    s.send(post("/count", "Content-Length: 1000000\r\n", std::string(500'000, 'x')));
    std::string got;
    const auto until = runtime::steady_ms() + 20'000;
    while (got.empty() && runtime::steady_ms() < until && s.send("x")) {
      got = s.read_some(50);
    }
    CHECK(got.starts_with("HTTP/1.1 408 "));
  }
  SECTION("in chunks of one byte") {
    auto s = f.connect();
    s.send(post("/count", "Transfer-Encoding: chunked\r\n", ""));
    std::string got;
    const auto until = runtime::steady_ms() + 20'000;
    while (got.empty() && runtime::steady_ms() < until && s.send("1\r\nx\r\n")) {
      got = s.read_some(50);
    }
    CHECK(got.starts_with("HTTP/1.1 408 "));
  }
  SECTION("but not one that is slow and fast enough") {
    CHECK(drip("/count", 400, 3000) == 0);
  }
  SECTION("and not one of a request that has no end of its own") {
    CHECK(drip("/listen", 1, 3000) == 0);
  }
}

TEST_CASE("a client that reads an answer by drips is let go") {
  runtime::http_limits limits;
  limits.write_seconds = 1;
  limits.bytes_per_second_min = 1'000'000;
  fixture f(limits);
  const auto target = GENERATE("/big", "/pieces");
  auto s = f.connect();
  s.send(get(target));
  read_slowly(s, 100, 3000);
  const auto rest = s.read_to_end().size();
  CHECK(rest < big_bytes - step_bytes);
}

TEST_CASE("a client that reads an answer slowly but steadily gets all of it") {
  runtime::http_limits limits;
  limits.write_seconds = 1;
  limits.bytes_per_second_min = 1000;
  fixture f(limits);
  const auto target = GENERATE("/big", "/pieces");
  auto s = f.connect();
  s.send(get(target));
  const auto first = read_slowly(s, 20'000, 3000);
  const auto rest = s.read_exactly(big_bytes - first).size();
  CHECK(first < big_bytes / 2);
  CHECK(first + rest >= big_bytes);
}

TEST_CASE("what a long-lived answer sends may be read at any pace") {
  runtime::http_limits limits;
  limits.write_seconds = 1;
  limits.bytes_per_second_min = 100'000'000;
  fixture f(limits);
  auto s = f.connect();
  s.send(get("/follow"));
  const auto first = read_slowly(s, 400'000, 3000);
  const auto rest = s.read_exactly(big_bytes - first).size();
  CHECK(first + rest >= big_bytes);
}
