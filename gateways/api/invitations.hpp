#pragma once

#include "gateways/services.hpp"
#include "messages/event.hpp"

#include <memory>
#include <string>
#include <vector>

namespace slipway::gateways::api {

/// Invitations to organizations and fleets. There is no mail server: whoever invites is told the token once, in the answer, and hands it
/// on himself; whoever has it becomes a member (docs/permissions.md, ADR 55).
class invitations {
public:
  explicit invitations(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// POST /org/v1/invitation/:token and /user/v1/invitation/:token, as the SDK's accept() sends them. 404 for a token that is unknown,
  /// used or withdrawn; 401 without a login; 400 when it has run out.
  [[nodiscard]] runtime::awaitable<void> accept(runtime::exchange& x, std::string token);

private:
  [[nodiscard]] runtime::awaitable<messages::result<std::int64_t>>
  join(boost::asio::any_io_executor executor, messages::requester by, std::string token_hash);
  [[nodiscard]] runtime::awaitable<messages::result<void>> join_organization(
    boost::asio::any_io_executor executor,
    std::int64_t user,
    std::int64_t organization);

  std::shared_ptr<const services> s_;
};

/// Gives a new invitation its secret: the hash goes to `values`, the secret is the answer. "" for other resources.
[[nodiscard]] std::string add_invitation_token(
  const domain::resource_def& resource,
  std::vector<messages::field_value>& values);

/// Tells the secret in the answer to the creation, unless the row has another one: that of the first time the command was sent.
void tell_invitation_token(
  const domain::resource_def& resource,
  const messages::row& r,
  const std::string& secret,
  std::string& json_object);

}  // namespace slipway::gateways::api
