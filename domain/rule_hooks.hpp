#pragma once

#include "domain/draft.hpp"
#include "domain/numbers.hpp"
#include "domain/rules.hpp"

#include <string_view>

/// What single resources add to the general rules. Internal to domain/.
namespace slipway::domain::hooks {

using checked = messages::result<void>;

/// A write on its way: the row as it would be, and what of it the client gave.
struct change_set {
  messages::row before;  ///< empty on create
  messages::row after;
  std::vector<messages::field_value> given;
  const messages::requester* by = nullptr;

  [[nodiscard]] bool gave(std::uint16_t number) const;
  void set(std::uint16_t number, messages::value v);
};

/// Runs before the event is written: checks, and fills in what the server decides.
using before_hook = checked (*)(draft&, const rule_context&, change_set&);
/// Runs after: changes other rows of the aggregate.
using after_hook = checked (*)(draft&, const rule_context&, const change_set&);

struct entry {
  before_hook before_create = nullptr;
  before_hook before_change = nullptr;
  after_hook after_write = nullptr;  ///< create and change
  checked (*before_remove)(draft&, const messages::row&) = nullptr;
};

/// By resource number; an empty entry when there is nothing special.
[[nodiscard]] const entry& of(std::uint16_t resource);

void add_account_hooks(std::vector<entry>& table);
void add_membership_hooks(std::vector<entry>& table);
void add_login_hooks(std::vector<entry>& table);
void add_fleet_hooks(std::vector<entry>& table);
void add_release_hooks(std::vector<entry>& table);
void add_device_hooks(std::vector<entry>& table);
void add_catalog_hooks(std::vector<entry>& table);
void add_attachment_hooks(std::vector<entry>& table);
void add_history_hooks(std::vector<entry>& table);

/// After a write of a device, which was `before` (empty: it is new): when what its history keeps has changed, the row of until now ends
/// and another begins. `actor` wrote it, 0 = the platform.
void record_history(
  draft& d,
  const rule_context& c,
  std::int64_t actor,
  const messages::row& before,
  std::int64_t device);

/// A row per service of a release that the device is to run, for variables to hang on (balena-api.md 3.7).
void install_services(
  draft& d,
  const rule_context& c,
  const messages::row& device,
  std::int64_t release);

/// May this requester do what is the platform's business: name what others trust?
[[nodiscard]] bool is_platform(const messages::requester& by);

/// Completes a user's row for being found at login, and refuses second uses of what works once.
[[nodiscard]] checked before_login_data_change(change_set& set);
/// Removes all login sessions of a user.
void end_sessions(draft& d, std::int64_t user);

/// Points a fleet that begins to track the latest release at it.
[[nodiscard]] checked track_latest(draft& d, const rule_context& c, const change_set& set);

/// Fields of every variable, label and tag.
constexpr std::uint16_t keyed_parent = 3, keyed_key = 4, keyed_value = 5;

[[nodiscard]] tl::unexpected<messages::error> broken(std::string rule);
[[nodiscard]] std::string lower(std::string_view text);
/// Characters of UTF-8 text.
[[nodiscard]] std::size_t characters(std::string_view text);
/// The architecture behind a device type row, 0 = unknown.
[[nodiscard]] std::int64_t architecture_of(const row_source& rows, std::int64_t device_type);

/// With an invitation goes who was invited.
void remove_invitee(draft& d, const resource_def& resource, const messages::row& r);

/// Removes a row with all that hangs on it in the same aggregate.
void remove_with_dependents(draft& d, const resource_def& resource, std::int64_t id);

}  // namespace slipway::domain::hooks
