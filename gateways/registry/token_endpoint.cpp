#include "gateways/registry/token_endpoint.hpp"

#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <nlohmann/json.hpp>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

result<credentials> read_credentials(
  const runtime::exchange& x,
  const runtime::query_pairs& query) {
  const auto field = x.header("authorization");
  if (field.empty()) {
    const auto key = runtime::query_value(query, "apikey");
    return key ? credentials{credentials::form::api_key, "", std::string(*key)} : credentials{};
  }
  const auto given = runtime::authorization(field);
  if (given && given->first == "bearer") {
    return credentials{credentials::form::bearer, "", std::string(given->second)};
  }
  if (given && given->first == "basic") {
    const auto pair = runtime::base64_decode(given->second);
    const auto colon = pair.find(':');
    if (colon != std::string::npos) {
      return credentials{credentials::form::basic, pair.substr(0, colon), pair.substr(colon + 1)};
    }
  }
  return fail(errc::unauthorized, "unusable Authorization field");
}

runtime::response error_response(const messages::error& e) {
  const nlohmann::json body{
    {"errors", {{{"code", messages::oci_code(e.code)}, {"message", e.detail}}}}};
  return runtime::response::json(
    messages::http_status(e.code),
    body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

runtime::response token_response(const nlohmann::json& body) {
  auto r = runtime::response::json(200, body.dump());
  r.headers.emplace_back("Cache-Control", "no-store");
  return r;
}

}  // namespace

result<runtime::response> token_endpoint::answer(const runtime::exchange& x) {
  const auto query = runtime::parse_query(x.head().query);
  if (!query) {
    return fail(errc::invalid_argument, "malformed query");
  }
  const auto given = read_credentials(x, *query);
  if (!given) {
    return tl::unexpected(given.error());
  }
  if (given->how == credentials::form::basic && tokens_.verify(given->secret)) {
    // Engines that know passwords only give a token that they were handed as one. It is what they get, for as long as it holds.
    return token_response({{"token", given->secret}});
  }
  const auto asker = identify_(*given);
  if (!asker) {
    return tl::unexpected(asker.error());
  }
  std::vector<token_access> access;
  for (const auto& wanted : parse_scopes(runtime::query_values(*query, "scope"))) {
    auto g = authorize_(asker->who, wanted);
    if (!g) {
      return tl::unexpected(g.error());
    }
    access.push_back(
      {std::move(g->name), std::move(g->alias), std::move(g->actions), wanted.catalog});
  }
  auto token = tokens_.mint(asker->subject, access, asker->bearer);
  if (!token) {
    return tl::unexpected(token.error());
  }
  // Without expires_in docker asks again every minute.
  return token_response({{"token", *token}, {"expires_in", tokens_.lifetime_s()}});
}

runtime::awaitable<void> token_endpoint::handle(runtime::exchange& x) {
  if (x.head().method != "GET" && x.head().method != "HEAD") {
    auto r = runtime::response::text(405, "use GET\n");
    r.headers.emplace_back("Allow", "GET");
    co_await x.respond(std::move(r));
    co_return;
  }
  auto answered = answer(x);
  // A conditional inside a co_await is miscompiled by GCC 12: its temporaries are destroyed twice.
  auto r = answered ? std::move(*answered) : error_response(answered.error());
  co_await x.respond(std::move(r));
}

}  // namespace slipway::gateways
