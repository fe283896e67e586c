#pragma once

#include <string>
#include <vector>

namespace slipway::runtime {

/// `slipwayd git-hook pre-receive|post-receive`: what git runs around a push. It forwards the source to the builder of the server that started
/// git, prints what the builder says, and refuses the push when the build fails (docs/protocols/git.md). Answers the exit code.
int git_hook_main(const std::vector<std::string>& arguments);

}  // namespace slipway::runtime
