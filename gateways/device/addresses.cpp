#include "gateways/device/addresses.hpp"

namespace slipway::gateways::device {
namespace {

/// Where the host begins in `scheme://host...`.
std::size_t host_at(const std::string& url) {
  const auto scheme = url.find("://");
  return scheme == std::string::npos ? 0 : scheme + 3;
}

bool has_siblings(const std::string& api_url) {
  return std::string_view(api_url).substr(host_at(api_url)).starts_with("api.");
}

}  // namespace

std::string sibling_url(const std::string& api_url, std::string_view name) {
  auto url = api_url;
  if (has_siblings(api_url)) {
    url.replace(host_at(url), 3, name);
  }
  return url;
}

std::string sibling_host(const std::string& api_url, std::string_view name) {
  const auto url = sibling_url(api_url, name);
  const auto host = url.substr(host_at(url));
  const bool v6 = host.starts_with('[');
  return host.substr(0, v6 ? host.find(']') + 1 : host.find_first_of(":/"));
}

std::string logs_url(const std::string& api_url) {
  return api_url.starts_with("https://") && has_siblings(api_url) ? sibling_url(api_url, "logs")
                                                                  : "";
}

}  // namespace slipway::gateways::device
