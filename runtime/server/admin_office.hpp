#pragma once

#include "domain/schema.hpp"
#include "messages/command.hpp"
#include "messages/error.hpp"
#include "storage/store.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <memory>
#include <variant>

namespace slipway::runtime {

/// How the operator's commands reach the store: through the entities of a running server, or directly while there is none.
struct admin_port {
  using command = std::variant<messages::create_row, messages::change_row, messages::remove_row>;

  std::shared_ptr<const domain::schema> model;
  storage::store store;
  /// Decides, and answers once the events are durable.
  std::function<messages::result<messages::appended>(messages::entity_ref, command)> ask;
  /// Forgets failed logins of a user; may be empty.
  std::function<void(const messages::row& user)> unlock;
  std::function<std::int64_t()> now;
  /// The public key that build workers pin.
  std::function<messages::result<std::string>()> builder_key;
};

/// Carries out one command of `slipwayd admin` (docs/admin.md), given and answered as JSON:
/// `{"command": "user create", "username": "ann", ...}`. Blocks, also for hashing passwords. Errors: invalid_argument, not_found,
/// rule_violated, unique_violated and those of the log.
[[nodiscard]] messages::result<nlohmann::json> run_admin_command(
  const admin_port& port,
  const nlohmann::json& request);

/// Decides and appends by itself: for a store that no server has open.
[[nodiscard]] admin_port direct_admin_port(
  std::shared_ptr<const domain::schema> model,
  storage::store store);

}  // namespace slipway::runtime
