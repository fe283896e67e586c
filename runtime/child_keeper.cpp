#include "runtime/child_keeper.hpp"

#include "runtime/assert.hpp"
#include "runtime/child_process.hpp"
#include "runtime/clock.hpp"
#include "runtime/log.hpp"
#include "runtime/zmq_support.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

namespace slipway::runtime {
namespace {

constexpr int tick_ms = 250;
constexpr int healthy_ms = 30'000;  // a life this long forgets earlier deaths

}  // namespace

struct child_keeper::impl {
  child_keeper::options options;
  child_keeper::callbacks callbacks;
  wakeup wake;
  std::thread thread;
  std::atomic<bool> stopping{false};
  std::atomic<int> grace_ms{0};
  std::atomic<pid_t> child{-1};

  impl(child_keeper::options o, child_keeper::callbacks c)
    : options(std::move(o)), callbacks(std::move(c)) {}

  void run();
  bool run_once();
  void live(pid_t pid);
  bool ended(pid_t pid, bool block);
  void terminate(pid_t pid);
  void sleep(int ms);
  void tick() const {
    if (callbacks.on_tick) {
      callbacks.on_tick();
    }
  }
};

bool child_keeper::impl::ended(pid_t pid, bool block) {
  int status = 0;
  if (::waitpid(pid, &status, block ? 0 : WNOHANG) != pid) {
    return false;
  }
  child = -1;
  if (callbacks.on_ended) {
    callbacks.on_ended();
  }
  if (!stopping) {
    log::error(
      "the " + options.what + " process ended",
      {{"pid", std::to_string(pid)},
       {"signal", std::to_string(WIFSIGNALED(status) ? WTERMSIG(status) : 0)},
       {"code", std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 0)}});
  }
  return true;
}

void child_keeper::impl::live(pid_t pid) {
  const int watch = watch_child(pid);
  bool over = false;
  while (!over && !stopping) {
    pollfd items[] = {{watch, POLLIN, 0}, {wake.fd(), POLLIN, 0}};
    ::poll(items, 2, tick_ms);
    wake.clear();
    tick();
    over = ended(pid, false);
  }
  if (!over) {
    terminate(pid);
  }
  if (watch >= 0) {
    ::close(watch);
  }
}

void child_keeper::impl::terminate(pid_t pid) {
  ::kill(pid, SIGTERM);
  const int watch = watch_child(pid);
  pollfd item{watch, POLLIN, 0};
  if (watch < 0 || ::poll(&item, 1, grace_ms) != 1) {
    ::kill(pid, SIGKILL);
  }
  if (watch >= 0) {
    ::close(watch);
  }
  ended(pid, true);
}

void child_keeper::impl::sleep(int ms) {
  const auto until = steady_ms() + ms;
  while (!stopping && steady_ms() < until) {
    pollfd item{wake.fd(), POLLIN, 0};
    ::poll(&item, 1, static_cast<int>(std::min<std::int64_t>(until - steady_ms(), tick_ms)));
    wake.clear();
    tick();
  }
}

/// Answers whether there was a child.
bool child_keeper::impl::run_once() {
  const auto input = callbacks.input();
  if (!input) {
    return false;
  }
  const auto pid = spawn_child(options.program, options.arguments, *input);
  if (pid) {
    child = *pid;
    live(*pid);
  } else {
    log::error(
      "the " + options.what + " process cannot be started",
      {{"error", pid.error().detail}});
  }
  return true;
}

// The children are started by this one thread, since they die with it.
void child_keeper::impl::run() {
  int pause = options.restart_ms_min;
  while (!stopping) {
    const auto born = steady_ms();
    const bool lived = run_once();
    pause = steady_ms() - born >= healthy_ms ? options.restart_ms_min : pause;
    sleep(lived ? pause : options.retry_ms);
    pause = lived ? std::min(pause * 2, options.restart_ms_max) : options.restart_ms_min;
  }
}

child_keeper::child_keeper(options o, callbacks c)
  : impl_(std::make_unique<impl>(std::move(o), std::move(c))) {}

child_keeper::~child_keeper() {
  stop();
}

void child_keeper::start() {
  SLIPWAY_ASSERT(!impl_->thread.joinable() && impl_->callbacks.input);
  impl_->thread = std::thread([i = impl_.get()] { i->run(); });
}

void child_keeper::stop(int grace_ms) {
  if (impl_->thread.joinable()) {
    impl_->grace_ms = grace_ms;
    impl_->stopping = true;
    impl_->wake.ring();
    impl_->thread.join();
  }
}

pid_t child_keeper::pid() const {
  return impl_->child;
}

}  // namespace slipway::runtime
