#pragma once

#include <string>
#include <string_view>

/// The other hosts of an installation with a domain (balena-api.md 1.3): all named beside `api.<domain>`. Without a domain, where the API is
/// called otherwise, everything is at the API's own address.
namespace slipway::gateways::device {

/// `http://api.d:8080` and `delta` -> `http://delta.d:8080`.
[[nodiscard]] std::string sibling_url(const std::string& api_url, std::string_view name);
/// `http://api.d:8080` and `cloudlink` -> `cloudlink.d`; `http://127.0.0.1:8080` -> `127.0.0.1`.
[[nodiscard]] std::string sibling_host(const std::string& api_url, std::string_view name);
/// Where supervisors send logs, who insist on TLS: "" when there is no such address.
[[nodiscard]] std::string logs_url(const std::string& api_url);

}  // namespace slipway::gateways::device
