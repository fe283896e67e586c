#include "gateways/git/git_processes.hpp"

#include "tests/gateways/git/git_user.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <future>

using namespace slipway;
using namespace slipway::gateways::git;
using namespace std::chrono_literals;

namespace {

/// Waits for an end, which is a failure when it does not come.
struct end_of {
  std::promise<git_end> told;
  std::future<git_end> future = told.get_future();

  [[nodiscard]] std::function<void(const git_end&)> teller() {
    return [this](const git_end& e) { told.set_value(e); };
  }
  git_end wait() {
    REQUIRE(future.wait_for(30s) == std::future_status::ready);
    return future.get();
  }
};

std::string read_all(int fd) {
  std::string out;
  char bytes[4096];
  for (;;) {
    pollfd ready{fd, POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 30'000) == 1);
    const auto n = ::read(fd, bytes, sizeof bytes);
    if (n <= 0) {
      return out;
    }
    out.append(bytes, static_cast<std::size_t>(n));
  }
}

/// An alias is a shell command that git starts as its child.
git_start alias(const std::string& command, end_of& end) {
  git_start what;
  what.arguments = {"-c", "alias.x=!" + command, "x"};
  what.ended = end.teller();
  return what;
}

bool is_alive(const std::string& pid) {
  return !pid.empty() && ::access(("/proc/" + pid + "/status").c_str(), F_OK) == 0;
}

}  // namespace

TEST_CASE("git runs with its pipes and a clean environment, and its end is told") {
  end_of end;
  git_processes all(4, 4);
  ::setenv("GIT_DIR", "/nowhere", 1);
  ::setenv("SLIPWAY_SECRET", "secret", 1);
  auto what = alias("cat; env; echo wrong >&2; exit 3", end);
  what.environment = {"GIT_PROTOCOL=version=2"};
  auto process = all.start(std::move(what));
  ::unsetenv("GIT_DIR");
  ::unsetenv("SLIPWAY_SECRET");
  REQUIRE(process);
  REQUIRE(::write(process->input.get(), "hello\n", 6) == 6);
  process->input.reset();
  const auto text = read_all(process->output.get());
  CHECK_THAT(text, Catch::StartsWith("hello\n"));
  CHECK_THAT(text, Catch::Contains("GIT_PROTOCOL=version=2"));
  CHECK_THAT(text, Catch::Contains("GIT_CONFIG_NOSYSTEM=1"));
  CHECK_THAT(text, !Catch::Contains("SLIPWAY_SECRET"));
  CHECK_THAT(text, !Catch::Contains("/nowhere"));
  const auto told = end.wait();
  CHECK(told.status == 3);
  CHECK(told.complaint == "wrong\n");
  CHECK(all.running() == 0);
}

TEST_CASE("a git that nobody wants any more goes with all that it started") {
  end_of end;
  git_processes all(4, 4);
  std::string grandchild;
  {
    auto process = all.start(alias("sleep 300 & echo $!; trap '' TERM; sleep 300", end));
    REQUIRE(process);
    char bytes[32] = {};
    pollfd ready{process->output.get(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 30'000) == 1);
    REQUIRE(::read(process->output.get(), bytes, sizeof bytes - 1) > 1);
    grandchild = bytes;
    grandchild.pop_back();
    CHECK(is_alive(grandchild));
  }
  CHECK(end.wait().status >= 128);
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (is_alive(grandchild) && std::chrono::steady_clock::now() < until) {
    ::usleep(20'000);
  }
  CHECK_FALSE(is_alive(grandchild));
}

TEST_CASE("a git that takes too long is ended") {
  end_of end;
  git_processes all(4, 4);
  auto what = alias("sleep 300", end);
  what.time_max = 1s;
  const auto began = std::chrono::steady_clock::now();
  const auto process = all.start(std::move(what));
  REQUIRE(process);
  CHECK(end.wait().status == 128 + 15);
  CHECK(std::chrono::steady_clock::now() - began < 20s);
}

TEST_CASE("a git that wants more memory than it may have ends and says so") {
  end_of end;
  git_processes all(4, 4);
  auto what = alias("head -c 100M /dev/zero | git hash-object --stdin", end);
  what.memory_bytes_max = 64U << 20U;
  const auto process = all.start(std::move(what));
  REQUIRE(process);
  const auto told = end.wait();
  CHECK(told.status != 0);
  CHECK_THAT(told.complaint, Catch::Contains("Out of memory"));
}

TEST_CASE("programs of git go before the server when memory runs out") {
  end_of end;
  git_processes all(4, 4);
  const auto process = all.start(alias("cat /proc/self/oom_score_adj", end));
  REQUIRE(process);
  CHECK(read_all(process->output.get()) == "1000\n");
}

TEST_CASE("no more of git runs at once than may") {
  end_of first;
  end_of second;
  end_of third;
  git_processes all(2, 2);
  auto one = all.start(alias("sleep 300", first));
  auto two = all.start(alias("sleep 300", second));
  REQUIRE((one && two));
  const auto refused = all.start(alias("true", third));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == messages::errc::unavailable);
  one->stop();
  first.wait();
  CHECK(all.start(alias("true", third)));
}

TEST_CASE("a git whose end could not be seen is not started") {
  end_of late;
  git_processes all(4, 4);
  {
    const tests::few_descriptors left(6);  // its pipes take them
    const auto process = all.start(alias("sleep 300", late));
    REQUIRE_FALSE(process);
    CHECK(process.error().code == messages::errc::io_failed);
  }
  CHECK(all.running() == 0);
  CHECK(all.start(alias("true", late)));
  late.wait();
}

TEST_CASE("who runs as many of git as one may leaves room for others") {
  end_of ends[4];
  git_processes all(4, 2);
  std::vector<git_process> running;
  const auto start = [&](std::int64_t owner) {
    auto what = alias("sleep 300", ends[running.size()]);
    what.owner = owner;
    auto process = all.start(std::move(what));
    if (process) {
      running.push_back(std::move(*process));
    }
    return process ? messages::errc::none : process.error().code;
  };
  CHECK(start(8) == messages::errc::none);
  CHECK(start(8) == messages::errc::none);
  CHECK(start(8) == messages::errc::unavailable);
  CHECK(start(9) == messages::errc::none);
  CHECK(start(0) == messages::errc::none);
  all.stop();
}

TEST_CASE("stopping ends what runs and tells it before it returns") {
  end_of end;
  end_of late;
  auto all = std::make_unique<git_processes>(4, 4);
  const auto process = all->start(alias("sleep 300", end));
  REQUIRE(process);
  all->stop();
  CHECK(end.future.wait_for(0s) == std::future_status::ready);
  CHECK_FALSE(all->start(alias("true", late)));
  all.reset();
}
