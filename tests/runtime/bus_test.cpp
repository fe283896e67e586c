#include "runtime/bus.hpp"

#include "overlay_support.hpp"

#include <catch2/catch.hpp>

#include <atomic>

using namespace slipway;
using namespace slipway::tests;
using namespace slipway::runtime;

namespace {

struct bus_fixture {
  curve_keys server_keys = make_curve_keys();
  curve_keys client_keys = make_curve_keys();
  watched state;
  std::vector<std::uint64_t> at_server;
  std::vector<std::uint64_t> at_client;
  int server_ups = 0;
  int server_downs = 0;
  int client_ups = 0;
  std::unique_ptr<bus_server> server;

  void start_server(const std::string& endpoint) {
    server = std::make_unique<bus_server>(
      bus_server::options{endpoint, server_keys},
      bus_server::callbacks{
        [this](const std::string&) { state.change([&] { ++server_ups; }); },
        [this](const std::string&) { state.change([&] { ++server_downs; }); },
        [this](const std::string&, messages::envelope e) {
          state.change([&] { at_server.push_back(e.id); });
        }});
    REQUIRE(server->start());
    server->allow("edge-1", client_keys.public_key);
  }
  std::unique_ptr<bus_client> client(const curve_keys& keys, const std::string& name = "edge-1") {
    auto c = std::make_unique<bus_client>(
      bus_client::options{server->endpoint(), server_keys.public_key, keys, name},
      bus_client::callbacks{
        [this] { state.change([&] { ++client_ups; }); },
        nullptr,
        [this](messages::envelope e) { state.change([&] { at_client.push_back(e.id); }); }});
    REQUIRE(c->start());
    return c;
  }
};

std::string numbered(std::uint64_t id) {
  return messages::seal(messages::ping{id}, id, 0);
}

}  // namespace

TEST_CASE("messages cross the bus in order, both ways, many at once") {
  bus_fixture f;
  f.start_server("tcp://127.0.0.1:0");
  CHECK_FALSE(f.server->send("edge-1", numbered(1)));  // not connected
  const auto c = f.client(f.client_keys);
  REQUIRE(f.state.wait([&] { return f.server_ups == 1 && f.client_ups == 1; }));
  constexpr std::uint64_t count = 5'000;
  for (std::uint64_t i = 0; i < count; ++i) {
    REQUIRE(c->send(numbered(i)));
    REQUIRE(f.server->send("edge-1", numbered(i)));
  }
  REQUIRE(f.state.wait([&] { return f.at_server.size() == count && f.at_client.size() == count; }));
  CHECK(std::is_sorted(f.at_server.begin(), f.at_server.end()));
  CHECK(std::is_sorted(f.at_client.begin(), f.at_client.end()));
}

TEST_CASE("a bus peer with an unknown key gets nothing through") {
  bus_fixture f;
  f.start_server("tcp://127.0.0.1:0");
  const auto stranger = f.client(make_curve_keys());
  const auto c = f.client(f.client_keys);
  REQUIRE(f.state.wait([&] { return f.server_ups == 1; }));
  CHECK_FALSE(stranger->send(numbered(1)));
  CHECK(f.at_server.empty());
}

TEST_CASE("a bus peer that calls itself another is cut") {
  bus_fixture f;
  f.start_server("tcp://127.0.0.1:0");
  const auto other = make_curve_keys();
  f.server->allow("edge-2", other.public_key);
  const auto liar = f.client(other, "edge-1");
  REQUIRE(f.state.wait([&] { return f.client_ups >= 2; }));  // cut, and back, and cut
  CHECK(f.state.read([&] { return f.server_ups; }) == 0);
}

TEST_CASE("a bus peer that is let in no more is cut and stays out") {
  bus_fixture f;
  f.start_server("tcp://127.0.0.1:0");
  const auto c = f.client(f.client_keys);
  REQUIRE(f.state.wait([&] { return f.server_ups == 1 && f.client_ups == 1; }));
  f.server->allow("edge-1", f.client_keys.public_key);  // again: nothing changes
  REQUIRE(c->send(numbered(1)));
  REQUIRE(f.state.wait([&] { return f.at_server.size() == 1; }));
  f.server->forbid("edge-1");
  REQUIRE(f.state.wait([&] { return f.server_downs == 1; }));
  CHECK_FALSE(f.server->send("edge-1", numbered(2)));
  // Another key under the same name cuts the one before.
  const auto other = make_curve_keys();
  f.server->allow("edge-1", other.public_key);
  const auto d = f.client(other);
  REQUIRE(f.state.wait([&] { return f.server_ups == 2; }));
  f.server->allow("edge-1", f.client_keys.public_key);
  CHECK(f.state.wait([&] { return f.server_downs == 2; }));
}

TEST_CASE("the bus comes back after its server did, and starts over") {
  bus_fixture f;
  f.start_server("tcp://127.0.0.1:0");
  const auto endpoint = f.server->endpoint();
  const auto c = f.client(f.client_keys);
  REQUIRE(f.state.wait([&] { return f.server_ups == 1 && f.client_ups == 1; }));
  f.server.reset();
  f.start_server(endpoint);
  REQUIRE(f.state.wait([&] { return f.server_ups == 2 && f.client_ups == 2; }));
  REQUIRE(c->send(numbered(9)));
  CHECK(f.state.wait([&] { return !f.at_server.empty() && f.at_server.back() == 9; }));
}
