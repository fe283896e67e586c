#pragma once

#include "gateways/git/git_sessions.hpp"
#include "gateways/ssh/ssh_program.hpp"

namespace slipway::gateways::git {

/// Runs git for a client of SSH; what else it may ask for is refused with a text. Both must outlive what it starts.
[[nodiscard]] messages::result<std::unique_ptr<ssh::program>> run_git_over_ssh(
  git_sessions& sessions,
  const ssh::exec_request& r);

}  // namespace slipway::gateways::git
