#include "gateways/api/accounts/registration.hpp"

#include "domain/numbers.hpp"
#include "gateways/api/accounts/sessions.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <array>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using messages::row;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

/// A user name made of what stands before the @, with a number behind it when somebody has it.
std::string free_name(const domain::row_source& rows, std::string_view email) {
  constexpr std::size_t name_bytes_max = 60;
  std::string wanted;
  for (const char c : email.substr(0, email.find('@'))) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                      || c == '_' || c == '-' || c == '.';
    wanted += kept ? c : '_';
  }
  wanted.resize(std::min(wanted.size(), name_bytes_max));
  auto name = wanted;
  for (int i = 2; find_user(rows, name); ++i) {
    name = wanted + std::to_string(i);
  }
  return name;
}

/// Is it the e-mail address of an invitation with this token that has not run out?
bool is_invited(
  const domain::row_source& rows,
  const std::string& token,
  std::string_view email,
  std::int64_t now) {
  const std::array<messages::value, 1> hash{runtime::sha256_hex(token)};
  const auto& n = get();
  const auto fits = [&](
                      std::uint16_t resource,
                      std::uint16_t token_field,
                      std::uint16_t invitee_field,
                      std::uint16_t expiry_field) {
    const auto id = rows.first(resource, token_field, hash);
    const auto invitation = id ? rows.get(resource, *id) : std::nullopt;
    if (!invitation) {
      return false;
    }
    const auto invitee = rows.get(n.invitee.resource, as_int(field(*invitation, invitee_field)));
    const auto expires = as_int(field(*invitation, expiry_field));
    return invitee && (expires == 0 || expires > now)
           && runtime::iequals(as_text(field(*invitee, n.invitee.email)), email);
  };
  const auto& o = n.organization_invite;
  const auto& a = n.application_invite;
  return fits(o.resource, o.token, o.invitee, o.expiry_date)
         || fits(a.resource, a.token, a.invitee, a.expiry_date);
}

}  // namespace

result<void> registration::check_allowed(const json& body) const {
  if (mode_ == registration_mode::open) {
    return {};
  }
  const auto token = text_of(body, "invitationToken");
  const bool invited =
    mode_ == registration_mode::invite && !token.empty()
    && is_invited(*s().store.rows->view(), token, text_of(body, "email"), s().now());
  if (invited) {
    return {};
  }
  return fail(
    errc::forbidden,
    mode_ == registration_mode::closed ? "registration is closed: ask the operator for an account"
                                       : "registration needs an invitation to this e-mail address");
}

awaitable<void> registration::enroll(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  const auto address = limited_address(x.head().peer);
  const auto wait = address.empty() ? 0 : tries_.begin(address, s().now());
  if (wait > 0) {
    co_return co_await x.respond(refusal(too_many_attempts(wait)));
  }
  if (const auto allowed = check_allowed(*body); !allowed) {
    co_return co_await x.respond(error_response(allowed.error()));
  }
  const auto email = text_of(*body, "email");
  if (email.find('@') == std::string::npos) {
    co_return co_await x.respond(
      error_response(errc::invalid_argument, "\"email\" is not an e-mail address"));
  }
  auto hash = co_await desk_.hash(text_of(*body, "password"));
  if (!hash) {
    co_return co_await x.respond(error_response(hash.error()));
  }
  auto name = text_of(*body, "username");
  if (name.empty()) {
    name = free_name(*s().store.rows->view(), email);
  }
  const auto& u = get().user;
  messages::create_row cmd;
  cmd.by = platform_for(0);
  cmd.resource = u.resource;
  cmd.values = {{u.username, name}, {u.email, email}, {u.password, std::move(*hash)}};
  const auto entity = new_entity(s(), entity_kind::user);
  const auto done = co_await s().ask->ask(x.executor(), entity, std::move(cmd));
  if (!done) {
    co_return co_await x.respond(error_response(done.error()));
  }
  auto user = s().store.rows->view()->get(u.resource, done->answer);
  if (!user) {
    co_return co_await x.respond(error_response(errc::not_found, "no such user"));
  }
  const auto now = s().now();
  auto token = co_await open_session(s(), x, std::move(*user), now, second_factor::none);
  auto answer = token ? response::text(201, std::move(*token)) : error_response(token.error());
  answer.headers.emplace_back("Cache-Control", "no-store");
  co_await x.respond(std::move(answer));
}

awaitable<void> registration::verify_email(exchange& x) {
  auto answer = mode_ == registration_mode::closed
                  ? error_response(errc::forbidden, "registration is closed")
                  : error_response(
                    errc::invalid_argument,
                    "this server sends no mail: e-mail addresses are not verified");
  co_await x.respond(std::move(answer));
}

}  // namespace slipway::gateways::api
