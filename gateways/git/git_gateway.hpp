#pragma once

#include "gateways/git/git_sessions.hpp"
#include "gateways/services.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>

namespace slipway::gateways::git {

/// git's smart HTTP protocol (gitprotocol-http; docs/protocols/git.md). Basic or bearer authentication with an API key or a session token; the
/// user's name does not matter.
class git_gateway {
public:
  git_gateway(std::shared_ptr<const services> s, git_sessions& sessions)
    : s_(std::move(s)), sessions_(sessions) {}

  /// `path` is the request's, percent-encoded, below where repositories are: `/organization/fleet.git/info/refs`.
  runtime::awaitable<void> handle(runtime::exchange& x, std::string_view path);

private:
  struct call;
  runtime::awaitable<void> advertise(runtime::exchange& x, std::string slug);
  runtime::awaitable<void> run(runtime::exchange& x, std::string slug, service what);
  [[nodiscard]] session_request request_of(
    const runtime::exchange& x,
    std::string slug,
    service what,
    std::shared_ptr<std::atomic<int>> status) const;
  static runtime::awaitable<std::optional<runtime::response>> take_body(call& c);
  static runtime::awaitable<void> give(call& c, std::string_view bytes);
  static runtime::awaitable<bool> said_all(call& c);
  static runtime::awaitable<void> send_output(call& c);

  std::shared_ptr<const services> s_;
  git_sessions& sessions_;
};

}  // namespace slipway::gateways::git
