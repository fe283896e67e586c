#pragma once

#include "gateways/ssh/ssh_program.hpp"
#include "messages/error.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace slipway::gateways::ssh {

struct ssh_limits {
  std::size_t connections_max = 128;
  std::size_t connections_per_peer_max = 32;
  int login_seconds = 30;  ///< from accept to a key that is accepted
  int keys_tried_max = 20;
  int idle_seconds = 120;  ///< a connection on which nothing runs
  std::size_t channels_max = 8;
};

/// SSH for users whose public keys are registered, whatever user name they give: the key decides. No passwords, no shell, no forwarding: only what
/// `exec` starts (docs/protocols/git.md, ADR 93). A thread per connection.
class ssh_server {
public:
  struct options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;   ///< 0 = any free one
    std::string keys_folder;  ///< host keys are made in it
    storage::store store;
    exec_handler exec;
    std::string greeting;  ///< for who asks for a shell
    ssh_limits limits = {};
  };
  /// Binds. Errors: unavailable (the address, named), io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<ssh_server>> open(options o);
  virtual ~ssh_server() = default;  ///< stops

  virtual void start() = 0;
  /// Cuts all connections, which ends their programs. Blocks.
  virtual void stop() = 0;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

}  // namespace slipway::gateways::ssh
