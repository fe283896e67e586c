#pragma once

#include "gateways/login/attempt_limiter.hpp"
#include "gateways/services.hpp"
#include "gateways/session_token.hpp"

#include <nlohmann/json_fwd.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways::api {

/// Why an attempt at a secret was refused.
struct attempt_refused {
  messages::error error;
  std::int64_t retry_after_s = 0;  ///< 0 = not said
};
template <class T>
using attempt = tl::expected<T, attempt_refused>;

/// Wait this long before the next attempt.
[[nodiscard]] attempt_refused too_many_attempts(std::int64_t wait_ms);
[[nodiscard]] runtime::response refusal(const attempt_refused& r);

constexpr std::size_t password_bytes_min = 8;
constexpr std::size_t password_bytes_max = 1024;
/// Attempts of one address at any names; an office behind one address shares them.
constexpr int address_tries_max = 50;
/// Passwords that are being hashed or wait for it; each takes 64 MiB and 0.1 s. More are answered 429.
constexpr std::size_t hashes_waiting_max = 64;

/// What the gateways of accounts share: the services, and all checking of secrets, which is counted and bounded (ADR 57).
class desk {
public:
  explicit desk(std::shared_ptr<const services> s);

  [[nodiscard]] const services& s() const { return *s_; }

  /// Counts an attempt of this client at `what`. 0 = go on, else the ms to wait.
  [[nodiscard]] std::int64_t begin_attempt(const std::string& what, const runtime::exchange& x);
  /// It succeeded.
  void forgive(const std::string& what, const runtime::exchange& x);
  /// Forgets all attempts at a user's secrets.
  void unlock(const messages::row& user);

  /// The user of these login data. An unknown name costs as much time as a wrong password.
  [[nodiscard]] runtime::awaitable<attempt<messages::row>>
  log_in(runtime::exchange& x, std::string name, std::string password);
  /// Is this the password of a user who is known already?
  [[nodiscard]] runtime::awaitable<attempt<void>>
  confirm(runtime::exchange& x, messages::row user, std::string password);
  /// Errors: rule_violated (too short or long), too_many_requests.
  [[nodiscard]] runtime::awaitable<messages::result<std::string>> hash(std::string password);

private:
  [[nodiscard]] runtime::awaitable<attempt<bool>> matches(std::string hash, std::string password);
  [[nodiscard]] runtime::awaitable<attempt<void>>
  check(runtime::exchange& x, std::string what, std::string hash, std::string password);

  std::shared_ptr<const services> s_;
  attempt_limiter secrets_;              ///< by user name, by user
  attempt_limiter addresses_;            ///< by client
  std::atomic<std::size_t> hashing_{0};  ///< passwords in hand
};

/// The user of a login name: an e-mail address when it has an @, else a user name; letters of either case.
[[nodiscard]] std::optional<messages::row> find_user(
  const domain::row_source& rows,
  std::string_view name);
/// What attempts at this user's password are counted under when the user is known.
[[nodiscard]] std::string attempts_at(const messages::row& user);

/// The body as a JSON object, an empty one as `{}`. Errors: invalid_argument, too_large.
[[nodiscard]] runtime::awaitable<messages::result<nlohmann::json>> read_object(
  runtime::exchange& x);
/// A member that is text, else "".
[[nodiscard]] std::string text_of(const nlohmann::json& j, const char* name);

/// What slipwayd does on behalf of a user where no rule of the model gives the user the right.
[[nodiscard]] messages::requester platform_for(std::int64_t actor);

}  // namespace slipway::gateways::api
