#include "tests/support/child.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace slipway::test {
namespace {

pid_t start(
  const std::vector<std::string>& command,
  const std::map<std::string, std::string>& environment,
  int& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    std::abort();
  }
  std::vector<char*> arguments;
  for (const auto& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    for (const auto& [name, value] : environment) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  out = ends[0];
  return pid;
}

child_result wait_for(pid_t pid) {
  int status = 0;
  child_result r;
  if (::waitpid(pid, &status, 0) == pid) {
    r.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  return r;
}

}  // namespace

child_result run_child(
  const std::vector<std::string>& command,
  const std::map<std::string, std::string>& environment,
  long kill_after_bytes) {
  int out = -1;
  const pid_t pid = start(command, environment, out);
  std::string text;
  char buffer[4096];
  bool killed = false;
  for (ssize_t n = ::read(out, buffer, sizeof buffer); n > 0;
       n = ::read(out, buffer, sizeof buffer)) {
    text.append(buffer, static_cast<std::size_t>(n));
    if (!killed && kill_after_bytes >= 0 && static_cast<long>(text.size()) >= kill_after_bytes) {
      ::kill(pid, SIGKILL);
      killed = true;
    }
  }
  ::close(out);
  auto r = wait_for(pid);
  r.out = std::move(text);
  return r;
}

background_child::background_child(
  const std::vector<std::string>& command,
  const std::map<std::string, std::string>& environment)
  : pid_(start(command, environment, out_)) {}

background_child::~background_child() {
  if (pid_ > 0) {
    stop(SIGKILL);
  }
  ::close(out_);
}

std::string background_child::read_line() {
  std::string line;
  char c = 0;
  while (::read(out_, &c, 1) == 1 && c != '\n') {
    line += c;
  }
  return line;
}

child_result background_child::stop(int signal) {
  ::kill(pid_, signal);
  return wait();
}

child_result background_child::wait() {
  auto r = wait_for(pid_);
  pid_ = -1;
  return r;
}

}  // namespace slipway::test
