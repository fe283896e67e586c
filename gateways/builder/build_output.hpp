#pragma once

#include "gateways/call_waiter.hpp"
#include "messages/error.hpp"
#include "storage/build_logs.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways::builder {

/// Follows the log of one build: whole lines as they come, in a coroutine.
class build_output {
public:
  /// How a build ended, nothing as long as it has not.
  using ending = std::function<std::optional<std::string>()>;

  build_output(
    boost::asio::any_io_executor executor,
    storage::build_logs& logs,
    std::int64_t release,
    std::uint64_t offset,
    ending ended);
  ~build_output();

  /// What is there now, maybe nothing. The build is the truth about its end, not the log, whose last line may be missing: it is made up then.
  /// Errors: those of `build_logs::read`.
  [[nodiscard]] messages::result<storage::build_logs::part> next();
  /// Returns when there may be more, and after `ms` at the latest.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::int64_t ms);
  /// True once in a while of silence: what is between here and the client takes a silent connection for a dead one.
  [[nodiscard]] bool needs_sign_of_life();

private:
  void end_without_line(storage::build_logs::part& part);

  storage::build_logs& logs_;
  std::int64_t release_;
  std::uint64_t offset_;
  call_waiter waiter_;
  std::shared_ptr<void> following_;
  ending ended_;
  std::int64_t ended_at_ = 0;  ///< when an end without its line was first seen
  bool end_told_ = false;
  std::int64_t spoke_at_;
};

/// An element of the array that `balena push` reads.
[[nodiscard]] std::string message_element(std::string_view text, bool replace, bool error);
/// Elements for the lines of a log, each with a comma before it. The last line of a build that was not released is an error.
[[nodiscard]] std::string elements_of(std::string_view lines);

}  // namespace slipway::gateways::builder
