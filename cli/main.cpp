#include "cli/app.hpp"
#include "cli/terminal.hpp"

#include <csignal>
#include <iostream>

int main(int argc, char** argv) {
  // A reader that went away (`slipway device list | head`) is a failed write, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  return slipway::cli::run(
    {argv + 1, argv + argc},
    slipway::cli::read_environment(),
    slipway::cli::read_terminal(),
    std::cout,
    std::cerr);
}
