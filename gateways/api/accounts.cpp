#include "gateways/api/accounts.hpp"

#include "gateways/api/accounts/login_page.hpp"
#include "gateways/api/accounts/logins.hpp"
#include "gateways/api/accounts/second_factors.hpp"
#include "gateways/api/accounts/who.hpp"

#include <utility>

namespace slipway::gateways::api {

struct accounts::impl {
  desk d;
  who identity;
  logins login;
  second_factors factors;
  api_keys keys;
  registration registering;
  login_page page;

  impl(const std::shared_ptr<const services>& s, registration_mode mode)
    : d(s),
      identity(s),
      login(d),
      factors(d),
      keys(d),
      registering(d, mode),
      page(d, login, factors) {}
};

accounts::accounts(std::shared_ptr<const services> s, registration_mode mode)
  : impl_(std::make_unique<impl>(s, mode)) {}

accounts::~accounts() = default;

void accounts::unlock(const messages::row& user) {
  impl_->d.unlock(user);
}

std::vector<route> accounts::routes() {
  auto& i = *impl_;
  return {
    {"GET", "/actor/v1/whoami", to(i.identity, &who::actor)},
    {"GET", "/user/v1/whoami", to(i.identity, &who::user)},
    {"GET", "/auth/v1/public-keys/:username", to(i.identity, &who::public_keys, "username")},

    {"POST", "/login_", to(i.login, &logins::login)},
    {"GET", "/user/v1/refresh-token", to(i.login, &logins::refresh)},
    {"POST", "/user/v1/refresh-token", to(i.login, &logins::refresh_with_password)},
    {"POST", "/user/v1/password", to(i.login, &logins::change_password)},
    {"PUT", "/user/v1/password", to(i.login, &logins::change_password)},
    {"GET", "/user/v1/sessions", to(i.login, &logins::list_sessions)},
    {"DELETE", "/user/v1/sessions", to(i.login, &logins::end_other_sessions)},
    {"DELETE", "/user/v1/sessions/:id", to(i.login, &logins::end_session, "id")},
    {"DELETE", "/user/v1/account", to(i.login, &logins::remove_account)},

    {"GET", "/auth/totp/setup", to(i.factors, &second_factors::setup)},
    {"POST", "/auth/totp/verify", to(i.factors, &second_factors::verify)},
    {"POST", "/auth/totp/disable", to(i.factors, &second_factors::disable)},
    {"POST", "/auth/totp/recovery-codes", to(i.factors, &second_factors::make_recovery_codes)},

    {"POST", "/api-key/user/full", to(i.keys, &api_keys::named_user_key)},
    {"POST", "/api-key/v1", to(i.keys, &api_keys::generic_key)},
    {"POST", "/api-key/v2", to(i.keys, &api_keys::generic_key)},
    {"POST",
     "/api-key/application/:id/provisioning",
     to(i.keys, &api_keys::provisioning_key, "id")},
    {"POST", "/api-key/device/:id/device-key", to(i.keys, &api_keys::device_key, "id")},
    {"POST", "/application/:id/generate-api-key", to(i.keys, &api_keys::legacy_user_key, "id")},

    {"POST", "/user/register", to(i.registering, &registration::enroll)},
    {"POST", "/user/v1/verify-email", to(i.registering, &registration::verify_email)},

    {"GET", "/login/cli/:callback", to(i.page, &login_page::show, "callback")},
    {"POST", "/login/cli/:callback", to(i.page, &login_page::submit, "callback")},
  };
}

}  // namespace slipway::gateways::api
