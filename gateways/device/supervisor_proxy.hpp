#pragma once

#include "gateways/route_table.hpp"
#include "gateways/services.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <optional>
#include <string>

namespace slipway::gateways::device {

/// Requests to the supervisor APIs of online devices, through the overlay (balena-api.md 8.12).
class supervisor_proxy {
public:
  explicit supervisor_proxy(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// POST /supervisor/<path>
  runtime::awaitable<void> forward(runtime::exchange& x, route_args at);
  /// POST /application/:id/restart: every online device of the fleet.
  runtime::awaitable<void> restart_application(runtime::exchange& x, std::int64_t application);

  /// What the body of a request asks for.
  struct request {
    std::optional<std::int64_t> application;
    std::optional<std::int64_t> device;
    std::optional<std::string> uuid;
    std::string method = "POST";
    std::string data;  ///< JSON, "" = none
  };
  /// Errors: invalid_argument.
  [[nodiscard]] static messages::result<request> read_request(const nlohmann::json& body);

private:
  struct selection;
  /// Online devices that match, and whether the requester may. Errors: not_found, forbidden.
  [[nodiscard]] messages::result<selection> select(const messages::requester& by, const request& r)
    const;
  runtime::awaitable<void>
  ask(runtime::exchange& x, messages::requester by, request r, std::string path, selection chosen);

  std::shared_ptr<const services> s_;
};

}  // namespace slipway::gateways::device
