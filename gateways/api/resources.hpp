#pragma once

#include "gateways/api/query_runner.hpp"
#include "gateways/services.hpp"

#include <memory>
#include <string_view>

namespace slipway::gateways::api {

/// The resource model over OData: /v6 and /v7 (balena-api.md 4). Everything about a resource comes from the schema; there is no
/// handler per resource.
class resources {
public:
  explicit resources(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// `version` is `v6` or `v7`; `path` follows it, percent-encoded, without the slash.
  runtime::awaitable<void>
  handle(runtime::exchange& x, std::string_view version, std::string_view path);

  /// Waits for queries under way.
  void stop() { queries_.stop(); }

private:
  struct call;
  struct target;
  runtime::awaitable<void> get(call& c);
  runtime::awaitable<void> create(call& c);
  /// Ids of the rows that a PATCH or DELETE is about.
  runtime::awaitable<messages::result<std::vector<std::int64_t>>> select(call& c);
  runtime::awaitable<void> change(call& c);
  runtime::awaitable<void> remove(call& c);
  runtime::awaitable<void> metadata(runtime::exchange& x, std::string_view version);
  /// POST of canAccess.
  runtime::awaitable<void> ask_access(call& c);
  /// Lets the rows follow that others write and that depend on what was changed: slugs, service installs.
  runtime::awaitable<void>
  follow(call& c, std::vector<std::int64_t> changed, const messages::change_row& change);
  /// Adds a row that is there and that some entity writes.
  void add_target(
    std::vector<target>& to,
    const domain::row_source& rows,
    std::uint16_t resource,
    std::int64_t id) const;
  /// Sends `change` to each row, `writes_in_flight_max` at once. A row that went away meanwhile is one row less to change. Ends with the
  /// first error; or, `whatever` becomes of one, does not end for it.
  runtime::awaitable<messages::result<void>>
  change_rows(call& c, std::vector<target> rows, messages::change_row change, bool whatever);
  std::shared_ptr<const services> s_;
  query_runner queries_;
};

}  // namespace slipway::gateways::api
