#include "gateways/registry/auth_challenge.hpp"

#include "runtime/http_text.hpp"

namespace slipway::gateways {

std::optional<auth_challenge> parse_challenge(std::string_view field) {
  const auto space = field.find(' ');
  const auto scheme = runtime::ascii_lower(field.substr(0, space));
  auth_challenge out;
  out.bearer = scheme == "bearer";
  if (!out.bearer && scheme != "basic") {
    return std::nullopt;
  }
  const auto rest = space == std::string_view::npos ? std::string_view() : field.substr(space + 1);
  for (const auto part : runtime::header_tokens(rest)) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) {
      continue;
    }
    auto text = runtime::trim_space(part.substr(equals + 1));
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
      text = text.substr(1, text.size() - 2);
    }
    out.parameters[runtime::ascii_lower(runtime::trim_space(part.substr(0, equals)))] = text;
  }
  return out;
}

}  // namespace slipway::gateways
