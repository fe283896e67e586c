#include "runtime/http_client.hpp"

#include "runtime/clock.hpp"
#include "runtime/local_address.hpp"
#include "tests/support/raw_socket.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <future>

using namespace slipway;
using messages::errc;
using runtime::http_client;
using runtime::http_request;
using test::raw_server;
using test::raw_socket;

namespace {

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n"
         + std::string(body);
}

/// Answers each request with its own head and body as text.
void echo(raw_socket s) {
  for (;;) {
    const auto head = s.read_until("\r\n\r\n");
    if (!head.ends_with("\r\n\r\n")) {
      return;
    }
    std::string body;
    if (const auto at = head.find("Content-Length: "); at != std::string::npos) {
      body = s.read_exactly(std::strtoul(head.c_str() + at + 16, nullptr, 10));
    } else if (head.find("Transfer-Encoding: chunked") != std::string::npos) {
      body = s.read_until("0\r\n\r\n");
    }
    s.send(ok(head + body));
  }
}

http_request get(std::string url) {
  http_request r;
  r.url = std::move(url);
  return r;
}

}  // namespace

TEST_CASE("a client keeps its connection between requests") {
  raw_server server(echo);
  http_client client({});
  for (int i = 0; i < 3; ++i) {
    const auto r = client.send(get(server.url("/x?y=1")));
    REQUIRE(r);
    CHECK(r->status == 200);
    CHECK(r->body.starts_with("GET /x?y=1 HTTP/1.1\r\n"));
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a client sends methods, fields and bodies as they are given") {
  raw_server server(echo);
  http_client client(
    {.unix_socket = "", .ca_file = "", .ca_pem = "", .user_agent = "slipway-test"});
  for (const std::string method : {"POST", "PUT", "PATCH", "DELETE", "GET"}) {
    auto r = get(server.url("/b"));
    r.method = method;
    r.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
    r.body = R"({"a":1})";
    const auto reply = client.send(r);
    REQUIRE(reply);
    CHECK(reply->body.starts_with(method + " /b HTTP/1.1\r\n"));
    CHECK(reply->body.find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(reply->body.find("User-Agent: slipway-test\r\n") != std::string::npos);
    CHECK(reply->body.find("X-Empty:\r\n") != std::string::npos);
    CHECK(reply->body.find("Expect") == std::string::npos);
    CHECK(reply->body.ends_with("\r\n\r\n{\"a\":1}"));
  }
  auto empty = get(server.url("/e"));
  empty.method = "POST";
  const auto reply = client.send(empty);
  REQUIRE(reply);
  CHECK(reply->body.find("Content-Length: 0\r\n") != std::string::npos);
  CHECK(reply->body.find("form-urlencoded") == std::string::npos);
}

TEST_CASE("a client streams a body out, with and without a length") {
  raw_server server(echo);
  http_client client({});
  for (const std::int64_t length : {std::int64_t{6}, std::int64_t{-1}}) {
    auto r = get(server.url("/up"));
    r.method = "PUT";
    std::vector<std::string> parts{"abc", "def"};
    r.body_length = length;
    r.body_source = [&](char* out, std::size_t) -> std::ptrdiff_t {
      if (parts.empty()) {
        return 0;
      }
      const auto part = parts.front();
      parts.erase(parts.begin());
      return static_cast<std::ptrdiff_t>(part.copy(out, part.size()));
    };
    const auto reply = client.send(r);
    REQUIRE(reply);
    CHECK(
      reply->body.ends_with(length < 0 ? "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" : "\r\n\r\nabcdef"));
  }
}

TEST_CASE("a client streams an answer in and can give up") {
  raw_server server([](raw_socket s) {
    s.read_until("\r\n\r\n");
    s.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    s.send("3\r\ndef\r\n0\r\n\r\n");
  });
  http_client client({});
  std::string got;
  auto r = get(server.url("/"));
  r.body_sink = [&](std::string_view part) {
    got += part;
    return true;
  };
  const auto reply = client.send(r);
  REQUIRE(reply);
  CHECK(got == "abcdef");
  CHECK(reply->body.empty());

  r.body_sink = [](std::string_view) { return false; };
  const auto refused = client.send(r);
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::io_failed);
}

TEST_CASE("what is refused does not go where the answer would have gone") {
  raw_server server([](raw_socket s) {
    s.read_until("\r\n\r\n");
    s.send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
  });
  http_client client({});
  auto r = get(server.url("/"));
  r.body_sink = [](std::string_view) -> bool { throw std::logic_error("the sink was called"); };
  const auto reply = client.send(r);
  REQUIRE(reply);
  CHECK(reply->status == 404);
  CHECK(reply->body == "gone");
}

TEST_CASE("a client speaks over a unix socket") {
  const auto dir =
    std::filesystem::temp_directory_path() / ("slipway-http-" + std::to_string(::getpid()));
  std::filesystem::create_directories(dir);
  {
    raw_server server(echo, dir / "s.sock");
    http_client client(
      {.unix_socket = dir / "s.sock", .ca_file = "", .ca_pem = "", .user_agent = ""});
    const auto r = client.send(get("http://engine/version"));
    REQUIRE(r);
    CHECK(r->body.find("Host: engine\r\n") != std::string::npos);
  }
  http_client client(
    {.unix_socket = dir / "none.sock", .ca_file = "", .ca_pem = "", .user_agent = ""});
  const auto r = client.send(get("http://engine/version"));
  REQUIRE(!r);
  CHECK(r.error().code == errc::unavailable);
  std::filesystem::remove_all(dir);
}

TEST_CASE("a client does not follow redirects and reads fields in any case") {
  raw_server server([](raw_socket s) {
    s.read_until("\r\n\r\n");
    s.send("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n");
    s.send("HTTP/1.1 307 Temporary Redirect\r\nLOCATION:  /there \r\nContent-Length: 0\r\n\r\n");
  });
  http_client client({});
  const auto r = client.send(get(server.url("/here")));
  REQUIRE(r);
  CHECK(r->status == 307);
  CHECK(r->header("location") == "/there");
  CHECK(r->header("x-interim").empty());
}

TEST_CASE("a client refuses what it cannot send") {
  http_client client({});
  const auto code = [&](http_request r) {
    const auto reply = client.send(r);
    REQUIRE(!reply);
    return reply.error().code;
  };
  CHECK(code(get("ftp://127.0.0.1/")) == errc::invalid_argument);
  CHECK(code(get("file:///etc/passwd")) == errc::invalid_argument);
  CHECK(code(get("http://127.0.0.1/a b")) == errc::invalid_argument);
  CHECK(code(get("http://127.0.0.1:1/")) == errc::unavailable);
  auto smuggled = get("http://127.0.0.1:1/");
  smuggled.headers = {{"X", "a\r\nY: b"}};
  CHECK(code(smuggled) == errc::invalid_argument);
}

TEST_CASE("a client bounds what it reads") {
  raw_server server([](raw_socket s) {
    const auto head = s.read_until("\r\n\r\n");
    if (head.starts_with("GET /body")) {
      s.send(ok(std::string(5000, 'x')));
      return;
    }
    s.send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 20'000 && s.send("X-Field: " + std::string(50, 'y') + "\r\n"); ++i) {
    }
  });
  http_client client({});
  auto r = get(server.url("/body"));
  r.body_bytes_max = 4999;
  auto reply = client.send(r);
  REQUIRE(!reply);
  CHECK(reply.error().code == errc::too_large);
  r.body_bytes_max = 5000;
  CHECK(client.send(r));
  reply = client.send(get(server.url("/head")));
  REQUIRE(!reply);
  CHECK(reply.error().code == errc::too_large);
}

