#pragma once

#include "messages/error.hpp"
#include "messages/requester.hpp"
#include "storage/posix_file.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

/// What runs behind a channel of SSH: the seam between the server, which knows the protocol, and what it is good for.
namespace slipway::gateways::ssh {

/// Who logged in with a key.
struct login {
  std::string user_name;  ///< as the client gave it; says nothing of who it is
  std::string peer;       ///< address
  /// The user whose key it is, by the rows as they are. Any thread. Errors: unauthorized.
  std::function<messages::result<messages::requester>()> who;
};

/// A program, or whatever looks like one: three byte streams and an end. Used by one thread; destroying it ends it.
class program {
public:
  program() = default;
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  virtual ~program() = default;

  // Our ends; they do not block.
  storage::unique_fd input;
  storage::unique_fd output;
  storage::unique_fd errors;
  std::string remark;                          ///< for the user, before anything else
  std::uint64_t input_bytes_max = UINT64_MAX;  ///< with more it is ended

  /// A descriptor that is readable once it is over.
  [[nodiscard]] virtual int over() const = 0;
  /// Its exit code, once it is over.
  [[nodiscard]] virtual std::optional<int> status() const = 0;
};

struct exec_request {
  const login& by;
  std::string command;
  std::string git_protocol;  ///< what the client set GIT_PROTOCOL to
};
/// Starts what a client asks for. Called on the connection's thread. The detail of an error is told to the user.
using exec_handler =
  std::function<messages::result<std::unique_ptr<program>>(const exec_request& r)>;

}  // namespace slipway::gateways::ssh
