#include "runtime/http_server.hpp"

#include "runtime/clock.hpp"
#include "tests/support/raw_socket.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <zlib.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <stdexcept>

using namespace slipway;
using runtime::awaitable;
using runtime::exchange;
using runtime::http_server;
using runtime::response;
using test::raw_socket;

namespace {

constexpr std::size_t body_bytes_max = 1000;

/// Answers what it was asked; some paths do something special.
awaitable<void> handle(exchange& x) {
  const auto path = x.head().path;
  if (path == "/throw") {
    throw std::runtime_error("as asked");
  }
  if (path == "/silent") {
    co_return;
  }
  if (path == "/twice") {
    co_await x.respond(response::text(200, "first"));
    co_await x.respond(response::text(200, "second"));
    co_return;
  }
  if (path == "/echo") {
    auto body = co_await x.read_body(body_bytes_max);
    if (!body) {
      co_await x.respond(runtime::body_refused(body.error()));
      co_return;
    }
    co_await x.respond(response::text(200, *body));
    co_return;
  }
  if (path == "/count") {
    std::array<char, 700> part{};
    std::size_t total = 0;
    for (;;) {
      const auto n = co_await x.read_some(part);
      if (!n) {
        co_await x.respond(runtime::body_refused(n.error()));
        co_return;
      }
      if (*n == 0) {
        break;
      }
      total += *n;
    }
    co_await x.respond(response::text(200, std::to_string(total)));
    co_return;
  }
  if (path == "/stream") {
    response r;
    r.content_type = "text/plain";
    co_await x.begin(r);
    co_await x.write("one");
    co_await x.write("");
    co_await x.write("two");
    if (x.head().query == "throw") {
      throw std::runtime_error("in the middle");
    }
    if (x.head().query != "forget") {
      co_await x.end();
    }
    co_return;
  }
  if (path == "/head") {
    response r;
    r.headers.emplace_back("X-Evil", "a\r\nSet-Cookie: b");
    co_await x.respond_head(r, 12345);
    co_return;
  }
  if (path == "/empty") {
    response r;
    r.status = 204;
    co_await x.respond(r);
    co_return;
  }
  std::string seen(x.head().method);
  seen += '|';
  seen += x.head().path;
  seen += '|';
  seen += x.head().query;
  seen += '|';
  seen += x.head().host;
  seen += '|';
  seen += x.head().host_port;
  seen += '|';
  seen += x.head().peer;
  seen += '|';
  seen += x.header("x-field");
  co_await x.respond(response::text(200, seen));
}

struct fixture {
  std::unique_ptr<http_server> server;

  explicit fixture(runtime::http_limits limits = {}, runtime::http_handler handler = handle) {
    http_server::options o;
    o.limits = limits;
    auto opened = http_server::open(o);
    REQUIRE(opened);
    server = std::move(*opened);
    server->start(std::move(handler));
  }
  ~fixture() { server->stop(1000); }

