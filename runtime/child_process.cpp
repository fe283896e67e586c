#include "runtime/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace slipway::runtime {
namespace {

/// After fork in a program with threads only async-signal-safe calls are allowed.
[[noreturn]] void become(const char* program, char* const* argv, int input, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(127);  // the parent died before the line above
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(input, STDIN_FILENO);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execv(program, argv);
  ::_exit(127);
}

}  // namespace

messages::result<pid_t> spawn_child(
  const std::string& program,
  const std::vector<std::string>& arguments,
  std::string_view input) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return messages::fail(messages::errc::io_failed, std::strerror(errno));
  }
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& a : arguments) {
    argv.push_back(const_cast<char*>(a.c_str()));
  }
  argv.push_back(nullptr);
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid == 0) {
    become(program.c_str(), argv.data(), ends[0], parent);
  }
  const auto failed = errno;
  ::close(ends[0]);
  bool written = true;
  while (pid > 0 && written && !input.empty()) {
    const auto n = ::write(ends[1], input.data(), input.size());
    written = n > 0 || errno == EINTR;
    input.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  ::close(ends[1]);
  if (pid < 0) {
    return messages::fail(messages::errc::io_failed, program + ": " + std::strerror(failed));
  }
  return pid;  // one that did not take its input ends by itself
}

int watch_child(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace slipway::runtime
