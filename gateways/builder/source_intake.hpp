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
#include <string>

namespace slipway::gateways::builder {

/// A source that arrived, and what of it is to be built. The file is the receiver's to remove.
struct taken_source {
  std::string file;
  std::uint64_t bytes = 0;
  messages::build_plan plan;
};

/// Takes sources from clients: the body to disk as it comes, then unpacked, made harmless and read on a pool of its own.
class source_intake {
public:
  struct options {
    std::string folder;  ///< emptied at the start: its files belong to builds of this process
    std::uint64_t body_bytes_max = 4ULL << 30U;
    storage::source_limits limits = {};
    /// Is there room on the disk? Errors: disk_full. Unset = always.
    std::function<messages::result<void>()> room = {};
  };
  /// Bodies that are taken at once; more are refused: too_many_requests.
  static constexpr std::size_t bodies_max = 8;

  /// Errors: io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<source_intake>> open(options o);
  ~source_intake();

  /// Errors: those of the body (413, 408, ...), of `source_tree::receive`, too_many_requests, disk_full.
  [[nodiscard]] runtime::awaitable<messages::result<std::string>> receive(runtime::exchange& x);

  struct planned {
    messages::result<taken_source> source;
    bool is_project_fault =
      false;  ///< the source came whole, but cannot be built: the error is for its author
  };
  /// Reads the file of `receive`, which is gone afterwards.
  [[nodiscard]] runtime::awaitable<planned> plan(std::string body, domain::project_target target);

private:
  explicit source_intake(options o) : o_(std::move(o)) {}
  [[nodiscard]] planned unpack(const std::string& body, const domain::project_target& target);

  options o_;
  std::atomic<std::size_t> bodies_{0};
  boost::asio::thread_pool pool_{2};
};

}  // namespace slipway::gateways::builder