  [[nodiscard]] raw_socket connect() const {
    auto s = raw_socket::connect(server->port());
    REQUIRE(s.fd() >= 0);
    return s;
  }
  /// Status of the answer to `bytes` on a connection of its own, which must close when `closes`.
  int status_of(std::string_view bytes, bool closes = true) const {
    auto s = connect();
    s.send(bytes);
    const auto a = s.read_answer();
    if (a.status >= 400) {
      CHECK(a.body.size() > 2);
      CHECK(a.body.front() == '"');
      CHECK(a.body.back() == '"');
    }
    CHECK(s.closed_within(closes ? 10'000 : 50) == closes);
    return a.status;
  }
};

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view target, std::string_view fields, std::string_view body) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n"
         + std::string(body);
}

std::string
with_length(std::string_view target, std::string_view body, std::string_view fields = "") {
  return post(
    target,
    "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields),
    body);
}

std::string gzip(std::string_view plain) {
  z_stream z{};
  REQUIRE(::deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&z, plain.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  ::deflateEnd(&z);
  return out;
}

}  // namespace

TEST_CASE("a request's line and fields reach the handler") {
  fixture f;
  auto s = f.connect();
  s.send("PATCH /a%20b?x=1&y HTTP/1.1\r\nHOST: Api.Example.ORG:8080\r\nX-Field:  v \r\n\r\n");
  auto a = s.read_answer();
  CHECK(a.status == 200);
  CHECK(a.body == "PATCH|/a%20b|x=1&y|api.example.org|Api.Example.ORG:8080|127.0.0.1|v");
  CHECK(a.head.find("Date: ") != std::string::npos);
  CHECK(a.head.find("Connection") == std::string::npos);

  s.send("GET http://Other.org:1/p?q HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer().body == "GET|/p|q|other.org|Other.org:1|127.0.0.1|");
  s.send("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
  CHECK(s.read_answer().body == "GET|/||[::1]|[::1]:80|127.0.0.1|");
  s.send("CONNECT abc.balena:22222 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer().body == "CONNECT|abc.balena:22222||h|h|127.0.0.1|");
  CHECK(f.server->count().requests == 4);
  CHECK(f.server->count().connections == 1);
}

TEST_CASE("a header may come byte by byte") {
  fixture f;
  auto s = f.connect();
  for (const char c : get("/slow", "X-Field: abc\r\n")) {
    REQUIRE(s.send({&c, 1}));
  }
  CHECK(s.read_answer().body == "GET|/slow||h|h|127.0.0.1|abc");
}

TEST_CASE("pipelined requests are answered in order") {
  fixture f;
  auto s = f.connect();
  std::string all;
  for (int i = 0; i < 200; ++i) {
    all += i % 2 == 0 ? with_length("/echo", std::to_string(i)) : get("/n" + std::to_string(i));
  }
  s.send(all);
  for (int i = 0; i < 200; ++i) {
    const auto a = s.read_answer();
    REQUIRE(a.status == 200);
    REQUIRE(
      a.body
      == (i % 2 == 0 ? std::to_string(i) : "GET|/n" + std::to_string(i) + "||h|h|127.0.0.1|"));
  }
}

TEST_CASE("connections are kept or closed as versions and fields say") {
  fixture f;
  CHECK(f.status_of(get("/"), false) == 200);
  CHECK(f.status_of(get("/", "Connection: close\r\n")) == 200);
  CHECK(f.status_of("GET / HTTP/1.0\r\n\r\n") == 200);
  CHECK(f.status_of("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false) == 200);
}

TEST_CASE("malformed requests are refused with their status and a JSON string") {
  fixture f;
  CHECK(f.status_of("hello\r\n\r\n") == 400);
  CHECK(f.status_of("GET /\r\n\r\n") == 400);
  CHECK(f.status_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == 505);
  CHECK(f.status_of("GET / HTTP/1.1\r\n\r\n") == 400);  // no Host
  CHECK(f.status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") == 400);
  CHECK(f.status_of("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n") == 400);
  CHECK(f.status_of("GET relative HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  CHECK(f.status_of(get("/", "X Y: 1\r\n")) == 400);
  CHECK(f.status_of(get("/", "X : 1\r\n")) == 400);
  CHECK(f.status_of(get("/", std::string("X: a\0b\r\n", 8))) == 400);
  CHECK(f.status_of(get("/", "Expect: the-unexpected\r\n")) == 417);
}

TEST_CASE("requests whose end two programs could see differently are refused") {
  fixture f;
  CHECK(f.status_of(post("/echo", "Content-Length: 1\r\nContent-Length: 2\r\n", "ab")) == 400);
  CHECK(f.status_of(post("/echo", "Content-Length: -1\r\n", "")) == 400);
  CHECK(f.status_of(post("/echo", "Content-Length: 1x\r\n", "a")) == 400);
  CHECK(f.status_of(post("/echo", "Content-Length: 99999999999999999999\r\n", "a")) == 400);
  CHECK(f.status_of(post("/echo", "Content-Length: 18446744073709551615\r\n", "a")) == 413);
  CHECK(
    f.status_of(post("/echo", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"))
    == 400);
  CHECK(
    f.status_of(post("/echo", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"))
    == 400);
  CHECK(f.status_of(post("/echo", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")) == 501);
  CHECK(f.status_of(post("/echo", "Transfer-Encoding: identity\r\n", "")) == 501);
  CHECK(f.status_of(post("/echo", "Transfer-Encoding: xchunked\r\n", "")) == 501);
  CHECK(f.status_of("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
}

TEST_CASE("a header past its limit is refused") {
  fixture f;
  CHECK(f.status_of(get("/" + std::string(20'000, 'x'))) == 431);
  CHECK(f.status_of(get("/", "X-Field: " + std::string(20'000, 'x') + "\r\n")) == 431);
  std::string many;
  for (int i = 0; i < 3000; ++i) {
    many += "A: b\r\n";
  }
  CHECK(f.status_of(get("/", many)) == 431);
  CHECK(f.status_of(get("/", "X-Pad: " + std::string(15'000, 'x') + "\r\n"), false) == 200);
}

TEST_CASE("bodies of a stated length are read whole") {
  fixture f;
  auto s = f.connect();
  s.send(with_length("/echo", std::string(body_bytes_max, 'a')));
  CHECK(s.read_answer().body == std::string(body_bytes_max, 'a'));
  s.send(with_length("/echo", ""));
  CHECK(s.read_answer().body.empty());
  s.send(with_length("/count", std::string(100'000, 'b')) + get("/next"));
  CHECK(s.read_answer().body == "100000");
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
}

TEST_CASE("a body past the handler's limit is refused and the connection still makes sense") {
  fixture f;
  auto s = f.connect();
  // Little is left: it is read and dropped, and the connection goes on.
  s.send(with_length("/echo", std::string(body_bytes_max + 1, 'a')) + get("/next"));
  CHECK(s.read_answer().status == 413);
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
  // Much is left: it is not read.
  CHECK(f.status_of(with_length("/echo", std::string(3'000'000, 'a'))) == 413);
  // A chunked one has no length to tell beforehand.
  s.send(post(
    "/echo",
    "Transfer-Encoding: chunked\r\n",
    "3e9\r\n" + std::string(0x3e9, 'a') + "\r\n0\r\n\r\n"));
  CHECK(s.read_answer().status == 413);
}

TEST_CASE("chunked bodies are joined, in any pieces") {
  fixture f;
  auto s = f.connect();
  const auto request = post(
    "/echo",
    "Transfer-Encoding: chunked\r\n",
    "3\r\nabc\r\n0A;ext=\"v\"\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n");
  s.send(request + request);
  CHECK(s.read_answer().body == "abc0123456789");
  CHECK(s.read_answer().body == "abc0123456789");
  for (const char c : request) {
    REQUIRE(s.send({&c, 1}));
  }
  CHECK(s.read_answer().body == "abc0123456789");
  std::string big;
  for (int i = 0; i < 300; ++i) {
    big += "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
  }
  s.send(post("/count", "Transfer-Encoding: chunked\r\n", big + "0\r\n\r\n"));
  CHECK(s.read_answer().body == std::to_string(300 * 0x1000));
  s.send(get("/next"));
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
}

TEST_CASE("broken chunks are refused") {
  fixture f;
  const auto chunks = [&](std::string_view body) {
    return f.status_of(post("/echo", "Transfer-Encoding: chunked\r\n", body));
  };
  CHECK(chunks("x\r\nabc\r\n0\r\n\r\n") == 400);
  CHECK(chunks("-1\r\nabc\r\n0\r\n\r\n") == 400);
  CHECK(chunks("3\r\nabcd\r\n0\r\n\r\n") == 400);
  CHECK(chunks("3\nabc\n0\n\n\r\n\r\n") == 400);
  CHECK(chunks("fffffffffffffffff\r\nabc\r\n") == 400);
  CHECK(chunks("3 x\r\nabc\r\n0\r\n\r\n") == 400);
  CHECK(chunks("3;" + std::string(300'000, 'e') + "\r\nabc\r\n0\r\n\r\n") == 400);
  CHECK(chunks("0\r\nX: " + std::string(300'000, 't') + "\r\n\r\n") == 400);
}

TEST_CASE("a client that waits for 100 gets it exactly when its body is wanted") {
  fixture f;
  auto s = f.connect();
  s.send(post("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n", ""));
  CHECK(s.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  s.send("abc");
  CHECK(s.read_answer().body == "abc");
  // Not wanted: the answer comes at once, and the connection ends since nobody knows whether the body follows.
  CHECK(f.status_of(post("/echo", "Content-Length: 5000\r\nExpect: 100-continue\r\n", "")) == 413);
  CHECK(f.status_of(post("/other", "Content-Length: 3\r\nExpect: 100-continue\r\n", "")) == 200);
  // A client that does not wait needs no interim answer.
  s.send(post("/echo", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"));
  CHECK(s.read_answer().body == "abc");
}

TEST_CASE("gzip bodies are inflated within the limit") {
  fixture f;
  auto s = f.connect();
  const std::string plain(body_bytes_max, 'z');
  const std::string field = "Content-Encoding: gzip\r\n";
  s.send(with_length("/echo", gzip(plain), field));
  CHECK(s.read_answer().body == plain);
  s.send(with_length("/echo", gzip(plain + "z"), field));
  CHECK(s.read_answer().status == 413);
  s.send(with_length("/echo", "this is not gzip", field));
  CHECK(s.read_answer().status == 400);
  s.send(with_length("/echo", gzip(plain).substr(0, 12), field));
  CHECK(s.read_answer().status == 400);
  s.send(with_length("/echo", gzip(plain) + "tail", field));
  CHECK(s.read_answer().status == 400);
  s.send(with_length("/echo", "x", "Content-Encoding: br\r\n"));
  CHECK(s.read_answer().status == 415);
  // 64 MB of zeros in 64 KB: stopped at the limit, not after it.
  s.send(with_length("/echo", gzip(std::string(64U << 20U, '\0')), field));
  CHECK(s.read_answer().status == 413);
  s.send(get("/next"));
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
}

TEST_CASE("an answer without a body has none") {
  fixture f;
  auto s = f.connect();
  s.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  auto a = s.read_answer(true);
  CHECK(a.status == 200);
  CHECK(a.head.find("Content-Length: 22\r\n") != std::string::npos);
  s.send("HEAD /head HTTP/1.1\r\nHost: h\r\n\r\n");
  a = s.read_answer(true);
  CHECK(a.head.find("Content-Length: 12345\r\n") != std::string::npos);
  CHECK(a.head.find("\r\nSet-Cookie") == std::string::npos);
  s.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(s.read_answer(true).status == 200);
  s.send(get("/empty"));
  a = s.read_answer();
  CHECK(a.status == 204);
  CHECK(a.head.find("Content-Length") == std::string::npos);
  s.send(get("/next"));
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
}

TEST_CASE("a streamed answer is chunked, and cut off when its handler fails") {
  fixture f;
  auto s = f.connect();
  s.send(get("/stream"));
  const auto whole = s.read_until("0\r\n\r\n");
  CHECK(whole.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  CHECK(whole.ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
  s.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(s.read_to_end().ends_with("\r\n\r\nonetwo"));
  for (const auto* target : {"/stream?throw", "/stream?forget"}) {
    auto cut = f.connect();
    cut.send(get(target));
    CHECK(cut.read_to_end().ends_with("3\r\ntwo\r\n"));
  }
}

TEST_CASE("a failing handler answers 500 and harms no other request") {
  fixture f;
  auto s = f.connect();
  s.send(get("/throw") + get("/silent") + get("/twice") + get("/next"));
  CHECK(s.read_answer().status == 500);
  CHECK(s.read_answer().status == 500);
  CHECK(s.read_answer().body == "first");
  CHECK(s.read_answer().body == "GET|/next||h|h|127.0.0.1|");
}

TEST_CASE("a client that goes within a body leaves nothing behind") {
  fixture f;
  for (int i = 0; i < 20; ++i) {
    auto s = f.connect();
    s.send(post("/echo", "Content-Length: 10\r\n", "abc"));
  }
  auto s = f.connect();
  s.send(get("/"));
  CHECK(s.read_answer().status == 200);
  const auto until = runtime::steady_ms() + 10'000;
  while (f.server->count().connections_open > 1 && runtime::steady_ms() < until) {
    std::this_thread::yield();
  }
  CHECK(f.server->count().connections_open == 1);
}

TEST_CASE("connections past the limit are refused and counted") {
  runtime::http_limits limits;
  limits.connections_max = 2;
  fixture f(limits);
  auto a = f.connect();
  a.send(get("/"));
  CHECK(a.read_answer().status == 200);
  auto b = f.connect();
  b.send(get("/"));
  CHECK(b.read_answer().status == 200);
  auto c = f.connect();
  CHECK(c.read_answer().status == 503);
  CHECK(c.closed_within(10'000));
  CHECK(f.server->count().refused == 1);
  a.send(get("/again"));
  CHECK(a.read_answer().status == 200);
}

TEST_CASE("five hundred connections are served at once") {
  fixture f;
  std::vector<raw_socket> all;
  for (int i = 0; i < 500; ++i) {
    all.push_back(f.connect());
  }
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      REQUIRE(all[i].send(with_length("/echo", std::to_string(i))));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      REQUIRE(all[i].read_answer().body == std::to_string(i));
    }
  }
  CHECK(f.server->count().connections_open == 500);
}

TEST_CASE("a taken port is an error that names it") {
  fixture f;
  http_server::options o;
  o.port = f.server->port();
  const auto second = http_server::open(o);
  REQUIRE(!second);
  CHECK(second.error().detail.find("127.0.0.1:" + std::to_string(o.port)) != std::string::npos);
  o.address = "not an address";
  CHECK(!http_server::open(o));
}

TEST_CASE("stopping lets the request in flight end and refuses the next") {
  std::promise<void> entered;
  std::promise<void> leave;
  auto left = leave.get_future().share();
  // A handler that blocks its thread: the plainest request in flight.
  fixture f({}, [&](exchange& x) -> awaitable<void> {
    entered.set_value();
    left.wait();
    co_await x.respond(response::text(200, "done"));
  });
  auto idle = f.connect();
  auto busy = f.connect();
  busy.send(get("/"));
  entered.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { f.server->stop(10'000); });
  leave.set_value();
  const auto a = busy.read_answer();
  CHECK(a.body == "done");
  stopped.get();
  CHECK(idle.closed_within(10'000));
  CHECK(busy.closed_within(10'000));
  CHECK(raw_socket::connect(f.server->port()).fd() == -1);
}

TEST_CASE("stopping does not wait for ever") {
  fixture f({}, [](exchange& x) -> awaitable<void> {
    std::array<char, 100> part{};
    (void)co_await x.read_some(part);
    co_await x.respond(response::text(200, ""));
  });
  auto s = f.connect();
  s.send(post("/", "Content-Length: 10\r\nExpect: 100-continue\r\n", ""));
  CHECK(s.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  const auto begin = runtime::steady_ms();
  f.server->stop(100);
  CHECK(runtime::steady_ms() - begin < 5'000);
  CHECK(s.closed_within(10'000));
}
