#include "gateways/authenticator.hpp"

#include "domain/access.hpp"
#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "gateways/session_token.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>

namespace slipway::gateways {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::errc;
using messages::fail;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::result;
using messages::value;

authenticator::authenticator(
  std::shared_ptr<storage::read_model> rows,
  std::shared_ptr<runtime::change_clock> changes,
  std::string session_key,
  std::function<std::int64_t()> now)
  : rows_(std::move(rows)),
    changes_(std::move(changes)),
    session_key_(std::move(session_key)),
    now_(std::move(now)) {}

std::string authenticator::secret_of(std::string_view authorization, std::string_view query) {
  const auto space = authorization.find(' ');
  if (space != std::string_view::npos) {
    const auto scheme = authorization.substr(0, space);
    const auto rest = authorization.substr(space + 1);
    if (runtime::iequals(scheme, "bearer")) {
      return std::string(rest);
    }
    if (runtime::iequals(scheme, "basic")) {
      const auto pair = runtime::base64_decode(rest);
      const auto colon = pair.find(':');
      return colon == std::string::npos ? "" : pair.substr(colon + 1);
    }
  }
  if (query.find("apikey=") != std::string_view::npos) {
    if (const auto pairs = runtime::parse_query(query)) {
      return std::string(runtime::query_value(*pairs, "apikey").value_or(""));
    }
  }
  return "";
}

bool authenticator::still_valid(const ticket& k) const {
  return changes_->read(k.owner) == k.owner_change
         && changes_->read(everybody) == k.everybody_change
         && (k.expires == 0 || k.expires > now_());
}

result<requester> authenticator::identify(std::string_view secret) const {
  auto found = admit(secret);
  if (!found) {
    return tl::unexpected(found.error());
  }
  return std::move(found->by);
}

result<authenticator::ticket> authenticator::admit(std::string_view secret) const {
  if (secret.empty()) {
    ticket nobody;
    nobody.owner_change = changes_->read(nobody.owner);
    nobody.everybody_change = changes_->read(everybody);
    return nobody;
  }
  // The cache holds digests: a memory dump of it gives no credential away.
  return remembered(runtime::sha256_hex(secret), [&] { return look_up(secret); });
}

result<authenticator::ticket> authenticator::admit_key(std::int64_t row) const {
  return remembered("k" + std::to_string(row), [&] { return look_up_key_row(row); });
}

result<authenticator::ticket> authenticator::admit_session(std::int64_t row, std::int64_t user)
  const {
  return remembered("s" + std::to_string(row), [&]() -> result<ticket> {
    ticket k;
    k.owner = {entity_kind::user, user};
    k.owner_change = changes_->read(k.owner);
    k.everybody_change = changes_->read(everybody);
    k.session = row;
    const auto view = rows_->view();
    const auto& n = get().login_session;
    const auto session = view->get(n.resource, row);
    auto by = domain::requester_of_user(*view, user);
    if (!session || !by || as_int(field(*session, n.user)) != user) {
      return fail(errc::unauthorized, "the session is over");
    }
    k.expires = as_int(field(*session, n.expires_at));
    k.by = std::move(*by);
    return k;
  });
}

result<authenticator::ticket> authenticator::remembered(
  std::string name,
  const std::function<result<ticket>()>& look) const {
  auto& s = shards_[std::hash<std::string>{}(name) % shards_.size()];
  {
    const std::lock_guard lock(s.mutex);
    const auto it = s.entries.find(name);
    if (it != s.entries.end()) {
      if (still_valid(it->second)) {
        return it->second;
      }
      s.entries.erase(it);
    }
  }
  auto found = look();
  if (!found) {
    return found;
  }
  const std::lock_guard lock(s.mutex);
  if (s.entries.size() >= remembered_max) {
    s.entries.clear();
  }
  s.entries.insert_or_assign(std::move(name), *found);
  return found;
}

result<authenticator::ticket> authenticator::look_up(std::string_view secret) const {
  if (secret.size() > 8192) {
    return fail(errc::unauthorized, "not a valid credential");
  }
  return is_session(secret) ? look_up_session(secret) : look_up_key(secret);
}

result<authenticator::ticket> authenticator::look_up_session(std::string_view token) const {
  const auto claims = verify_session(session_key_, token, now_() / 1000);
  if (!claims) {
    return tl::unexpected(claims.error());
  }
  if (claims->second_factor == second_factor::pending) {
    return fail(errc::unauthorized, "the second factor is needed");
  }
  ticket k;
  k.owner = {entity_kind::user, claims->user};
  // Read the clocks before the rows: a change in between makes the entry stale, never wrong.
  k.owner_change = changes_->read(k.owner);
  k.everybody_change = changes_->read(everybody);
  k.expires = claims->expires * 1000;
  const auto view = rows_->view();
  const auto& u = get().user;
  const auto user = view->get(u.resource, claims->user);
  if (
    !user || !runtime::equal_secret(as_text(field(*user, u.jwt_secret)), claims->secret)
    || !view->get(get().login_session.resource, claims->session)) {
    return fail(errc::unauthorized, "the session is over");
  }
  k.by = *domain::requester_of_user(*view, claims->user);
  k.by.authenticated_at = claims->auth_time;
  k.session = claims->session;
  return k;
}

result<authenticator::ticket> authenticator::look_up_key(std::string_view key) const {
  const auto& n = get().api_key;
  const std::array<value, 1> hash{runtime::sha256_hex(key)};
  const auto id = rows_->view()->first(n.resource, n.key, hash);
  return look_up_key_row(id.value_or(0));
}

result<authenticator::ticket> authenticator::look_up_key_row(std::int64_t id) const {
  ticket k;
  k.everybody_change = changes_->read(everybody);
  const auto unknown = fail(errc::unauthorized, "not a valid credential");
  const auto& n = get();
  std::optional<messages::row> row;
  {
    const auto view = rows_->view();
    row = id == 0 ? std::nullopt : view->get(n.api_key.resource, id);
    const auto owner =
      row ? domain::entity_of_actor(as_int(field(*row, n.api_key.is_of__actor)), *view)
          : std::nullopt;
    if (!owner) {
      return unknown;
    }
    k.owner = *owner;
  }
  // The owner is known now, so its clock can be read; the rows are read again behind it.
  k.owner_change = changes_->read(k.owner);
  const auto view = rows_->view();
  row = view->get(n.api_key.resource, id);
  k.expires = row ? as_int(field(*row, n.api_key.expiry_date)) : 1;
  if (!row) {
    return unknown;
  }
  // Whoever has the secret may know why it opens nothing: it is asked for on devices far away.
  if (k.expires != 0 && k.expires <= now_()) {
    return fail(errc::unauthorized, "the API key has expired");
  }
  const auto& left = field(*row, n.api_key.remaining_uses);
  if (!messages::is_null(left) && as_int(left) <= 0) {
    return fail(errc::unauthorized, domain::key_used_up);
  }
  if (k.owner.kind == entity_kind::user) {
    const auto user = domain::requester_of_user(*view, k.owner.id);
    if (!user) {
      return unknown;
    }
    k.by = *user;
    domain::narrow(k.by, domain::scope_of(field(*row, n.api_key.scope)), *view);
  } else {
    k.by.kind =
      k.owner.kind == entity_kind::device ? requester_kind::device : requester_kind::fleet;
    k.by.id = k.owner.id;
    k.by.actor = as_int(field(*row, n.api_key.is_of__actor));
  }
  k.by.by_key = true;
  k.by.key = messages::id_of(*row);
  return k;
}

}  // namespace slipway::gateways
