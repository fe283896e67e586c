#pragma once

#include "messages/error.hpp"

#include <functional>
#include <memory>
#include <string>

namespace slipway::runtime {

constexpr std::size_t admin_message_bytes_max = 64U * 1024;
/// A command may hash a password and wait for the log.
constexpr int admin_answer_seconds = 30;

/// Where the operator's commands reach a running server: a unix socket in the data folder, for its own user and root only. One request
/// and one answer per connection, each a line of JSON; one connection at a time, on a thread of its own.
class admin_socket {
public:
  /// `handle` gets the request's line and answers one. Errors name what failed. The folder must not be served by another process.
  [[nodiscard]] static messages::result<std::unique_ptr<admin_socket>> open(
    const std::string& data_dir,
    std::function<std::string(std::string)> handle);
  ~admin_socket();  ///< stops the thread and removes the socket
  admin_socket(const admin_socket&) = delete;
  admin_socket& operator=(const admin_socket&) = delete;

private:
  struct impl;
  explicit admin_socket(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

/// Asks the server that has this folder open. Errors: unavailable (none has), timed_out, io_failed.
[[nodiscard]] messages::result<std::string> ask_admin_socket(
  const std::string& data_dir,
  const std::string& line);

}  // namespace slipway::runtime
