#pragma once

#include "storage/posix_file.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace slipway::gateways::git {

/// A descriptor of the same pipe, for Asio to own.
[[nodiscard]] int copy_of(const storage::unique_fd& fd);

/// Reads what a program writes while something else is waited for, up to a bound: then the program waits. Used on one executor.
class process_output {
public:
  process_output(const boost::asio::any_io_executor& executor, const storage::unique_fd& output);
  ~process_output();

  /// The next bytes. Empty with `over` = nothing will follow; empty without = nothing came for so long.
  struct piece {
    std::string bytes;
    bool over = false;
  };
  [[nodiscard]] boost::asio::awaitable<piece> next(std::chrono::milliseconds patience);

private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace slipway::gateways::git
