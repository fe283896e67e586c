#pragma once

#include "messages/error.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// A release asset as its row keeps it.
struct stored_asset {
  std::string filename;
  std::string content_type;
  std::uint64_t size = 0;
  std::string digest;
};
[[nodiscard]] messages::json_text asset_json(const stored_asset& a);
/// Nothing for an asset without bytes.
[[nodiscard]] std::optional<stored_asset> parse_stored_asset(const messages::value& v);

/// Names as they come from clients are made harmless: no folders, no control characters, at most 255 bytes; never empty.
[[nodiscard]] std::string safe_filename(std::string_view name);
/// `type/subtype` with parameters of harmless characters, else application/octet-stream.
[[nodiscard]] std::string safe_content_type(std::string_view type);

/// Links that need no credential: whoever has one may read one asset's bytes, or write one part of an upload, until it ends.
class asset_links {
public:
  /// `key` is a secret; links of another key are not valid.
  asset_links(std::string api_url, std::string key, std::function<std::int64_t()> now_ms);

  /// `<api>/release-asset/<id>/<filename>?expires=...&signature=...`; ends in one to two hours, and stays the same for one.
  [[nodiscard]] std::string download(std::int64_t asset, const stored_asset& a) const;
  /// `target` is the path and query of a request. Errors: not_found (not signed by us for these bytes), forbidden (ended).
  [[nodiscard]] messages::result<void>
  check_download(std::int64_t asset, const stored_asset& a, std::string_view query) const;

  /// `<api>/release-asset-upload/<upload>/<part>?signature=...`
  [[nodiscard]] std::string part(std::string_view upload, std::int64_t number) const;
  [[nodiscard]] bool is_part(std::string_view upload, std::int64_t number, std::string_view query)
    const;

  /// What clients read of an asset (balena-api.md 4.12): filename, href, content_type, size.
  [[nodiscard]] messages::value shown(std::int64_t asset, const messages::value& stored) const;

private:
  [[nodiscard]] std::string
  sign(std::int64_t asset, std::string_view digest, std::string_view expires) const;

  std::string api_url_;
  std::string key_;
  std::function<std::int64_t()> now_ms_;
};

}  // namespace slipway::gateways
