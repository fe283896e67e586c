#pragma once

#include "domain/project_plan.hpp"
#include "messages/build.hpp"
#include "messages/error.hpp"
#include "runtime/http_server.hpp"
#include "storage/source_tree.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace slipway::gateways::builder {

/// A source that arrived, and what of it is to be built. The file is the receiver's to remove.
struct taken_source {
  std::string file;
  std::uint64_t bytes = 0;
  messages::build_plan plan;
};

/// A body that arrived, in a file that goes with it. Holds its place among those that arrive at once.
class arrived_body {
public:
  arrived_body(std::string file, std::function<void()> leave)
    : file_(std::move(file)), leave_(std::move(leave)) {}
  ~arrived_body();
  arrived_body(const arrived_body&) = delete;
  arrived_body& operator=(const arrived_body&) = delete;
  [[nodiscard]] const std::string& file() const { return file_; }

private:
  std::string file_;
  std::function<void()> leave_;
};

/// Takes sources from clients: the body to disk as it comes, then unpacked, made harmless and read on a pool of its own.
class source_intake {
public:
  struct options {
    std::string folder;  ///< emptied at the start: its files belong to builds of this process
    std::uint64_t body_bytes_max = 4ULL << 30U;
    std::int64_t body_ms_max = 3'600'000;  ///< for all of it
    storage::source_limits limits = {};
    /// Is there room on the disk? Errors: disk_full. Unset = always.
    std::function<messages::result<void>()> room = {};
  };
  /// Bodies that are there at once, until they are unpacked; more are refused: too_many_requests.
  static constexpr std::size_t bodies_max = 16;
  static constexpr std::size_t bodies_of_one_max = 4;

  /// Errors: io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<source_intake>> open(options o);
  ~source_intake();
  /// Ends what is being unpacked. Blocks. Before the HTTP server goes: what requests wait for is told to it.
  void stop();

  using body = std::shared_ptr<arrived_body>;
  /// `actor` sends it. Errors: those of the body (413, 408, ...), too_many_requests, disk_full, io_failed, unavailable (the server stops).
  [[nodiscard]] runtime::awaitable<messages::result<body>> receive(
    runtime::exchange& x,
    std::int64_t actor);

  struct planned {
    messages::result<taken_source> source;
    bool is_project_fault =
      false;  ///< the source came whole, but cannot be built: the error is for its author
  };
  /// Unpacks and reads it. Errors: also those of `source_tree::receive`.
  [[nodiscard]] runtime::awaitable<planned> plan(body from, domain::project_target target);

private:
  explicit source_intake(options o);
  [[nodiscard]] messages::result<void> may_go_on() const;
  [[nodiscard]] messages::result<body> enter(std::int64_t actor);
  void leave(std::int64_t actor);
  [[nodiscard]] planned unpack(const std::string& from, const domain::project_target& target);

  options o_;
  std::mutex mutex_;
  std::size_t bodies_ = 0;
  std::unordered_map<std::int64_t, std::size_t> by_actor_;
  std::atomic<bool> stopping_{false};
  boost::asio::thread_pool pool_{2};
};

}  // namespace slipway::gateways::builder
