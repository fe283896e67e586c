#include "agent/posix/host_commands.hpp"

#include "runtime/clock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

extern char** environ;

namespace slipway::agent {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

constexpr int command_ms_max = 20'000;
constexpr std::size_t output_bytes_max = 4'096;

/// Reads until the end, the time is over, or an error; keeps the last bytes.
std::string read_end(int fd, std::size_t bytes_max, std::int64_t until) {
  std::string out;
  std::array<char, 16'384> buffer{};
  while (runtime::steady_ms() < until) {
    pollfd item{fd, POLLIN, 0};
    if (::poll(&item, 1, static_cast<int>(until - runtime::steady_ms())) <= 0) {
      continue;
    }
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0 || (n < 0 && errno != EINTR)) {
      break;
    }
    out.append(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    if (out.size() > 2 * bytes_max) {
      out.erase(0, out.size() - bytes_max);
    }
  }
  return out.size() > bytes_max ? out.substr(out.size() - bytes_max) : out;
}

result<int> wait_for(pid_t pid, std::int64_t until) {
  int status = 0;
  while (true) {
    const auto got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
    if (runtime::steady_ms() >= until) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return fail(errc::timed_out, "killed after it took too long");
    }
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace

result<std::string>
run_command(const std::vector<std::string>& command, std::size_t bytes_max, int timeout_ms) {
  std::array<int, 2> ends{};
  if (command.empty() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(errc::io_failed, "no command, or no pipe");
  }
  std::vector<char*> arguments;
  for (const auto& a : command) {
    arguments.push_back(const_cast<char*>(a.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 2);
  // The agent blocks signals in all its threads; a child must hear them.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int problem =
    ::posix_spawnp(&pid, command[0].c_str(), &files, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  const auto until = runtime::steady_ms() + timeout_ms;
  auto output = problem == 0 ? read_end(ends[0], bytes_max, until) : std::string();
  ::close(ends[0]);
  if (problem != 0) {
    return fail(errc::io_failed, command[0] + ": " + std::strerror(problem));
  }
  const auto status = wait_for(pid, until);
  if (!status) {
    return tl::unexpected(messages::with_context(command[0], status.error()));
  }
  if (*status != 0) {
    return fail(
      errc::io_failed,
      command[0] + " ended with " + std::to_string(*status) + ": " + output.substr(0, 200));
  }
  return output;
}

namespace {

result<void> run_configured(const std::vector<std::string>& command, const char* what) {
  if (command.empty()) {
    return fail(
      errc::unsupported,
      std::string("this device is not configured to ") + what + ": config.json has no hostCommands."
        + what);
  }
  auto done = run_command(command, output_bytes_max, command_ms_max);
  return done ? result<void>() : tl::unexpected(done.error());
}

}  // namespace

result<void> host_commands::reboot() {
  return run_configured(settings_.reboot, "reboot");
}

result<void> host_commands::shutdown() {
  return run_configured(settings_.shutdown, "shutdown");
}

bool host_commands::light(bool on) {
  if (settings_.led_file.empty()) {
    return false;
  }
  std::ofstream out(settings_.led_file);
  out << (on ? "1" : "0") << '\n';
  return static_cast<bool>(out);
}

result<std::string> host_commands::journal(
  const std::vector<std::string>& arguments,
  std::size_t bytes_max) {
  std::vector<std::string> command{"journalctl", "--no-pager", "--quiet"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto out = run_command(command, bytes_max, command_ms_max);
  if (!out) {
    return fail(errc::unavailable, "the host's journal cannot be read: " + out.error().detail);
  }
  return out;
}

std::string host_commands::hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace slipway::agent
