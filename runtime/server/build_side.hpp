#pragma once

#include "actors/builds.hpp"
#include "actors/entity.hpp"
#include "gateways/builder/builder_gateway.hpp"
#include "gateways/git/push_tickets.hpp"
#include "gateways/registry/token.hpp"
#include "gateways/services.hpp"
#include "messages/error.hpp"
#include "messages/event.hpp"
#include "runtime/serve_config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace caf {
class actor_system;
}

namespace slipway::runtime {

/// A node's builds: their actors, logs and sources, the bus that workers join, and a worker of its own.
class build_side {
public:
  struct parts {
    std::shared_ptr<const gateways::services> services;
    std::shared_ptr<const actors::world> world;
    caf::actor_system& system;
    gateways::token_authority& tokens;
    gateways::git::push_tickets& tickets;
    /// The commit that a ref of a fleet's repository is at.
    std::function<
      messages::result<std::optional<std::string>>(std::int64_t fleet, const std::string& ref)>
      ref_of;
    std::function<messages::result<void>()> disk;  ///< is there room? Errors: disk_full
    std::function<std::string()> registry_ca;      ///< PEM, "" = none
  };
  /// Ends what an earlier process left under way, and starts to take workers. Errors: io_failed, unavailable, corrupt.
  [[nodiscard]] static messages::result<std::unique_ptr<build_side>> open(
    const serve_config& o,
    parts p);
  virtual ~build_side() = default;  ///< stops

  [[nodiscard]] virtual std::vector<gateways::route> routes() = 0;
  [[nodiscard]] virtual actors::builds& builds() = 0;
  /// Where workers join, as bound, and the public key that they pin.
  [[nodiscard]] virtual std::string endpoint() const = 0;
  [[nodiscard]] virtual std::string public_key() const = 0;
  /// Workers that were registered or removed. On the journal's thread.
  virtual void committed(std::span<const messages::log_record> records) = 0;
  /// No more workers and builds; blocks.
  virtual void stop() = 0;
};

}  // namespace slipway::runtime
