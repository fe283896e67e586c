#include "messages/error.hpp"

#include <array>

namespace slipway::messages {
namespace {

struct row {
  errc code;
  std::string_view name;
  int http;
  std::string_view oci;
};

constexpr std::array table{
  row{errc::none, "none", 200, "UNKNOWN"},
  row{errc::invalid_argument, "invalid_argument", 400, "UNSUPPORTED"},
  row{errc::rule_violated, "rule_violated", 400, "UNSUPPORTED"},
  row{errc::unauthorized, "unauthorized", 401, "UNAUTHORIZED"},
  row{errc::forbidden, "forbidden", 403, "DENIED"},
  row{errc::not_found, "not_found", 404, "NAME_UNKNOWN"},
  row{errc::unique_violated, "unique_violated", 409, "UNSUPPORTED"},
  row{errc::conflict, "conflict", 409, "UNSUPPORTED"},
  row{errc::too_large, "too_large", 413, "SIZE_INVALID"},
  row{errc::too_many_requests, "too_many_requests", 429, "TOOMANYREQUESTS"},
  row{errc::unavailable, "unavailable", 503, "UNKNOWN"},
  row{errc::timed_out, "timed_out", 504, "UNKNOWN"},
  row{errc::io_failed, "io_failed", 500, "UNKNOWN"},
  row{errc::disk_full, "disk_full", 507, "DENIED"},
  row{errc::corrupt, "corrupt", 500, "UNKNOWN"},
  row{errc::internal, "internal", 500, "UNKNOWN"},
  row{errc::unsupported, "unsupported", 501, "UNSUPPORTED"},
  row{errc::range_invalid, "range_invalid", 416, "BLOB_UPLOAD_INVALID"},
  row{errc::digest_invalid, "digest_invalid", 400, "DIGEST_INVALID"},
  row{errc::blob_unknown, "blob_unknown", 404, "BLOB_UNKNOWN"},
  row{errc::upload_unknown, "upload_unknown", 404, "BLOB_UPLOAD_UNKNOWN"},
  row{errc::manifest_unknown, "manifest_unknown", 404, "MANIFEST_UNKNOWN"},
  row{errc::manifest_invalid, "manifest_invalid", 400, "MANIFEST_INVALID"},
  row{errc::name_invalid, "name_invalid", 400, "NAME_INVALID"},
  row{errc::locked, "locked", 423, "DENIED"},
  row{errc::manifest_blob_unknown, "manifest_blob_unknown", 400, "MANIFEST_BLOB_UNKNOWN"},
};

const row& find(errc code) {
  for (const auto& r : table) {
    if (r.code == code) {
      return r;
    }
  }
  return table[15];  // internal
}

}  // namespace

std::string_view name(errc code) {
  return find(code).name;
}

int http_status(errc code) {
  return find(code).http;
}

std::string_view oci_code(errc code) {
  return find(code).oci;
}

}  // namespace slipway::messages
