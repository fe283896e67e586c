#pragma once

#include "gateways/login/registration_mode.hpp"
#include "gateways/route_table.hpp"
#include "gateways/services.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

class asset_store;

/// Sends each request to its gateway: by path on a plain address, by host name too when there is a domain (ADR 61).
class router {
public:
  struct parts {
    /// `/v2/...`: the image registry. May be unset in tests.
    runtime::http_handler registry;
    /// GET /auth/v1/token
    runtime::http_handler registry_token;
    /// Routes of the builder, which answer under its own host too.
    std::vector<route> builder = {};
    /// Repositories: the path below which they are is the second argument. May be unset in tests.
    std::function<runtime::awaitable<void>(runtime::exchange&, std::string_view)> git = {};
    /// Bytes of release assets. May be null in tests.
    asset_store* assets = nullptr;
    /// GET /metrics: Prometheus text.
    std::function<std::string()> metrics;
    /// GET /health: is every part that must run running? Says which is not.
    std::function<messages::result<void>()> health;
    /// Port that speaks TLS; 0 = none. With one, plain requests of other machines are sent there.
    std::uint16_t https_port = 0;
    /// Who may make an account without an administrator.
    registration_mode registration = registration_mode::closed;
  };

  router(std::shared_ptr<const services> s, parts p, std::string domain);
  ~router();
  runtime::awaitable<void> handle(runtime::exchange& x);
  /// Forgets failed attempts at a user's secrets, as the operator asks.
  void unlock(const messages::row& user);
  /// Housekeeping; to be called every few seconds.
  void sweep();
  /// Waits for what requests left under way on other threads. Before the HTTP server goes: it is told to it.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::gateways
