#pragma once

#include "messages/error.hpp"
#include "storage/posix_file.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace slipway::gateways::git {

class git_processes;

/// How a program of git ended.
struct git_end {
  int status = 0;  ///< exit code; 128 + signal when killed
  std::string complaint =
    {};  ///< the last it wrote to its standard error, if that was not handed out
};

/// What to run.
struct git_start {
  std::vector<std::string> arguments;         ///< behind `git`
  std::vector<std::string> environment = {};  ///< `NAME=value`, beside what every git gets
  std::chrono::seconds time_max = std::chrono::hours(1);
  /// What each of its processes may allocate; packs that it maps do not count. Twelve million objects fit, and two versions of a file of 1 GiB.
  std::uint64_t memory_bytes_max = 3ULL << 30U;
  int nice = 0;
  std::int64_t owner = 0;        ///< who wants it, one of many; 0 = the server
  bool hand_out_errors = false;  ///< else what it says is kept for `ended`
  /// Called once, on the keeper's thread, when the process and all that it started are gone. It must not block for long.
  std::function<void(const git_end&)> ended = {};
};

/// A program that runs. Destroying this ends it.
class git_process {
public:
  git_process() = default;
  git_process(git_process&& other) noexcept;
  git_process& operator=(git_process&& other) noexcept;
  git_process(const git_process&) = delete;
  git_process& operator=(const git_process&) = delete;
  ~git_process();

  // Our ends of its pipes; they do not block.
  storage::unique_fd input;
  storage::unique_fd output;
  storage::unique_fd errors;  ///< only with `hand_out_errors`

  /// Asks it to end, which takes its half-received objects away, and kills it 2 s later. Whoever waits for `ended` still gets it.
  void stop();

private:
  friend class git_processes;
  std::weak_ptr<void> keeper_;
  std::uint64_t number_ = 0;
};

/// Runs git and waits for it: one thread that starts nothing and forgets nobody. Programs get a clean environment (no configuration of the
/// machine or a user), a process group of their own, and end with this server. When the machine
/// runs out of memory they go first.
class git_processes {
public:
  /// More than `running_max` at once are refused, and of one owner more than `of_owner_max`.
  git_processes(std::size_t running_max, std::size_t of_owner_max);
  /// Ends all of them and waits for that.
  ~git_processes();
  git_processes(const git_processes&) = delete;
  git_processes& operator=(const git_processes&) = delete;

  /// Errors: unavailable (too many, of this owner or at all), io_failed. `ended` is called only if it succeeds.
  [[nodiscard]] messages::result<git_process> start(git_start what);
  [[nodiscard]] std::size_t running() const;
  /// As the destructor does.
  void stop();

private:
  friend class git_process;
  struct keeper;
  std::shared_ptr<keeper> keeper_;
};

}  // namespace slipway::gateways::git
