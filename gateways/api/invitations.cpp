#include "gateways/api/invitations.hpp"

#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <array>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_int;
using messages::entity_kind;
using messages::errc;
using messages::fail;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::result;
using messages::value;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t token_length = 32;

/// Field that keeps the hash; 0 = not an invitation.
std::uint16_t token_field(const domain::resource_def& resource) {
  const auto& n = get();
  return resource.number == n.organization_invite.resource  ? n.organization_invite.token
         : resource.number == n.application_invite.resource ? n.application_invite.token
                                                            : std::uint16_t{0};
}

struct invitation {
  messages::entity_ref to;
  std::int64_t organization =
    0;  ///< that the user must be a member of first; 0 = it is what he is invited to
  std::int64_t expires = 0;  ///< ms since 1970
};

std::optional<invitation> find_invitation(const domain::row_source& rows, const std::string& hash) {
  const auto& n = get();
  const std::array<value, 1> token{hash};
  const auto& o = n.organization_invite;
  if (const auto id = rows.first(o.resource, o.token, token)) {
    const auto r = rows.get(o.resource, *id);
    return invitation{
      {entity_kind::organization, as_int(field(*r, o.is_invited_to__organization))},
      0,
      as_int(field(*r, o.expiry_date))};
  }
  const auto& a = n.application_invite;
  const auto id = rows.first(a.resource, a.token, token);
  const auto r = id ? rows.get(a.resource, *id) : std::nullopt;
  const auto fleet = r ? as_int(field(*r, a.is_invited_to__application)) : 0;
  const auto application = rows.get(n.application.resource, fleet);
  if (!application) {
    return std::nullopt;
  }
  return invitation{
    {entity_kind::fleet, fleet},
    as_int(field(*application, n.application.organization)),
    as_int(field(*r, a.expiry_date))};
}

bool is_member(const domain::row_source& rows, std::int64_t user, std::int64_t organization) {
  const std::array<value, 2> pair{user, organization};
  return rows.first(get().organization_membership.resource, domain::first_composite, pair)
    .has_value();
}

}  // namespace

std::string add_invitation_token(
  const domain::resource_def& resource,
  std::vector<messages::field_value>& values) {
  const auto number = token_field(resource);
  if (number == 0) {
    return "";
  }
  auto secret = runtime::random_token(token_length);
  values.push_back({number, runtime::sha256_hex(secret)});
  return secret;
}

void tell_invitation_token(
  const domain::resource_def& resource,
  const messages::row& r,
  const std::string& secret,
  std::string& json_object) {
  const bool told = !secret.empty() && json_object.ends_with('}')
                    && field(r, token_field(resource)) == value(runtime::sha256_hex(secret));
  if (told) {
    json_object.pop_back();
    json_object += ",\"token\":\"" + secret + "\"}";
  }
}

awaitable<result<void>> invitations::join_organization(
  boost::asio::any_io_executor executor,
  std::int64_t user,
  std::int64_t organization) {
  const auto& m = get().organization_membership;
  messages::create_row cmd;
  cmd.by.kind = requester_kind::platform;
  cmd.resource = m.resource;
  cmd.values = {{m.user, user}, {m.is_member_of__organization, organization}};
  const messages::entity_ref to{entity_kind::organization, organization};
  const auto done = co_await s_->ask->ask(std::move(executor), to, std::move(cmd));
  // Somebody else may have made him one meanwhile.
  if (!done && done.error().code != errc::unique_violated) {
    co_return tl::unexpected(done.error());
  }
  co_return result<void>{};
}

awaitable<result<std::int64_t>>
invitations::join(boost::asio::any_io_executor executor, requester by, std::string token_hash) {
  std::optional<invitation> found;
  bool first_into_organization = false;
  {
    const auto view = s_->store.rows->view();
    found = find_invitation(*view, token_hash);
    first_into_organization =
      found && found->organization != 0 && !is_member(*view, by.id, found->organization);
  }
  if (!found) {
    co_return fail(errc::not_found, "no such invitation");
  }
  messages::accept_invitation cmd;
  cmd.by = std::move(by);
  cmd.token_hash = std::move(token_hash);
  // The fleet would refuse it as well, but only after its holder is in the organization.
  if (first_into_organization && found->expires <= s_->now()) {
    co_return fail(errc::rule_violated, "the invitation has run out.");
  }
  if (first_into_organization) {
    const auto joined = co_await join_organization(executor, cmd.by.id, found->organization);
    if (!joined) {
      co_return tl::unexpected(joined.error());
    }
  }
  const auto done = co_await s_->ask->ask(std::move(executor), found->to, std::move(cmd));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return done->answer;
}

awaitable<void> invitations::accept(exchange& x, std::string token) {
  auto by = requester_of(*s_, x);
  const bool user = by && by->kind == requester_kind::user && by->scope == messages::key_scope{};
  if (!user) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  auto hash = runtime::sha256_hex(token);
  const auto done = co_await join(x.executor(), std::move(*by), std::move(hash));
  if (!done) {
    co_return co_await x.respond(error_response(done.error()));
  }
  const nlohmann::json out{{"id", *done}};
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

}  // namespace slipway::gateways::api
