#include "runtime/certificates.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_client.hpp"
#include "runtime/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/temp_folder.hpp"

#include <boost/asio/awaitable.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

using namespace slipway;
using namespace slipway::runtime;
using test::raw_socket;

namespace {

constexpr std::size_t large_bytes = 64U << 20U;

/// Bytes that tell their place.
std::string pattern(std::size_t n) {
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<char>((i * 31 + i / 251) & 0xffU);
  }
  return out;
}

struct fixture {
  tls_identity root = *make_root("localhost", now_ms());
  std::shared_ptr<tls_context> context = std::make_shared<tls_context>(tls_context::options{});
  test::temp_folder folder;
  int file = -1;
  std::string content;
  std::unique_ptr<http_server> server;

  explicit fixture(http_limits limits = {}, std::size_t bytes = 1U << 20U)
    : content(pattern(bytes)) {
    renew();
    const auto path = folder.path() + "/large";
    std::ofstream(path, std::ios::binary) << content;
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    http_server::options o;
    o.limits = limits;
    o.tls = {"127.0.0.1", 0, context};
    auto opened = http_server::open(o);
    REQUIRE(opened);
    server = std::move(*opened);
    server->start([this](exchange& x) { return handle(x); });
  }
  ~fixture() {
    server.reset();
    ::close(file);
  }
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;

  void renew() const {
    const auto leaf = make_leaf(root, {"localhost"}, now_ms());
    REQUIRE(context->use({*leaf}, now_ms()));
  }

  awaitable<void> handle(exchange& x) const {
    const auto path = x.head().path;
    if (path == "/file") {
      response whole;
      co_await x.respond_file(whole, file, 0, content.size());
    } else if (path == "/digest") {
      std::string all;
      std::vector<char> part(1U << 20U);
      for (;;) {
        const auto n = co_await x.read_some(part);
        if (!n || *n == 0) {
          break;
        }
        all.append(part.data(), *n);
      }
      co_await x.respond(response::text(200, sha256_hex(all)));
    } else if (path == "/stream") {
      response chunked;
      co_await x.begin(chunked);
      for (int i = 0; i < 1000; ++i) {
        co_await x.write(std::string_view(content).substr(static_cast<std::size_t>(i) * 997, 997));
      }
      co_await x.end();
    } else {
      co_await x.respond(response::text(200, x.head().tls ? "tls" : "plain"));
    }
  }

  [[nodiscard]] std::string url(const std::string& path) const {
    return "https://localhost:" + std::to_string(server->tls_port_number()) + path;
  }
  [[nodiscard]] http_client client() const {
    return http_client({.unix_socket = {}, .ca_file = {}, .ca_pem = root.chain, .user_agent = {}});
  }
};

http_limits given_header_seconds(int seconds) {
  http_limits l;
  l.header_seconds = seconds;
  return l;
}

}  // namespace

TEST_CASE("one server answers plain and secured requests and tells them apart") {
  const fixture f;
  auto client = f.client();
  http_request r;
  r.url = f.url("/");
  const auto secured = client.send(r);
  REQUIRE(secured);
  CHECK(secured->body == "tls");
  CHECK(secured->header("strict-transport-security").empty());
  r.url = "http://localhost:" + std::to_string(f.server->port()) + "/";
  CHECK(client.send(r)->body == "plain");
  CHECK(f.server->count().tls_connections == 1);
  CHECK(f.server->count().connections == 2);
}

TEST_CASE("a client that does not trust the authority does not talk") {
  const fixture f;
  http_client stranger({});
  http_request r;
  r.url = f.url("/");
  const auto refused = stranger.send(r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == messages::errc::unavailable);
  CHECK(stranger.distrusted() == distrust::chain);
  const auto other = make_root("localhost", now_ms());
  http_client misled({.unix_socket = {}, .ca_file = {}, .ca_pem = other->chain, .user_agent = {}});
  CHECK_FALSE(misled.send(r));
  CHECK(misled.distrusted() == distrust::chain);
  http_client broken({.unix_socket = {}, .ca_file = {}, .ca_pem = "no PEM", .user_agent = {}});
  CHECK_FALSE(broken.send(r));
  CHECK(broken.distrusted() == distrust::chain);
  CHECK(f.server->count().requests == 0);
}

TEST_CASE(
  "a client tells a name that the certificate is not for from a root that it does not know") {
  const fixture f;
  auto client = f.client();
  http_request r;
  r.url = "https://127.0.0.1:" + std::to_string(f.server->tls_port_number()) + "/";
  REQUIRE_FALSE(client.send(r));
  CHECK(client.distrusted() == distrust::name);
  r.url = f.url("/");
  REQUIRE(client.send(r));
  CHECK(client.distrusted() == distrust::none);
}

