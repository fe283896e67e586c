#pragma once

#include "gateways/call_waiter.hpp"
#include "messages/error.hpp"
#include "storage/build_logs.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::gateways::builder {

/// Follows the log of one build: whole lines as they come, in a coroutine.
class build_output {
public:
  build_output(
    boost::asio::any_io_executor executor,
    storage::build_logs& logs,
    std::int64_t release,
    std::uint64_t offset);
  ~build_output();

  /// What is there now, maybe nothing. Errors: those of `build_logs::read`.
  [[nodiscard]] messages::result<storage::build_logs::part> next();
  /// Returns when there may be more, and after `ms` at the latest.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::int64_t ms);

private:
  storage::build_logs& logs_;
  std::int64_t release_;
  std::uint64_t offset_;
  call_waiter waiter_;
  std::shared_ptr<void> following_;
};

/// An element of the array that `balena push` reads.
[[nodiscard]] std::string message_element(std::string_view text, bool replace, bool error);
/// Elements for the lines of a log, each with a comma before it. The last line of a build that was not released is an error.
[[nodiscard]] std::string elements_of(std::string_view lines);

}  // namespace slipway::gateways::builder
