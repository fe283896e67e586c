#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_server.hpp"
#include "tests/support/raw_socket.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/mman.h>

#include <cstdlib>
#include <thread>

using namespace slipway;
using runtime::awaitable;
using runtime::exchange;
using runtime::http_server;
using runtime::response;
using test::raw_socket;

namespace {

/// A server whose every answer is a part of one file in memory.
struct fixture {
  int fd = ::memfd_create("body", MFD_CLOEXEC);
  std::string bytes;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::unique_ptr<http_server> server;

  explicit fixture(std::size_t size, runtime::http_limits limits = {}) {
    const auto seed = runtime::random_bytes(4096);
    while (bytes.size() < size) {
      bytes += seed;
    }
    bytes.resize(size);
    REQUIRE(::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    length = bytes.size();
    http_server::options o;
    o.limits = limits;
    auto opened = http_server::open(o);
    REQUIRE(opened);
    server = std::move(*opened);
    server->start([this](exchange& x) -> awaitable<void> {
      if (x.head().path == "/ping") {
        co_await x.respond(response::text(200, "pong"));
        co_return;
      }
      response r;
      r.content_type = "application/octet-stream";
      co_await x.respond_file(r, fd, offset, length);
    });
  }
  ~fixture() {
    server->stop(1000);
    ::close(fd);
  }
  [[nodiscard]] raw_socket connect() const { return raw_socket::connect(server->port()); }
  bool all_closed() const {
    const auto until = runtime::steady_ms() + 20'000;
    while (server->count().connections_open > 0 && runtime::steady_ms() < until) {
      std::this_thread::yield();
    }
    return server->count().connections_open == 0;
  }
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace

TEST_CASE("a file is sent whole and the connection goes on") {
  fixture f(12U << 20U);
  auto s = f.connect();
  for (int i = 0; i < 2; ++i) {
    s.send(get);
    const auto a = s.read_answer();
    CHECK(a.status == 200);
    CHECK(a.body == f.bytes);
  }
  s.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer(true).head.find("Content-Length: 12582912\r\n") != std::string::npos);
  s.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer().body == "pong");
}

TEST_CASE("a part of a file is sent") {
  fixture f(100'000);
  auto s = f.connect();
  f.offset = 1234;
  f.length = 50'000;
  s.send(get);
  CHECK(s.read_answer().body == f.bytes.substr(1234, 50'000));
  f.length = 0;
  s.send(get);
  CHECK(s.read_answer().body.empty());
}

TEST_CASE("a file that is shorter than promised ends the connection") {
  fixture f(1000);
  f.length = 2000;
  auto s = f.connect();
  s.send(get);
  s.read_until("\r\n\r\n");
  CHECK(s.read_to_end().size() == 1000);
  CHECK(f.all_closed());
}

TEST_CASE("a client that goes while a file is sent leaves nothing behind") {
  fixture f(64U << 20U);
  for (int i = 0; i < 10; ++i) {
    auto s = f.connect();
    s.send(get);
    CHECK(s.read_exactly(1000).size() == 1000);
  }
  CHECK(f.all_closed());
  auto s = f.connect();
  s.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer().body == "pong");
}

TEST_CASE("a client that reads nothing is let go, and holds up nobody meanwhile") {
  runtime::http_limits limits;
  limits.write_seconds = 1;
  fixture f(64U << 20U, limits);
  std::vector<raw_socket> stuck;
  for (int i = 0; i < 8; ++i) {
    stuck.push_back(f.connect());
    stuck.back().send(get);
  }
  {
    auto s = f.connect();
    s.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(s.read_answer().body == "pong");
  }
  CHECK(f.all_closed());
}
