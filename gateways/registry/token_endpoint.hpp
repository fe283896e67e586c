#pragma once

#include "gateways/registry/scope.hpp"
#include "gateways/registry/token.hpp"
#include "messages/requester.hpp"
#include "runtime/http_server.hpp"

#include <functional>
#include <string>
#include <vector>

namespace slipway::gateways {

/// How a client says who it is, as received.
struct credentials {
  enum class form { none, basic, bearer, api_key };
  form how = form::none;
  std::string user;    ///< of Basic: `d_<uuid>` or a user name; only for the subject
  std::string secret;  ///< an API key of any kind or a user's JWT
};

struct identity {
  messages::requester who;
  std::string subject;
  token_bearer bearer;
};

struct granted {
  std::string name;                  ///< the real repository
  std::string alias;                 ///< what was asked for when that differs, else ""
  std::vector<std::string> actions;  ///< of those asked for; may be none
};

/// Errors: unauthorized (a wrong secret), others as they are. Must not block.
using identify = std::function<messages::result<identity>(const credentials&)>;
/// What the requester gets of one scope. An error fails the whole request, so refusals are an empty list.
using authorize =
  std::function<messages::result<granted>(const messages::requester&, const scope&)>;

/// GET /auth/v1/token: who asks, what for, what is granted, a signed token. Holds no rule of its own.
class token_endpoint {
public:
  token_endpoint(token_authority& tokens, identify who, authorize what)
    : tokens_(tokens), identify_(std::move(who)), authorize_(std::move(what)) {}

  runtime::awaitable<void> handle(runtime::exchange& x);

private:
  messages::result<runtime::response> answer(const runtime::exchange& x);

  token_authority& tokens_;
  identify identify_;
  authorize authorize_;
};

}  // namespace slipway::gateways
