#pragma once

#include "cli/console.hpp"
#include "cli/settings.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::cli {

/// Reads the process's surroundings; called from main only.
environment read_environment();
console::options read_terminal();

/// Asks on the terminal; `hidden` does not echo. Errors: invalid_argument when there is no terminal to ask.
messages::result<std::string> ask(std::string_view prompt, bool hidden);

/// While it lives, SIGINT and SIGTERM do not end the process: the first calls `on_signal` from a thread of its own and
/// sets `raised`, a second ends the process at once with exit code 130.
class interrupt_guard {
public:
  explicit interrupt_guard(std::function<void()> on_signal);
  ~interrupt_guard();
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;

  [[nodiscard]] bool raised() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::cli
