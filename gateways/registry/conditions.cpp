#include "gateways/registry/conditions.hpp"

namespace slipway::gateways {
namespace {

std::string_view trim(std::string_view s) {
  const auto first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

std::string_view bare(std::string_view tag) {
  tag = trim(tag);
  if (tag.starts_with("W/")) {
    tag.remove_prefix(2);
  }
  const bool quoted = tag.size() >= 2 && tag.front() == '"' && tag.back() == '"';
  return quoted ? tag.substr(1, tag.size() - 2) : tag;
}

/// No digest holds a comma, so a list is split at them.
bool names(std::string_view list, std::string_view etag) {
  while (true) {
    const auto comma = list.find(',');
    const auto one = list.substr(0, comma);
    if (trim(one) == "*" || bare(one) == etag) {
      return true;
    }
    if (comma == std::string_view::npos) {
      return false;
    }
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

condition
check_conditions(std::string_view if_match, std::string_view if_none_match, std::string_view etag) {
  if (!if_match.empty() && !names(if_match, etag)) {
    return condition::failed;
  }
  return !if_none_match.empty() && names(if_none_match, etag) ? condition::not_modified
                                                              : condition::go_on;
}

bool range_applies(std::string_view if_range, std::string_view etag) {
  // Weak tags do not count here.
  return if_range.empty() || (!trim(if_range).starts_with("W/") && bare(if_range) == etag);
}

}  // namespace slipway::gateways
