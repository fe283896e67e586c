#include "gateways/registry/scope.hpp"

#include <algorithm>
#include <optional>

namespace slipway::gateways {
namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::string_view type_prefix = "repository:";

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'
         || c == '_' || c == '-' || c == '+' || c == '/';
}

bool plausible_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && name.front() != '/' && name.back() != '/'
         && name.find("//") == std::string_view::npos && name.find("..") == std::string_view::npos
         && std::all_of(name.begin(), name.end(), name_character);
}

void add_action(std::vector<std::string>& actions, std::string_view action) {
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    actions.emplace_back(action);
  }
}

std::vector<std::string> parse_actions(std::string_view list) {
  std::vector<std::string> out;
  while (true) {
    const auto comma = list.find(',');
    const auto action = list.substr(0, comma);
    for (const std::string_view known : {"pull", "push", "delete"}) {
      if (action == known || action == "*") {
        add_action(out, known);
      }
    }
    if (comma == std::string_view::npos) {
      return out;
    }
    list.remove_prefix(comma + 1);
  }
}

std::optional<scope> parse_scope(std::string_view text) {
  if (text == "registry:catalog:*") {
    return scope{"catalog", "", {"*"}, true};
  }
  if (text.size() > scope_bytes_max || !text.starts_with(type_prefix)) {
    return std::nullopt;
  }
  text.remove_prefix(type_prefix.size());
  const auto last = text.rfind(':');
  if (last == std::string_view::npos) {
    return std::nullopt;
  }
  scope out;
  out.actions = parse_actions(text.substr(last + 1));
  const auto middle = text.substr(0, last);
  const auto end_of_name = middle.find_first_of("@:");
  out.name = middle.substr(0, end_of_name);
  if (end_of_name != std::string_view::npos) {
    out.reference = middle.substr(end_of_name + 1);
  }
  return plausible_name(out.name) ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::vector<scope> parse_scopes(const std::vector<std::string_view>& values) {
  std::vector<scope> out;
  for (auto value : values) {
    while (!value.empty() && out.size() < scopes_max) {
      const auto space = value.find(' ');
      if (auto s = parse_scope(value.substr(0, space)); s) {
        out.push_back(std::move(*s));
      }
      value.remove_prefix(space == std::string_view::npos ? value.size() : space + 1);
    }
  }
  return out;
}

}  // namespace slipway::gateways
