#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "gateways/api/odata/request.hpp"
#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

/// What version 6 of the API has beside another description of the same rows (domain/resource_model_v6.cpp): ADR 51. Older supervisors
/// and SDKs speak it. Internal to gateways/api.
namespace slipway::gateways::api::six {

/// A request to /v6. `my_application` means the applications that the requester has a role on. Errors: as odata::parse_target.
[[nodiscard]] messages::result<odata::request_line> parse_target(
  std::string_view path,
  std::string_view raw_query);

/// What the body of a POST or PATCH sets, in fields of the model: the slug of a device type becomes the type, the kind of a release whether
/// it is final, a text that is a document the document. Errors: as odata::parse_body, and invalid_argument for a slug or a document that is
/// none, and for what is null for ever.
[[nodiscard]] messages::result<std::vector<messages::field_value>> parse_body(
  const domain::schema& model,
  const domain::resource_def& resource,
  const nlohmann::json& body,
  const domain::row_source& rows);

}  // namespace slipway::gateways::api::six
