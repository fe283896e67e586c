#include "runtime/server/child_start.hpp"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace slipway::runtime {

std::string read_config_line() {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < child_config_bytes_max && text.find('\n') == std::string::npos) {
    const auto n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

}  // namespace slipway::runtime
