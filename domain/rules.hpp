#pragma once

#include "domain/draft.hpp"
#include "messages/build.hpp"
#include "messages/command.hpp"
#include "messages/entity.hpp"
#include "messages/error.hpp"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace slipway::domain {

/// What a rule may need besides the rows. Ids and randomness arrive from outside, so that rules stay pure.
struct rule_context {
  messages::entity_ref entity;  ///< who decides: the aggregate root the command was sent to
  std::function<std::int64_t()> next_id;  ///< in the entity's partition
  std::function<std::string(std::size_t)> random_hex;
  std::string registry_host;  ///< `host[:port]` that image locations begin with
};

// decide(): each writes its events into the draft, or refuses and the draft is to be dropped. The answer is the row's id.
// Errors: unauthorized, rule_violated, invalid_argument, not_found. Uniqueness is checked when the events are appended.
using decision = messages::result<std::int64_t>;

[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::create_row& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::change_row& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::remove_row& cmd);
[[nodiscard]] decision
decide(draft& d, const rule_context& c, const messages::register_device& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::report_state& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::set_presence& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::set_heartbeat& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::add_key& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::use_key& cmd);
[[nodiscard]] decision
decide(draft& d, const rule_context& c, const messages::accept_invitation& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::start_build& cmd);
[[nodiscard]] decision decide(draft& d, const rule_context& c, const messages::advance_build& cmd);

/// Rows that other entities write and that are to follow once these fields of a row have changed: the fleets of an organization whose
/// handle is another have another slug; devices whose fleet has another target get a service install for each of its services. Each
/// follows when the platform changes nothing of it (`change_row` without values). Slugs are also put right at every start, installs
/// when a device reports.
[[nodiscard]] std::vector<std::pair<std::uint16_t, std::int64_t>> changed_after(
  const row_source& rows,
  std::uint16_t resource,
  std::int64_t id,
  std::span<const messages::field_value> values);

}  // namespace slipway::domain
