#pragma once

#include "messages/fields.hpp"

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::messages {

/// Every way an operation can fail that some caller answers differently to. Numbers are on the wire: never reused.
/// `docs/protocols/errors.md` is this list for readers.
enum class errc : std::uint16_t {
  none = 0,
  invalid_argument = 1,        ///< malformed input; 400
  rule_violated = 2,           ///< well formed, but a rule of the model forbids it; 400
  unauthorized = 3,            ///< no or wrong credential, or no right; 401
  forbidden = 4,               ///< known, but not allowed on this object; 403
  not_found = 5,               ///< 404
  unique_violated = 6,         ///< 409; the detail ends in "must be unique."
  conflict = 7,                ///< somebody else changed it first; 409
  too_large = 8,               ///< a size limit; 413
  too_many_requests = 9,       ///< a rate or queue limit; 429
  unavailable = 10,            ///< a part that is needed is down or busy; 503
  timed_out = 11,              ///< no answer in time: outcome unknown; 504
  io_failed = 12,              ///< disk or network failed; 500
  disk_full = 13,              ///< 507
  corrupt = 14,                ///< stored or received bytes do not decode; 500
  internal = 15,               ///< a library failed in a way we did not plan for; 500
  unsupported = 16,            ///< 501; media types: 415
  range_invalid = 17,          ///< 416
  digest_invalid = 18,         ///< content does not match its digest; 400
  blob_unknown = 19,           ///< 404
  upload_unknown = 20,         ///< 404
  manifest_unknown = 21,       ///< 404
  manifest_invalid = 22,       ///< 400
  name_invalid = 23,           ///< 400
  locked = 24,                 ///< an update lock is held; 423
  manifest_blob_unknown = 25,  ///< a manifest refers to something that is not there; 400
};

struct error {
  errc code = errc::internal;
  std::string
    detail;  ///< for people; starts lower case, no trailing full stop unless the protocol fixes the text
  SLIPWAY_FIELDS(code, detail)
  friend bool operator==(const error&, const error&) = default;
};

template <class T>
using result = tl::expected<T, error>;

inline tl::unexpected<error> fail(errc code, std::string detail) {
  return tl::unexpected<error>(error{code, std::move(detail)});
}

/// `append` + `disk full` -> `append: disk full`. Each layer adds its context once.
inline error with_context(std::string_view context, error e) {
  e.detail = std::string(context) + ": " + e.detail;
  return e;
}

std::string_view name(errc code);
int http_status(errc code);
/// Error code of the OCI distribution specification, "UNKNOWN" when there is none.
std::string_view oci_code(errc code);

}  // namespace slipway::messages
