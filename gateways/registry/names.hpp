#pragma once

#include <string>
#include <string_view>

namespace slipway::gateways {

/// OCI distribution-spec, "Pulling manifests": lower-case path components, at most 255 characters in all.
[[nodiscard]] bool valid_repository(std::string_view name);
/// Letters, digits, `_`, `.`, `-`; at most 128 characters, the first no dot or dash.
[[nodiscard]] bool valid_tag(std::string_view tag);

enum class registry_resource {
  none,       ///< no path of the specification
  base,       ///< /v2/
  blob,       ///< /v2/<name>/blobs/<digest>
  uploads,    ///< /v2/<name>/blobs/uploads/
  upload,     ///< /v2/<name>/blobs/uploads/<id>
  manifest,   ///< /v2/<name>/manifests/<reference>
  tags,       ///< /v2/<name>/tags/list
  referrers,  ///< /v2/<name>/referrers/<digest>
  catalog,    ///< /v2/_catalog
};

struct registry_route {
  registry_resource resource = registry_resource::none;
  std::string repository;  ///< decoded, not yet checked against the grammar
  std::string last;        ///< digest, upload id or reference, decoded
};

/// Splits a percent-encoded path. Takes hostile bytes; a repository may itself hold `blobs` or `manifests` as components, so the
/// path is read from its end.
[[nodiscard]] registry_route parse_registry_path(std::string_view path);

}  // namespace slipway::gateways
