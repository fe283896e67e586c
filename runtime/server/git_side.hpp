#pragma once

#include "gateways/git/git_gateway.hpp"
#include "gateways/git/git_sessions.hpp"
#include "gateways/git/push_tickets.hpp"
#include "gateways/git/repositories.hpp"
#include "gateways/ssh/ssh_server.hpp"
#include "runtime/serve_config.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::runtime {

/// A node's git server: repositories, git's programs, and the two ways to reach them.
class git_side {
public:
  /// Opens the repositories. Errors: io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<git_side>> open(const serve_config& config);
  ~git_side();

  /// Binds the SSH port and makes the HTTP gateway; nothing is accepted before `start`. `http` is where the HTTP port is bound; `disk` tells at each push whether there is room (disk_full); `settle` is called for each release that a push started, when it is over. Errors: unavailable (the port), io_failed.
  [[nodiscard]] messages::result<void> prepare(
    std::shared_ptr<const gateways::services> s,
    const listen_address& http,
    std::function<messages::result<void>()> disk,
    std::function<void(std::int64_t release)> settle);
  void start();
  /// Cuts what is under way and waits for its end. To be called when HTTP is served no more, before what `settle` needs goes.
  void stop();
  /// Housekeeping; to be called every few seconds.
  void sweep();

  [[nodiscard]] gateways::git::repositories& repositories() { return *repositories_; }
  [[nodiscard]] gateways::git::push_tickets& tickets() { return tickets_; }
  /// `path` is the request's below where repositories are: the host `git.<domain>`, or `/git` of a plain address.
  [[nodiscard]] awaitable<void> handle(exchange& x, std::string_view path);
  /// Where SSH is served, `127.0.0.1:2222`; "" = it is not.
  [[nodiscard]] std::string ssh_address() const;

private:
  explicit git_side(serve_config config) : config_(std::move(config)) {}

  serve_config config_;
  gateways::git::push_tickets tickets_;
  std::unique_ptr<gateways::git::repositories> repositories_;
  std::unique_ptr<gateways::git::git_sessions> sessions_;
  std::unique_ptr<gateways::git::git_gateway> gateway_;
  std::unique_ptr<gateways::git::git_processes> processes_;  ///< ends before what it tells
  std::unique_ptr<gateways::ssh::ssh_server> ssh_;
};

}  // namespace slipway::runtime
