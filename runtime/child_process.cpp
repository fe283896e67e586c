#include "runtime/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
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

namespace {

constexpr std::size_t output_bytes_max = 64U * 1024;

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string folders = std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin:/usr/bin:/bin";
  while (!folders.empty()) {
    const auto colon = folders.find(':');
    const auto file = folders.substr(0, colon) + "/" + name;
    folders.erase(0, colon == std::string::npos ? colon : colon + 1);
    if (::access(file.c_str(), X_OK) == 0) {
      return file;
    }
  }
  return {};
}

}  // namespace

messages::result<child_outcome> run_child(
  const std::string& program,
  const std::vector<std::string>& arguments,
  std::string_view input) {
  const auto file = find_program(program);
  if (file.empty()) {
    return messages::fail(messages::errc::not_found, "no program " + program);
  }
  std::vector<char*> argv{const_cast<char*>(file.c_str())};
  for (const auto& a : arguments) {
    argv.push_back(const_cast<char*>(a.c_str()));
  }
  argv.push_back(nullptr);
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0) {
    return messages::fail(messages::errc::io_failed, std::strerror(errno));
  }
  if (::pipe2(out, O_CLOEXEC) != 0) {
    ::close(in[0]);
    ::close(in[1]);
    return messages::fail(messages::errc::io_failed, std::strerror(errno));
  }
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(out[1], STDERR_FILENO);
    become(file.c_str(), argv.data(), in[0], parent);
  }
  ::close(in[0]);
  ::close(out[1]);
  // It fits the pipe, so this does not wait for a reader.
  const bool written = input.empty() || ::write(in[1], input.data(), input.size()) > 0;
  ::close(in[1]);
  child_outcome done;
  char buffer[4096];
  for (ssize_t n = 1; pid > 0 && n > 0;) {
    n = ::read(out[0], buffer, sizeof buffer);
    if (n > 0 && done.output.size() < output_bytes_max) {
      done.output.append(buffer, static_cast<std::size_t>(n));
    }
    n = n < 0 && errno == EINTR ? 1 : n;
  }
  ::close(out[0]);
  int status = 0;
  const bool waited = pid > 0 && ::waitpid(pid, &status, 0) == pid;
  if (!waited || !written) {
    return messages::fail(messages::errc::io_failed, program + " cannot be run");
  }
  done.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return done;
}

int watch_child(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace slipway::runtime
