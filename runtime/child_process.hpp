#pragma once

#include "messages/error.hpp"

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace slipway::runtime {

/// Starts a program that dies with the calling *thread* (PR_SET_PDEATHSIG), so call it from one that lives as long as the
/// child should. `input` is on its standard input: the place for secrets. It must fit a pipe (64 KiB). Errors: io_failed.
[[nodiscard]] messages::result<pid_t> spawn_child(
  const std::string& program,
  const std::vector<std::string>& arguments,
  std::string_view input);

/// A descriptor that becomes readable when the child ends; -1 when there is none.
[[nodiscard]] int watch_child(pid_t pid);

/// How a short program ended, with what it printed.
struct child_outcome {
  int status = -1;     ///< -1 = a signal ended it
  std::string output;  ///< of both its outputs, at most 64 KiB
};

/// Runs a program, looked for in PATH and the folders of system programs, with `input` (at most 64 KiB) on its standard input, and waits
/// for its end. Errors: not_found, io_failed.
[[nodiscard]] messages::result<child_outcome> run_child(
  const std::string& program,
  const std::vector<std::string>& arguments,
  std::string_view input);

}  // namespace slipway::runtime
