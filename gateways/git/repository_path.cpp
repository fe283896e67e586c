#include "gateways/git/repository_path.hpp"

#include "runtime/http_text.hpp"

#include <algorithm>

namespace slipway::gateways::git {
namespace {

constexpr std::size_t name_bytes_max = 100;
constexpr std::size_t protocol_bytes_max = 128;

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-';
  };
  return !text.empty() && text.size() <= name_bytes_max
         && std::all_of(text.begin(), text.end(), fits);
}

/// Without the quotes that git puts around; a lone one stays, and is no name.
std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '\'' || text.front() == '"')
                      && text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

std::optional<service> parse_service(std::string_view text) {
  if (text == "git-upload-pack") {
    return service::upload_pack;
  }
  return text == "git-receive-pack" ? std::optional(service::receive_pack) : std::nullopt;
}

const char* name(service s) {
  return s == service::upload_pack ? "upload-pack" : "receive-pack";
}

std::optional<std::string> parse_slug(std::string_view path) {
  if (path.starts_with('/')) {
    path.remove_prefix(1);
  }
  if (path.ends_with(".git")) {
    path.remove_suffix(4);
  }
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const bool fits = is_name(path.substr(0, slash)) && is_name(path.substr(slash + 1));
  return fits ? std::optional(runtime::ascii_lower(path)) : std::nullopt;
}

std::optional<http_target> parse_http_target(std::string_view path) {
  if (!path.starts_with('/')) {
    return std::nullopt;
  }
  const auto second = path.find('/', 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  const auto end = std::min(path.find('/', second + 1), path.size());
  auto slug = parse_slug(path.substr(0, end));
  return slug ? std::optional(http_target{std::move(*slug), path.substr(end)}) : std::nullopt;
}

std::optional<command> parse_command(std::string_view line) {
  constexpr std::string_view spaced = "git ";
  auto space = line.find(' ');
  std::string program(line.substr(0, space));
  if (line.starts_with(spaced)) {
    space = line.find(' ', spaced.size());
    program = "git-" + std::string(line.substr(spaced.size(), space - spaced.size()));
  }
  const auto what = parse_service(program);
  if (!what || space == std::string_view::npos) {
    return std::nullopt;
  }
  auto slug = parse_slug(unquoted(line.substr(space + 1)));
  return slug ? std::optional(command{*what, std::move(*slug)}) : std::nullopt;
}

std::string clean_protocol(std::string_view text) {
  const bool fits =
    text.size() <= protocol_bytes_max && std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '=' || c == ':' || c == '-';
    });
  return fits ? std::string(text) : std::string();
}

}  // namespace slipway::gateways::git
