#include "gateways/git/git_processes.hpp"

#include "runtime/child_process.hpp"
#include "runtime/clock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

namespace slipway::gateways::git {

using messages::errc;
using messages::fail;
using messages::result;
using storage::unique_fd;

namespace {

constexpr std::int64_t grace_ms = 2000;  // from SIGTERM to SIGKILL
constexpr int tick_ms = 250;
constexpr std::size_t complaint_bytes_max = 2048;

struct pipe_ends {
  unique_fd read;
  unique_fd write;
};

result<pipe_ends> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return tl::unexpected(storage::from_errno("pipe", errno));
  }
  return pipe_ends{unique_fd(ends[0]), unique_fd(ends[1])};
}

void never_block(int fd) {
  (void)::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/// Text for execve, prepared before fork: behind it only async-signal-safe calls are allowed.
struct image {
  std::vector<std::string> words;
  std::vector<char*> pointers;

  explicit image(std::vector<std::string> w) : words(std::move(w)) {
    for (auto& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
  }
};

std::vector<std::string> environment_of(const git_start& what) {
  std::vector<std::string> all{
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "GIT_CONFIG_NOSYSTEM=1",
    "GIT_CONFIG_GLOBAL=/dev/null",
    "GIT_TERMINAL_PROMPT=0",
    "GIT_OPTIONAL_LOCKS=0",
  };
  all.insert(all.end(), what.environment.begin(), what.environment.end());
  return all;
}

/// A few bytes may ask git for gigabytes: a delta says how large what it makes is.
void limit_memory(std::uint64_t bytes_max) {
  rlimit now{};
  (void)::getrlimit(RLIMIT_DATA, &now);
  now.rlim_cur = std::min<rlim_t>(bytes_max, now.rlim_max);
  (void)::setrlimit(RLIMIT_DATA, &now);
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  (void)!::write(fd, "1000", 4);
  ::close(fd);
}

[[noreturn]] void become(
  char* const* argv,
  char* const* environment,
  const int (&standard)[3],
  pid_t parent,
  const git_start& what) {
  // SIGTERM and not SIGKILL: git takes half-received objects away on it.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);
  if (::getppid() != parent) {
    ::_exit(127);
  }
  // Handlers of the server must not run here, so everything is still blocked.
  for (int i = 1; i < NSIG; ++i) {
    std::signal(i, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int i = 0; i < 3; ++i) {
    ::dup2(standard[i], i);
  }
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  limit_memory(what.memory_bytes_max);
  if (what.nice != 0) {
    (void)::setpriority(PRIO_PROCESS, 0, what.nice);
  }
  ::execvpe("git", argv, environment);
  ::_exit(127);
}

}  // namespace

struct git_processes::keeper {
  struct child {
    std::uint64_t number = 0;
    std::int64_t owner = 0;
    pid_t pid = 0;
    unique_fd watch;
    unique_fd errors;
    std::string complaint;
    std::function<void(const git_end&)> ended;
    std::int64_t deadline_ms = 0;  ///< on the steady clock
    bool asked = false;            ///< to end
  };

  mutable std::mutex mutex;
  std::vector<std::unique_ptr<child>> children;
  std::uint64_t numbers = 0;
  std::size_t running_max;
  std::size_t of_owner_max;
  bool stopping = false;
  unique_fd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::thread thread;

  keeper(std::size_t max, std::size_t of_one) : running_max(max), of_owner_max(of_one) {}

  /// The mutex is held.
  [[nodiscard]] bool has_room(std::int64_t owner) const {
    const auto of_owner = std::count_if(children.begin(), children.end(), [owner](const auto& c) {
      return c->owner == owner;
    });
    return !stopping && children.size() < running_max
           && (owner == 0 || static_cast<std::size_t>(of_owner) < of_owner_max);
  }

  void ring() const {
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);  // full: it is awake anyway
  }
  void run();
  void wait();
  void look();
  void stop_one(std::uint64_t number);
  static void ask_to_end(child& c);
  static void take_complaint(child& c);
  static git_end reap(child& c);
};

void git_processes::keeper::ask_to_end(child& c) {
  if (!c.asked) {
    c.asked = true;
    c.deadline_ms = runtime::steady_ms() + grace_ms;
    ::kill(-c.pid, SIGTERM);
  }
}

void git_processes::keeper::stop_one(std::uint64_t number) {
  {
    const std::lock_guard lock(mutex);
    for (auto& c : children) {
      if (c->number == number) {
        ask_to_end(*c);
      }
    }
  }
  ring();
}

void git_processes::keeper::take_complaint(child& c) {
  char bytes[1024];
  while (c.errors) {
    const auto n = ::read(c.errors.get(), bytes, sizeof bytes);
    if (n > 0) {
      c.complaint.append(bytes, static_cast<std::size_t>(n));
      if (c.complaint.size() > complaint_bytes_max) {
        c.complaint.erase(0, c.complaint.size() - complaint_bytes_max);
      }
    } else if (n == 0) {
      c.errors.reset();
    } else if (errno != EINTR) {
      return;
    }
  }
}

/// The whole group goes with its leader, while the leader's number cannot be another's yet.
git_end git_processes::keeper::reap(child& c) {
  take_complaint(c);
  ::kill(-c.pid, SIGKILL);
  int status = 0;
  while (::waitpid(c.pid, &status, 0) < 0 && errno == EINTR) {
  }
  git_end end;
  end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.complaint = std::move(c.complaint);
  return end;
}

void git_processes::keeper::wait() {
  std::vector<pollfd> waits{{wake.get(), POLLIN, 0}};
  {
    const std::lock_guard lock(mutex);
    for (const auto& c : children) {
      waits.push_back({c->watch.get(), POLLIN, 0});
      if (c->errors) {
        waits.push_back({c->errors.get(), POLLIN, 0});
      }
    }
  }
  (void)::poll(waits.data(), waits.size(), waits.size() > 1 ? tick_ms : -1);
  std::uint64_t rung = 0;
  (void)!::read(wake.get(), &rung, sizeof rung);  // nothing there: woken by something else
}

void git_processes::keeper::look() {
  std::vector<std::unique_ptr<child>> over;
  {
    const std::lock_guard lock(mutex);
    const auto now = runtime::steady_ms();
    for (auto& c : children) {
      take_complaint(*c);
      pollfd ended{c->watch.get(), POLLIN, 0};
      if (::poll(&ended, 1, 0) == 1) {
        over.push_back(std::move(c));
      } else if (now >= c->deadline_ms && !c->asked) {
        ask_to_end(*c);
      } else if (now >= c->deadline_ms) {
        ::kill(-c->pid, SIGKILL);
      }
    }
    std::erase(children, nullptr);
  }
  for (auto& c : over) {
    const auto end = reap(*c);
    if (c->ended) {
      c->ended(end);
    }
  }
}

void git_processes::keeper::run() {
  for (;;) {
    wait();
    look();
    const std::lock_guard lock(mutex);
    if (stopping && children.empty()) {
      return;
    }
  }
}

git_processes::git_processes(std::size_t running_max, std::size_t of_owner_max)
  : keeper_(std::make_shared<keeper>(running_max, of_owner_max)) {
  keeper_->thread = std::thread([k = keeper_.get()] { k->run(); });
}

git_processes::~git_processes() {
  stop();
}

void git_processes::stop() {
  {
    const std::lock_guard lock(keeper_->mutex);
    keeper_->stopping = true;
    for (auto& c : keeper_->children) {
      keeper::ask_to_end(*c);
    }
  }
  keeper_->ring();
  if (keeper_->thread.joinable()) {
    keeper_->thread.join();
  }
}

std::size_t git_processes::running() const {
  const std::lock_guard lock(keeper_->mutex);
  return keeper_->children.size();
}

result<git_process> git_processes::start(git_start what) {
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in || !out || !err) {
    return tl::unexpected((!in ? in : !out ? out : err).error());
  }
  std::vector<std::string> words{"git"};
  words.insert(words.end(), what.arguments.begin(), what.arguments.end());
  const image argv(std::move(words));
  const image environment(environment_of(what));
  const int standard[3] = {in->read.get(), out->write.get(), err->write.get()};
  const auto parent = ::getpid();

  auto made = std::make_unique<keeper::child>();
  const std::lock_guard lock(keeper_->mutex);
  if (!keeper_->has_room(what.owner)) {
    return fail(errc::unavailable, "too many git requests at once: try again in a moment");
  }
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto pid = ::fork();
  if (pid == 0) {
    become(argv.pointers.data(), environment.pointers.data(), standard, parent, what);
  }
  const int failed = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return tl::unexpected(storage::from_errno("git", failed));
  }
  ::setpgid(pid, pid);  // here too: whoever comes first
  made->number = ++keeper_->numbers;
  made->owner = what.owner;
  made->pid = pid;
  made->watch = unique_fd(runtime::watch_child(pid));
  if (!made->watch) {
    const auto why = storage::from_errno("git", errno);
    (void)keeper::reap(*made);  // nobody would learn of its end
    return tl::unexpected(why);
  }
  made->ended = std::move(what.ended);
  made->deadline_ms = runtime::steady_ms() + std::chrono::milliseconds(what.time_max).count();
  git_process process;
  process.input = std::move(in->write);
  process.output = std::move(out->read);
  never_block(process.input.get());
  never_block(process.output.get());
  never_block(err->read.get());
  (what.hand_out_errors ? process.errors : made->errors) = std::move(err->read);
  process.keeper_ = keeper_;
  process.number_ = made->number;
  keeper_->children.push_back(std::move(made));
  keeper_->ring();
  return process;
}

git_process::git_process(git_process&& other) noexcept
  : input(std::move(other.input)),
    output(std::move(other.output)),
    errors(std::move(other.errors)),
    keeper_(std::move(other.keeper_)),
    number_(std::exchange(other.number_, 0)) {}

git_process& git_process::operator=(git_process&& other) noexcept {
  if (this != &other) {
    stop();
    input = std::move(other.input);
    output = std::move(other.output);
    errors = std::move(other.errors);
    keeper_ = std::move(other.keeper_);
    number_ = std::exchange(other.number_, 0);
  }
  return *this;
}

git_process::~git_process() {
  stop();
}

void git_process::stop() {
  const auto number = std::exchange(number_, 0);
  if (number == 0) {
    return;
  }
  if (const auto alive = keeper_.lock()) {
    static_cast<git_processes::keeper*>(alive.get())->stop_one(number);
  }
}

}  // namespace slipway::gateways::git
