#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

constexpr std::size_t scopes_max = 64;  ///< of one request; further ones are ignored
constexpr std::size_t scope_bytes_max = 1024;

/// One thing that a client wants a token for: `repository:<name>[:tag or @digest]:<action>[,<action>]`, or the list of repositories:
/// `registry:catalog:*`.
struct scope {
  std::string name;       ///< also `org/fleet/1.2.3`, so wider than a repository's grammar
  std::string reference;  ///< tag or digest, "" if none
  std::vector<std::string>
    actions;             ///< of pull, push, delete, each once; `*` is all three. Of the list: `*`
  bool catalog = false;  ///< the list of repositories; the name is then `catalog`
  friend bool operator==(const scope&, const scope&) = default;
};

/// Parses the values of all `scope` parameters; a value may hold several scopes between spaces. What is not of this form is
/// dropped silently. Takes hostile bytes.
[[nodiscard]] std::vector<scope> parse_scopes(const std::vector<std::string_view>& values);

}  // namespace slipway::gateways