TEST_CASE("a client whose root has signed a new certificate goes on, also on a new connection") {
  const fixture f;
  auto client = f.client();
  http_request r;
  r.url = f.url("/");
  REQUIRE(client.send(r));
  f.renew();
  REQUIRE(client.send(r));
  CHECK(f.server->count().tls_connections == 1);
  auto fresh = f.client();
  REQUIRE(fresh.send(r));
}

TEST_CASE("64 MiB arrive whole in both directions, as a file, a body and a stream") {
  const fixture f({}, large_bytes);
  auto client = f.client();
  http_request r;
  r.url = f.url("/file");
  r.body_bytes_max = large_bytes;
  const auto got = client.send(r);
  REQUIRE(got);
  CHECK(got->body.size() == large_bytes);
  CHECK(got->body == f.content);
  r.method = "POST";
  r.url = f.url("/digest");
  r.body = f.content;
  const auto length = client.send(r);
  REQUIRE(length);
  CHECK(length->body == sha256_hex(f.content));
  r.body.clear();
  std::size_t at = 0;
  r.body_source = [&](char* out, std::size_t n) {
    const auto step = std::min(n, large_bytes - at);
    std::copy_n(f.content.data() + at, step, out);
    at += step;
    return static_cast<std::ptrdiff_t>(step);
  };
  const auto chunked = client.send(r);
  REQUIRE(chunked);
  CHECK(chunked->body == sha256_hex(f.content));
  http_request s;
  s.url = f.url("/stream");
  const auto streamed = client.send(s);
  REQUIRE(streamed);
  CHECK(streamed->body == f.content.substr(0, 997 * 1000));
}

TEST_CASE("certificates are exchanged under load without a failed request") {
  const fixture f;
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::atomic<int> answered{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&, keeps = i == 0] {
      auto kept = f.client();
      while (!stop) {
        auto fresh = f.client();
        http_request r;
        r.url = f.url("/");
        const auto answer = keeps ? kept.send(r) : fresh.send(r);
        failed += !answer || answer->body != "tls";
        ++answered;
      }
    });
  }
  const auto until = steady_ms() + 20'000;
  for (int i = 0; i < 40 || (answered < 100 && steady_ms() < until); ++i) {
    f.renew();
    std::this_thread::yield();
  }
  stop = true;
  for (auto& c : clients) {
    c.join();
  }
  CHECK(failed == 0);
  CHECK(answered >= 100);
}

TEST_CASE("a handshake that stalls is ended, one that drips too") {
  const fixture f(given_header_seconds(1));
  auto silent = raw_socket::connect(f.server->tls_port_number());
  auto half = raw_socket::connect(f.server->tls_port_number());
  REQUIRE(half.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)));
  CHECK(silent.closed_within(10'000));
  CHECK(half.closed_within(10'000));
  CHECK(f.server->count().tls_failed == 2);
}

TEST_CASE("connections on both ports count against one limit") {
  http_limits l;
  l.connections_max = 2;
  const fixture f(l);
  auto one = raw_socket::connect(f.server->tls_port_number());
  auto two = raw_socket::connect(f.server->port());
  REQUIRE(two.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(two.read_answer().status == 200);
  const auto until = steady_ms() + 10'000;
  while (f.server->count().connections_open < 2 && steady_ms() < until) {
    std::this_thread::yield();
  }
  auto three = raw_socket::connect(f.server->tls_port_number());
  CHECK(three.closed_within(10'000));
  CHECK(f.server->count().refused == 1);
}

TEST_CASE("a client that speaks plain HTTP to the TLS port is told so") {
  const fixture f;
  auto s = raw_socket::connect(f.server->tls_port_number());
  REQUIRE(s.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  const auto answer = s.read_answer();
  CHECK(answer.status == 400);
  CHECK(answer.body == "\"this port speaks HTTPS, not HTTP\"");
}

TEST_CASE("garbage and an announced giant instead of a handshake end the connection") {
  const fixture f;
  for (const auto& bytes :
       {std::string("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", 10),
        std::string("\x16\x03\x01\x40\x00\x01\x02\x00\x00\x03\x03", 11),
        std::string("\x80\x2e\x01\x00\x02", 5)}) {
    auto s = raw_socket::connect(f.server->tls_port_number());
    REQUIRE(s.send(bytes));
    CHECK(s.closed_within(10'000));
  }
}

TEST_CASE("the server stops within its grace while handshakes are pending") {
  fixture f;
  auto pending = raw_socket::connect(f.server->tls_port_number());
  const auto until = steady_ms() + 10'000;
  while (f.server->count().tls_connections < 1 && steady_ms() < until) {
    std::this_thread::yield();
  }
  const auto began = steady_ms();
  f.server->stop(500);
  CHECK(steady_ms() - began < 5'000);
}
