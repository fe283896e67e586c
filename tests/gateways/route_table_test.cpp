#include "gateways/route_table.hpp"

#include <boost/asio/awaitable.hpp>
#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::gateways;

namespace {

runtime::awaitable<void> unused(runtime::exchange&, route_args) {
  co_return;
}

route_table given_routes() {
  return route_table({
    {"GET", "/ping", unused},
    {"POST", "/login_", unused},
    {"GET", "/user/v1/refresh-token", unused},
    {"POST", "/user/v1/refresh-token", unused},
    {"PATCH", "/device/v3/state", unused},
    {"GET", "/device/v3/:uuid/state", unused},
    {"GET", "/device/v3/fleet/:uuid/state", unused},
    {"POST", "/api-key/device/:id/device-key", unused},
    {"GET", "/a/:one/b/:two", unused},
    {"*", "/v7/*", unused},
    {"GET", "/left-out", nullptr},
  });
}

bool known(const route_table& t, std::string_view method, std::string_view path) {
  return t.find(method, path).handler != nullptr;
}

}  // namespace

TEST_CASE("a path is found with its method, and slashes too many do not count") {
  const auto t = given_routes();
  CHECK(known(t, "GET", "/ping"));
  CHECK(known(t, "GET", "/ping/"));
  CHECK(known(t, "GET", "//ping//"));
  CHECK(known(t, "HEAD", "/ping"));
  CHECK(known(t, "POST", "/user/v1/refresh-token"));
  CHECK(known(t, "PATCH", "/device/v3/state"));
}

TEST_CASE("an unknown path has neither a handler nor methods") {
  const auto t = given_routes();
  for (const auto* path :
       {"",
        "/",
        "/pin",
        "/pingg",
        "/PING",
        "/ping/more",
        "/user/v1",
        "/device/v3/x/stat",
        "/left-out",
        "/:uuid",
        "/device/v3/a/b/state"}) {
    CAPTURE(path);
    const auto found = t.find("GET", path);
    CHECK(found.handler == nullptr);
    CHECK(found.allow == nullptr);
  }
}

TEST_CASE("a known path with another method tells the methods it has") {
  const auto t = given_routes();
  const auto allow = [&](std::string_view method, std::string_view path) {
    const auto found = t.find(method, path);
    CHECK(found.handler == nullptr);
    return found.allow == nullptr ? std::string() : *found.allow;
  };
  CHECK(allow("POST", "/ping") == "GET, HEAD");
  CHECK(allow("GET", "/login_") == "POST");
  CHECK(allow("HEAD", "/login_") == "POST");
  CHECK(allow("DELETE", "/user/v1/refresh-token/") == "GET, HEAD, POST");
  CHECK(allow("GET", "/device/v3/state") == "PATCH");
  CHECK(allow("PATCH", "/device/v3/abc/state") == "GET, HEAD");
}

TEST_CASE("named segments reach the handler") {
  const auto t = given_routes();
  const auto state = t.find("GET", "/device/v3/00%2fff/state");
  REQUIRE(state.handler != nullptr);
  CHECK(state.args.raw("uuid") == "00%2fff");
  CHECK(state.args.text("uuid") == "00/ff");
  CHECK(state.args.raw("id").empty());
  const auto two = t.find("GET", "/a/1/b/x%zz");
  CHECK(two.args.number("one") == 1);
  CHECK(two.args.text("two") == "x%zz");
}

TEST_CASE("a literal segment wins over a named one, which still takes its own paths") {
  const auto t = given_routes();
  CHECK(t.find("GET", "/device/v3/fleet/abc/state").args.raw("uuid") == "abc");
  // `fleet` is no uuid, but that is for the handler to say.
  CHECK(t.find("GET", "/device/v3/fleet/state").args.raw("uuid") == "fleet");
}

TEST_CASE("an id is a decimal number above zero and nothing else") {
  const auto t = given_routes();
  const auto id = [&](const std::string& text) {
    return t.find("POST", "/api-key/device/" + text + "/device-key").args.number("id");
  };
  CHECK(id("9007199254740991") == 9007199254740991);
  for (const auto* text :
       {"0", "-1", "+1", "1x", "0x1", "1.0", "99999999999999999999", "%31", "me"}) {
    CAPTURE(text);
    CHECK(id(text) == std::nullopt);
  }
}

TEST_CASE("a star takes whatever follows, with any method and as received") {
  const auto t = given_routes();
  CHECK(t.find("GET", "/v7").args.rest().empty());
  CHECK(t.find("GET", "/v7/").args.rest().empty());
  const auto found = t.find("DELETE", "/v7/device(uuid='a%2fb/c')/x/");
  REQUIRE(found.handler != nullptr);
  CHECK(found.args.rest() == "device(uuid='a%2fb/c')/x/");
}

TEST_CASE("a path of many segments is no work") {
  const auto t = given_routes();
  std::string path;
  for (int i = 0; i < 100000; ++i) {
    path += "/a";
  }
  CHECK(t.find("GET", path).handler == nullptr);
}
