#include "gateways/registry/names.hpp"

#include "runtime/http_text.hpp"

#include <algorithm>
#include <vector>

namespace slipway::gateways {
namespace {

constexpr std::size_t repository_bytes_max = 255;
constexpr std::size_t tag_bytes_max = 128;
constexpr std::size_t path_bytes_max = 1024;
constexpr std::string_view prefix = "/v2/";

bool lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool word(char c) {
  return lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/// `.`, `_`, `__` or any number of dashes.
bool valid_separator(std::string_view s) {
  return s == "." || s == "_" || s == "__" || s.find_first_not_of('-') == std::string_view::npos;
}

bool valid_component(std::string_view c) {
  if (c.empty() || !lower_or_digit(c.front()) || !lower_or_digit(c.back())) {
    return false;
  }
  std::size_t at = 0;
  while (at < c.size()) {
    const auto* const from = c.begin() + at;
    const auto* const end_of_word = std::find_if_not(from, c.end(), lower_or_digit);
    const auto* const next_word = std::find_if(end_of_word, c.end(), lower_or_digit);
    const auto separator = c.substr(
      static_cast<std::size_t>(end_of_word - c.begin()),
      static_cast<std::size_t>(next_word - end_of_word));
    if (!separator.empty() && !valid_separator(separator)) {
      return false;
    }
    at = static_cast<std::size_t>(next_word - c.begin());
  }
  return true;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) {
      return parts;
    }
    path.remove_prefix(slash + 1);
  }
}

/// The components [0, count) decoded and joined; "" when one does not decode.
std::string join(const std::vector<std::string_view>& parts, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto part = runtime::percent_decode(parts[i]);
    if (!part || part->find('/') != std::string::npos) {
      return {};
    }
    out.append(i == 0 ? "" : "/").append(*part);
  }
  return out;
}

}  // namespace

bool valid_repository(std::string_view name) {
  if (name.empty() || name.size() > repository_bytes_max) {
    return false;
  }
  const auto parts = split(name);
  return std::all_of(parts.begin(), parts.end(), valid_component);
}

bool valid_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= tag_bytes_max && word(tag.front())
         && std::all_of(tag.begin(), tag.end(), [](char c) {
              return word(c) || c == '.' || c == '-';
            });
}

registry_route parse_registry_path(std::string_view path) {
  using enum registry_resource;
  if (path == "/v2" || path == prefix) {
    return {base, "", ""};
  }
  if (path == "/v2/_catalog") {
    return {catalog, "", ""};
  }
  if (!path.starts_with(prefix) || path.size() > path_bytes_max) {
    return {};
  }
  const auto parts = split(path.substr(prefix.size()));
  const auto n = parts.size();
  const auto last = runtime::percent_decode(parts[n - 1]);
  if (n < 3 || !last) {
    return {};
  }
  const auto route = [&](registry_resource r, std::size_t name_parts) {
    return registry_route{r, join(parts, name_parts), *last};
  };
  if (n >= 4 && parts[n - 3] == "blobs" && parts[n - 2] == "uploads") {
    return route(last->empty() ? uploads : upload, n - 3);
  }
  if (parts[n - 2] == "blobs") {
    // Without the trailing slash it is the same resource: skopeo and others leave it out.
    return route(*last == "uploads" ? uploads : blob, n - 2);
  }
  if (parts[n - 2] == "manifests") {
    return route(manifest, n - 2);
  }
  if (parts[n - 2] == "referrers") {
    return route(referrers, n - 2);
  }
  if (parts[n - 2] == "tags" && *last == "list") {
    return route(tags, n - 2);
  }
  return {};
}

}  // namespace slipway::gateways
