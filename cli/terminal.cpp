#include "cli/terminal.hpp"

#include "cli/exit_code.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

namespace slipway::cli {

using messages::errc;
using messages::fail;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read before any thread
  return value != nullptr ? value : "";
}

/// The terminal even when stdin and stdout are redirected; closed at the end.
struct controlling_terminal {
  int descriptor = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  controlling_terminal() = default;
  controlling_terminal(const controlling_terminal&) = delete;
  controlling_terminal& operator=(const controlling_terminal&) = delete;
  ~controlling_terminal() {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
  }
  void write(std::string_view text) const {
    // A prompt that cannot be shown is followed by a read that fails too.
    [[maybe_unused]] const auto n = ::write(descriptor, text.data(), text.size());
  }
};

}  // namespace

environment read_environment() {
  environment e;
  e.config_home = variable("XDG_CONFIG_HOME");
  if (e.config_home.empty()) {
    const auto home = variable("HOME");
    e.config_home = (home.empty() ? std::string("/root") : home) + "/.config";
  }
  e.server = variable("SLIPWAY_SERVER");
  e.token = variable("SLIPWAY_TOKEN");
  e.ca = variable("SLIPWAY_CA");
  e.docker_host = variable("DOCKER_HOST");
  e.temp_folder = variable("TMPDIR");
  if (e.temp_folder.empty()) {
    e.temp_folder = "/tmp";
  }
  return e;
}

console::options read_terminal() {
  console::options o;
  o.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  o.error_is_terminal = ::isatty(STDERR_FILENO) == 1;
  o.colours = o.out_is_terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
    o.width = size.ws_col;
  }
  return o;
}

messages::result<std::string> ask(std::string_view prompt, bool hidden) {
  const controlling_terminal tty;
  if (tty.descriptor < 0) {
    return fail(
      errc::invalid_argument,
      "there is no terminal to ask for the " + std::string(prompt)
        + "; give it as an option or a file");
  }
  tty.write(std::string(prompt) + ": ");
  termios before{};
  ::tcgetattr(tty.descriptor, &before);
  if (hidden) {
    auto silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(tty.descriptor, TCSAFLUSH, &silent);
  }
  std::string answer;
  char c = 0;
  while (::read(tty.descriptor, &c, 1) == 1 && c != '\n' && answer.size() < 4096) {
    answer += c;
  }
  if (hidden) {
    ::tcsetattr(tty.descriptor, TCSAFLUSH, &before);
    tty.write("\n");
  }
  if (answer.empty()) {
    return fail(errc::invalid_argument, "no " + std::string(prompt) + " given");
  }
  return answer;
}

struct interrupt_guard::impl {
  std::atomic<bool> raised{false};
  std::atomic<bool> ending{false};
  sigset_t signals{};
  sigset_t before{};
  std::thread waiter;
};

interrupt_guard::interrupt_guard(std::function<void()> on_signal)
  : impl_(std::make_unique<impl>()) {
  sigemptyset(&impl_->signals);
  sigaddset(&impl_->signals, SIGINT);
  sigaddset(&impl_->signals, SIGTERM);
  sigaddset(&impl_->signals, SIGUSR2);  // our own, to end the thread
  ::pthread_sigmask(SIG_BLOCK, &impl_->signals, &impl_->before);
  impl_->waiter = std::thread([state = impl_.get(), on_signal = std::move(on_signal)] {
    int signal = 0;
    while (::sigwait(&state->signals, &signal) == 0 && !state->ending) {
      if (state->raised.exchange(true)) {
        ::_exit(exit_interrupted);
      }
      on_signal();
    }
  });
}

interrupt_guard::~interrupt_guard() {
  impl_->ending = true;
  ::pthread_kill(impl_->waiter.native_handle(), SIGUSR2);
  impl_->waiter.join();
  ::pthread_sigmask(SIG_SETMASK, &impl_->before, nullptr);
}

bool interrupt_guard::raised() const {
  return impl_->raised;
}

}  // namespace slipway::cli
