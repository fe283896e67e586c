#pragma once

#include "gateways/api/accounts/api_keys.hpp"
#include "gateways/api/accounts/registration.hpp"
#include "gateways/route_table.hpp"

#include <memory>
#include <vector>

namespace slipway::gateways::api {

/// Login, sessions, second factors, API keys and registration (balena-api.md 2).
class accounts {
public:
  accounts(std::shared_ptr<const services> s, registration_mode mode);
  ~accounts();

  /// Its addresses. Handlers are valid as long as this lives.
  [[nodiscard]] std::vector<route> routes();
  /// Forgets failed attempts at a user's secrets, as the operator asks.
  void unlock(const messages::row& user);

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::gateways::api
