#pragma once

#include "cli/api.hpp"

#include <string>

namespace slipway::cli {

/// Who the credential belongs to: `GET /actor/v1/whoami`.
messages::result<nlohmann::json> who_am_i(api& server);

/// A fleet by `org/name`, name, or uuid, among those the user may use. Errors: not_found, conflict when a bare name is several.
messages::result<nlohmann::json> find_fleet(
  api& server,
  const std::string& name,
  const std::string& select = "id,app_name,slug,uuid",
  const std::string& expand = {});

/// The only fleet that the user may use (id, slug). Errors: not_found (there is none), invalid_argument (several: the text lists them).
messages::result<nlohmann::json> only_fleet(api& server);

/// A device by uuid (7 characters of it are enough) or name. Errors: not_found, conflict when several match.
messages::result<nlohmann::json> find_device(
  api& server,
  const std::string& uuid_or_name,
  const std::string& select = "id,uuid,device_name",
  const std::string& expand = {});

/// A release by id (digits only, and short) or the start of its commit. Errors: not_found, conflict when several match.
messages::result<nlohmann::json> find_release(
  api& server,
  const std::string& commit_or_id,
  const std::string& select = "id,commit",
  const std::string& expand = {});

/// A successful release of one fleet by id or the start of its commit. Errors: not_found, conflict when several match.
messages::result<nlohmann::json>
find_release_of(api& server, std::int64_t fleet, const std::string& commit_or_id);

/// An organization (id, handle) by its handle; for "" the only one the user is in, or the one called like the user.
/// Errors: not_found, invalid_argument (there are several: the text lists them).
messages::result<nlohmann::json> find_organization(api& server, const std::string& handle);

}  // namespace slipway::cli
