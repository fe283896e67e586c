#pragma once

#include <optional>
#include <string>
#include <string_view>

/// How clients name repositories and what they ask of them (docs/protocols/git.md). All of it is hostile input.
namespace slipway::gateways::git {

/// The two programs of git's protocol.
enum class service {
  upload_pack,   ///< clone and fetch
  receive_pack,  ///< push
};
/// `git-upload-pack`, `git-receive-pack`; nothing for other names.
[[nodiscard]] std::optional<service> parse_service(std::string_view name);
/// `upload-pack`, `receive-pack`
[[nodiscard]] const char* name(service s);

/// `organization/fleet` in lower case from `organization/fleet.git`, with or without the ending and a slash before. Nothing for whatever
/// else: only letters, digits, `_` and `-` are in such names, so there is nothing to decode and no way out of a folder.
[[nodiscard]] std::optional<std::string> parse_slug(std::string_view path);

/// A request's path below the server's root: `/organization/fleet.git` and `/info/refs`.
struct http_target {
  std::string slug;
  std::string_view rest;  ///< with its slash
};
[[nodiscard]] std::optional<http_target> parse_http_target(std::string_view path);

/// What a client of SSH asks to run: `git-upload-pack '/organization/fleet.git'`.
struct command {
  git::service what = service::upload_pack;
  std::string slug;
};
[[nodiscard]] std::optional<command> parse_command(std::string_view line);

/// What may be in GIT_PROTOCOL, as git writes it: `version=2`. Everything else is taken for nothing.
[[nodiscard]] std::string clean_protocol(std::string_view text);

}  // namespace slipway::gateways::git
