#pragma once

#include "domain/schema.hpp"
#include "messages/error.hpp"
#include "messages/value.hpp"

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace slipway::gateways::odata {

/// The fields that the body of a POST or PATCH sets, in order of their numbers and converted to what rows hold. Members that are unknown,
/// hidden or read-only are ignored as long as one other remains (balena-api.md 4.5). Whether required ones are there is the rules' to say.
/// Errors: invalid_argument for a body that is no object, has no known member or a value of the wrong type; rule_violated for text that
/// is too long and words that an enumeration lacks.
messages::result<std::vector<messages::field_value>> parse_body(
  const domain::resource_def& resource,
  const nlohmann::json& body);

}  // namespace slipway::gateways::odata
