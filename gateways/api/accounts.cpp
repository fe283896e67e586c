#include "gateways/api/accounts.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/odata/date.hpp"
#include "gateways/registry/completion.hpp"
#include "gateways/session_token.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace slipway::gateways::api {

namespace asio = boost::asio;
using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::error;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t key_length = 32;
constexpr std::size_t key_length_max = 128;
constexpr std::size_t password_bytes_max = 1024;

awaitable<messages::result<json>> read_object(exchange& x) {
  auto body = co_await x.read_body(json_body_bytes_max);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  if (body->empty()) {
    co_return json::object();
  }
  auto j = messages::parse_json(*body);
  if (!j) {
    co_return tl::unexpected(j.error());
  }
  if (!j->is_object()) {
    co_return messages::fail(errc::invalid_argument, "the body is not a JSON object");
  }
  co_return std::move(*j);
}

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

/// The user of a login name: an e-mail address when it has an @, else a user name; letters of either case.
std::optional<messages::row> find_user(const domain::row_source& rows, std::string name) {
  const auto& u = get().user;
  const auto number = name.find('@') == std::string::npos ? u.username : u.email;
  const std::array<value, 1> exact{name};
  if (const auto id = rows.first(u.resource, number, exact)) {
    return rows.get(u.resource, *id);
  }
  std::optional<messages::row> found;
  const auto same = [&](const std::string& other) {
    return other.size() == name.size()
           && std::equal(
             other.begin(),
             other.end(),
             name.begin(),
             [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
  };
  rows.scan(u.resource, 0, [&](const messages::row& r) {
    if (same(as_text(field(r, number)))) {
      found = r;
    }
    return !found;
  });
  return found;
}

std::string session_for(const services& s, const messages::row& user, std::int64_t auth_time) {
  session_claims c;
  c.user = messages::id_of(user);
  c.secret = as_text(field(user, get().user.jwt_secret));
  c.auth_time = auth_time;
  c.issued = s.now() / 1000;
  c.expires = c.issued + session_seconds;
  return mint_session(s.authenticator->session_key(), c);
}

/// Takes 0.1 s, so on the slow pool.
awaitable<bool> matches(const services& s, const std::string& hash, const std::string& password) {
  std::function<bool()> check = [hash, password] {
    return runtime::verify_password(hash, password);
  };
  co_return co_await run_on(*s.slow, std::move(check));
}

}  // namespace

/// Ten failed attempts per name in two hours, then none for one hour.
class accounts::login_limiter {
public:
  bool allows(const std::string& name, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    const auto it = tries_.find(name);
    return it == tries_.end() || it->second.blocked_until <= now;
  }

  void failed(const std::string& name, std::int64_t now) {
    const std::lock_guard lock(mutex_);
    if (tries_.size() >= names_max) {
      std::erase_if(tries_, [now](const auto& t) { return t.second.since + window_ms < now; });
      if (tries_.size() >= names_max) {
        tries_.clear();
      }
    }
    auto& t = tries_[name];
    if (t.since + window_ms < now) {
      t = {now, 0, 0};
    }
    if (++t.count >= tries_max) {
      t.blocked_until = now + block_ms;
    }
  }

  void succeeded(const std::string& name) {
    const std::lock_guard lock(mutex_);
    tries_.erase(name);
  }

private:
  static constexpr std::size_t names_max = 10'000;
  static constexpr int tries_max = 10;
  static constexpr std::int64_t window_ms = 2 * 3600 * 1000;
  static constexpr std::int64_t block_ms = 3600 * 1000;
  struct attempts {
    std::int64_t since = 0;
    int count = 0;
    std::int64_t blocked_until = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, attempts> tries_;
};

struct accounts::key_request {
  std::string name, description, chosen;
  std::int64_t expires = 0;
};

accounts::accounts(std::shared_ptr<const services> s)
  : s_(std::move(s)), limiter_(std::make_unique<login_limiter>()) {}

accounts::~accounts() = default;

awaitable<void> accounts::login(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  const auto name = text_of(*body, "username");
  const auto password = text_of(*body, "password");
  if (name.empty() || password.empty() || password.size() > password_bytes_max) {
    co_return co_await x.respond(
      error_response(errc::unauthorized, "user name and password are needed"));
  }
  if (!limiter_->allows(name, s_->now())) {
    co_return co_await x.respond(
      error_response(errc::too_many_requests, "too many failed logins; try again in an hour"));
  }
  const auto user = find_user(*s_->store.rows->view(), name);
  // An unknown name costs as much time as a wrong password.
  static const auto nobody = runtime::hash_password("nobody");
  const auto hash = user ? as_text(field(*user, get().user.password)) : nobody;
  const bool right = co_await matches(*s_, hash, password);
  if (!user || !right) {
    limiter_->failed(name, s_->now());
    co_return co_await x.respond(error_response(errc::unauthorized, "wrong user name or password"));
  }
  limiter_->succeeded(name);
  co_await x.respond(response::text(200, session_for(*s_, *user, s_->now())));
}

awaitable<void> accounts::refresh(exchange& x) {
  const auto token = authenticator::secret_of(x.header("authorization"), x.head().query);
  const auto by = s_->authenticator->identify(token);
  const auto claims = verify_session(s_->authenticator->session_key(), token, s_->now() / 1000);
  if (!by || !claims) {
    co_return co_await x.respond(error_response(errc::unauthorized, "a login session is needed"));
  }
  const auto user = s_->store.rows->view()->get(get().user.resource, claims->user);
  auto auth_time = claims->auth_time;
  if (x.head().method == "POST") {
    const auto body = co_await read_object(x);
    const auto password = body ? text_of(*body, "password") : "";
    const auto hash = user ? as_text(field(*user, get().user.password)) : "";
    bool right = !password.empty() && password.size() <= password_bytes_max;
    if (right) {
      right = co_await matches(*s_, hash, password);
    }
    if (!right) {
      co_return co_await x.respond(error_response(errc::unauthorized, "wrong password"));
    }
    auth_time = s_->now();
  }
  if (!user) {
    co_return co_await x.respond(error_response(errc::unauthorized, "no such user"));
  }
  co_await x.respond(response::text(200, session_for(*s_, *user, auth_time)));
}

awaitable<void> accounts::whoami_actor(exchange& x) {
  const auto by = requester_of(*s_, x);
  if (!by || by->kind == requester_kind::guest) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  const auto view = s_->store.rows->view();
  const auto& n = get();
  json out{{"id", by->actor}, {"actorTypeId", by->id}};
  if (by->kind == requester_kind::user) {
    const auto user = view->get(n.user.resource, by->id);
    const auto email = user ? as_text(field(*user, n.user.email)) : "";
    out["actorType"] = "user";
    out["username"] = user ? as_text(field(*user, n.user.username)) : "";
    out["email"] = email.empty() ? json(nullptr) : json(email);
  } else if (by->kind == requester_kind::fleet) {
    const auto fleet = view->get(n.application.resource, by->id);
    out["actorType"] = "application";
    out["slug"] = fleet ? as_text(field(*fleet, n.application.slug)) : "";
  } else {
    const auto device = view->get(n.device.resource, by->id);
    out["actorType"] = "device";
    out["uuid"] = device ? as_text(field(*device, n.device.uuid)) : "";
  }
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> accounts::whoami_user(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto user = by && by->kind == requester_kind::user
                      ? s_->store.rows->view()->get(get().user.resource, by->id)
                      : std::nullopt;
  if (!user) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  const auto email = as_text(field(*user, get().user.email));
  const json out{
    {"id", by->id},
    {"username", as_text(field(*user, get().user.username))},
    {"email", email.empty() ? json(nullptr) : json(email)}};
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<messages::result<std::string>> create_key(
  const services& s,
  asio::any_io_executor executor,
  requester by,
  entity_ref owner,
  std::string name,
  std::string description,
  std::int64_t expires,
  std::string chosen) {
  const auto& n = get();
  const auto [resource, actor] =
    owner.kind == entity_kind::device  ? std::pair(n.device.resource, n.device.actor)
    : owner.kind == entity_kind::fleet ? std::pair(n.application.resource, n.application.actor)
                                       : std::pair(n.user.resource, n.user.actor);
  const auto row = s.store.rows->view()->get(resource, owner.id);
  if (!row) {
    co_return messages::fail(errc::not_found, "no such object");
  }
  const auto secret = chosen.empty() ? runtime::random_token(key_length) : std::move(chosen);
  messages::add_key cmd;
  cmd.by = std::move(by);
  cmd.of_actor = as_int(field(*row, actor));
  cmd.key_hash = runtime::sha256_hex(secret);
  cmd.name = std::move(name);
  cmd.description = std::move(description);
  cmd.expires = expires;
  const auto done = co_await s.ask->ask(std::move(executor), owner, std::move(cmd));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return secret;
}

awaitable<void>
accounts::make_key(exchange& x, requester by, entity_ref owner, key_request request) {
  auto made = co_await create_key(
    *s_,
    x.executor(),
    std::move(by),
    owner,
    std::move(request.name),
    std::move(request.description),
    request.expires,
    std::move(request.chosen));
  if (!made) {
    // A key that is taken already is the same key when the device asks again after a lost answer.
    co_return co_await x.respond(error_response(made.error()));
  }
  co_await x.respond(response::json(200, messages::dump_json(*made)));
}

namespace {

messages::result<void> read_key_request(
  const json& body,
  std::string& name,
  std::string& description,
  std::string& chosen,
  std::int64_t& expires) {
  name = text_of(body, "name");
  description = text_of(body, "description");
  chosen = text_of(body, "apiKey");
  if (!chosen.empty() && (chosen.size() < 16 || chosen.size() > key_length_max)) {
    return messages::fail(errc::invalid_argument, "an API key has 16 to 128 characters");
  }
  const auto date = text_of(body, "expiryDate");
  if (!date.empty()) {
    const auto at = odata::parse_date(date);
    if (!at) {
      return messages::fail(errc::invalid_argument, "\"expiryDate\" is not a date");
    }
    expires = *at;
  }
  return {};
}

}  // namespace

awaitable<void> accounts::user_key(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await read_object(x);
  if (!by || by->kind != requester_kind::user || !body) {
    auto refusal =
      body ? error_response(errc::unauthorized, "login required") : error_response(body.error());
    co_return co_await x.respond(std::move(refusal));
  }
  key_request r;
  auto ok = read_key_request(*body, r.name, r.description, r.chosen, r.expires);
  if (ok && r.name.empty()) {
    ok = messages::fail(errc::invalid_argument, "\"name\" is required");
  }
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  r.chosen.clear();
  co_await make_key(x, *by, {entity_kind::user, by->id}, std::move(r));
}

awaitable<void> accounts::provisioning_key(exchange& x, std::int64_t application) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await read_object(x);
  key_request r;
  const auto ok = !by     ? messages::result<void>(tl::unexpected(by.error()))
                  : !body ? messages::result<void>(tl::unexpected(body.error()))
                          : read_key_request(*body, r.name, r.description, r.chosen, r.expires);
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  r.chosen.clear();
  co_await make_key(x, *by, {entity_kind::fleet, application}, std::move(r));
}

awaitable<void> accounts::device_key(exchange& x, std::int64_t device) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await read_object(x);
  key_request r;
  const auto ok = !by     ? messages::result<void>(tl::unexpected(by.error()))
                  : !body ? messages::result<void>(tl::unexpected(body.error()))
                          : read_key_request(*body, r.name, r.description, r.chosen, r.expires);
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  co_await make_key(x, *by, {entity_kind::device, device}, std::move(r));
}

awaitable<void> accounts::generic_key(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await read_object(x);
  if (!by || !body) {
    co_return co_await x.respond(error_response(!by ? by.error() : body.error()));
  }
  key_request r;
  auto ok = read_key_request(*body, r.name, r.description, r.chosen, r.expires);
  const auto type = text_of(*body, "actorType");
  const auto roles = body->value("roles", json::array());
  const auto id = body->contains("actorTypeId") && (*body)["actorTypeId"].is_number_integer()
                    ? (*body)["actorTypeId"].get<std::int64_t>()
                    : 0;
  const bool v2_without_date =
    x.head().path.starts_with("/api-key/v2") && !body->contains("expiryDate");
  if (ok && (id == 0 || !roles.is_array() || roles.size() != 1 || v2_without_date)) {
    ok = messages::fail(
      errc::invalid_argument,
      "actorType, actorTypeId, roles with one member and expiryDate are required");
  }
  const auto kind = type == "application" ? entity_kind::fleet
                    : type == "device"    ? entity_kind::device
                    : type == "user"      ? entity_kind::user
                                          : entity_kind::none;
  if (ok && kind == entity_kind::none) {
    ok = messages::fail(errc::not_found, "unknown actorType");
  }
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  if (kind != entity_kind::device) {
    r.chosen.clear();
  }
  co_await make_key(x, *by, {kind, id}, std::move(r));
}

}  // namespace slipway::gateways::api
