#pragma once

#include "domain/row_source.hpp"
#include "gateways/api/odata/request.hpp"
#include "gateways/api/odata/session.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace slipway::gateways::odata {

/// The body of a GET: `{"d":[...]}`, or `{"d":12}` for `/$count`. A key that finds nothing gives `{"d":[]}`.
/// Errors: invalid_argument when the request has an action or costs more than `rights` grants.
messages::result<std::string> read(
  const request_line& line,
  const domain::row_source& rows,
  const access& rights,
  statistics* stats = nullptr);

/// Ids, ascending, of the rows that a PATCH or DELETE is about: those that have the key and pass the filter, and are visible.
/// $top, $skip, $select and $expand do not count. Errors: invalid_argument as `read`, and when there is neither key nor filter:
/// a forgotten filter must not change a whole collection (ADR 17).
messages::result<std::vector<std::int64_t>> select_ids(
  const request_line& line,
  const domain::row_source& rows,
  const access& rights,
  statistics* stats = nullptr);

/// One row as POST answers it: all that is not hidden, references as `{"__id":n}`, no envelope.
std::string row_json(
  const domain::resource_def& resource,
  const messages::row& r,
  const domain::row_source& rows);

}  // namespace slipway::gateways::odata
