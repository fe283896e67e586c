#pragma once

#include "gateways/api/accounts/desk.hpp"
#include "gateways/login/registration_mode.hpp"

namespace slipway::gateways::api {

/// POST /user/register and what belongs to it (balena-api.md 2.1). Closed unless the operator says otherwise.
class registration {
public:
  registration(desk& d, registration_mode mode)
    : desk_(d), mode_(mode), tries_(attempt_limiter::limits{}) {}

  /// POST /user/register {email, password, username?, invitationToken?}
  runtime::awaitable<void> enroll(runtime::exchange& x);
  /// POST /user/v1/verify-email: this server sends no mail, so there is nothing that could be verified.
  runtime::awaitable<void> verify_email(runtime::exchange& x);

private:
  [[nodiscard]] const services& s() const { return desk_.s(); }
  [[nodiscard]] messages::result<void> check_allowed(const nlohmann::json& body) const;
  desk& desk_;
  registration_mode mode_;
  attempt_limiter tries_;  ///< by client address
};

}  // namespace slipway::gateways::api
