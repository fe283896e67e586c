#include "gateways/services.hpp"

#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <utility>

namespace slipway::gateways {

messages::result<messages::requester> requester_of(const services& s, const runtime::exchange& x) {
  return s.authenticator->identify(
    authenticator::secret_of(x.header("authorization"), x.head().query));
}

runtime::response error_response(const messages::error& e) {
  return runtime::response::json(messages::http_status(e.code), messages::dump_json(e.detail));
}

runtime::response error_response(messages::errc code, std::string_view detail) {
  return error_response(messages::error{code, std::string(detail)});
}

runtime::response empty_response(int status) {
  runtime::response r;
  r.status = status;
  return r;
}

messages::entity_ref new_entity(const services& s, messages::entity_kind kind) {
  const auto partition = static_cast<int>(runtime::random_u64() % messages::partition_count);
  return {kind, s.store.log->next_id(partition)};
}

}  // namespace slipway::gateways
