#pragma once

#include "domain/schema.hpp"
#include "gateways/asker.hpp"
#include "gateways/authenticator.hpp"
#include "messages/error.hpp"
#include "runtime/change_clock.hpp"
#include "runtime/http_server.hpp"
#include "runtime/overlay/device_calls.hpp"
#include "storage/store.hpp"

#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <memory>
#include <string>

namespace slipway::gateways {

namespace device {
class log_hub;
}

class asset_links;

/// What all gateways share; outlives them.
struct services {
  std::shared_ptr<const domain::schema> model;
  storage::store store;
  std::shared_ptr<asker> ask;
  std::shared_ptr<gateways::authenticator> authenticator;
  std::shared_ptr<runtime::change_clock> target_changes;
  std::shared_ptr<boost::asio::thread_pool> slow;  ///< password hashing, which takes 0.1 s
  std::function<std::int64_t()> now;               ///< ms since 1970
  std::shared_ptr<device::log_hub> logs;           ///< device logs; null = there are none

  /// Asks one device through the overlay, at most once (runtime/edge_supervisor.hpp). Empty in tests without one.
  std::function<void(std::int64_t device, messages::call request, runtime::call_done done)>
    call_device;

  // Addresses that clients and devices are told.
  std::string api_url;                            ///< `http://127.0.0.1:8080`
  std::string registry_host;                      ///< `127.0.0.1:8080`
  std::function<std::string()> overlay_endpoint;  ///< `tcp://127.0.0.1:8090`, as bound
  std::string overlay_server_key;                 ///< Z85
  std::string device_urls_base;                   ///< `devices.<domain>`
  std::shared_ptr<const gateways::asset_links>
    asset_links;  ///< where the bytes of release assets are; null = there are none
  std::function<std::string()> root_ca;  ///< PEM of our own authority; "" or unset = none
};

constexpr std::size_t json_body_bytes_max = 4U << 20U;

/// Who sends this request. Errors: unauthorized.
[[nodiscard]] messages::result<messages::requester> requester_of(
  const services& s,
  const runtime::exchange& x);

/// The body of an API error: a JSON string (balena-api.md 4.6).
[[nodiscard]] runtime::response error_response(const messages::error& e);

[[nodiscard]] runtime::response error_response(messages::errc code, std::string_view detail);
/// Without a body.
[[nodiscard]] runtime::response empty_response(int status);

/// `entity` for a new aggregate root, in a random partition.
[[nodiscard]] messages::entity_ref new_entity(const services& s, messages::entity_kind kind);

}  // namespace slipway::gateways