TEST_CASE("a client gives up on a silent server") {
  raw_server server([](raw_socket s) {
    s.read_until("\r\n\r\n");
    s.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    s.read_some(60'000);  // until the client closes
  });
  http_client client({});
  auto r = get(server.url("/"));
  SECTION("after the whole time") {
    r.timeout = std::chrono::milliseconds(200);
  }
  SECTION("after the time without a byte") {
    r.timeout = std::chrono::milliseconds(0);
    r.stall_timeout = std::chrono::seconds(1);
  }
  const auto reply = client.send(r);
  REQUIRE(!reply);
  CHECK(reply.error().code == errc::timed_out);
}

TEST_CASE("a cut answer is an error, not a short body") {
  raw_server server([](raw_socket s) {
    s.read_until("\r\n\r\n");
    s.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  });
  http_client client({});
  const auto reply = client.send(get(server.url("/")));
  REQUIRE(!reply);
  CHECK(reply.error().code == errc::io_failed);
}

TEST_CASE("another thread cancels a request at once") {
  std::promise<void> arrived;
  raw_server server([&](raw_socket s) {
    s.read_until("\r\n\r\n");
    arrived.set_value();
    s.read_some(60'000);
  });
  http_client client({});
  auto r = get(server.url("/"));
  r.timeout = std::chrono::milliseconds(0);
  auto reply = std::async(std::launch::async, [&] { return client.send(r); });
  arrived.get_future().wait();
  const auto begin = runtime::steady_ms();
  client.cancel();
  const auto got = reply.get();
  REQUIRE(!got);
  CHECK(got.error().code == errc::io_failed);
  CHECK(runtime::steady_ms() - begin < 900);  // not the next look around, a wake-up
}

TEST_CASE("addresses of this machine and its link are known as such") {
  for (const char* ip :
       {"127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "::1",
        "::",
        "fe80::1",
        "febf::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.1.1"}) {
    CHECK(runtime::is_local_address(std::string(ip)));
  }
  for (const char* ip :
       {"192.0.2.1", "10.0.0.1", "169.253.1.1", "2001:db8::1", "fec0::1", "", "x"}) {
    CHECK_FALSE(runtime::is_local_address(std::string(ip)));
  }
}

TEST_CASE("a request that must not stay here is not sent to this machine") {
  raw_server server(echo);
  http_client client({});
  auto r = get(server.url("/"));
  REQUIRE(client.send(r));
  CHECK(client.reached_local_address());
  r.no_local_address = true;
  const auto port = std::to_string(server.port());
  const auto before = server.connections();
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"}) {
    r.url = "http://" + std::string(host) + ":" + port + "/";
    const auto reply = client.send(r);
    REQUIRE(!reply);
    CHECK(reply.error().code == errc::unavailable);
  }
  CHECK(server.connections() == before);
}
