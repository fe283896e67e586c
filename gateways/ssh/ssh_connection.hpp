#pragma once

#include "gateways/ssh/handle.hpp"
#include "gateways/ssh/ssh_program.hpp"
#include "gateways/ssh/ssh_server.hpp"
#include "gateways/ssh/user_keys.hpp"

#include <libssh/callbacks.h>
#include <poll.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

namespace slipway::gateways::ssh {

/// One client from its handshake to its end, on a thread of its own. Inside of ssh_server.
class ssh_connection {
public:
  /// `deadline_ms`: when the server may cut it, on the steady clock; set to 0 while something runs.
  ssh_connection(
    session_handle session,
    std::string peer,
    const ssh_server::options& options,
    user_keys& keys,
    std::atomic<std::int64_t>& deadline_ms);
  ~ssh_connection();
  ssh_connection(const ssh_connection&) = delete;
  ssh_connection& operator=(const ssh_connection&) = delete;

  void run();

private:
  struct channel {
    ssh_channel handle = nullptr;
    std::unique_ptr<ssh::program> program;
    std::string git_protocol;
    std::string pending;      ///< for the program's input
    std::string output;       ///< for the client, from here on
    std::string errors;       ///< for the user; without a program, why
    std::uint64_t taken = 0;  ///< bytes for the program
    bool asked = false;       ///< a command, once
    bool drops = false;       ///< the program reads no more
    bool over = false;        ///< nothing is left to do
  };

  bool shake_hands();
  void serve();
  /// What was given to the library is not out yet.
  [[nodiscard]] bool is_behind() const;
  /// Whether the socket is to be looked at.
  [[nodiscard]] bool wait();
  [[nodiscard]] int offer_key(const char* user, ssh_key key, char state);
  [[nodiscard]] ssh_channel open_channel();
  [[nodiscard]] int exec(ssh_channel handle, std::string command);
  [[nodiscard]] channel* find(ssh_channel handle);
  static void step(channel& c, bool behind);
  static bool take_input(channel& c);
  static bool pump(channel& c, bool is_errors);
  static void say_goodbye(channel& c, int status);

  // Of libssh; `user` is the connection.
  static int on_key(ssh_session, const char* name, ssh_key_struct* key, char state, void* user);
  static ssh_channel on_open(ssh_session, void* user);
  static int on_exec(ssh_session, ssh_channel c, const char* command, void* user);
  static int on_shell(ssh_session, ssh_channel c, void* user);
  static int
  on_variable(ssh_session, ssh_channel c, const char* name, const char* value, void* user);

  const ssh_server::options& options_;
  user_keys& keys_;
  login login_;
  int keys_tried_ = 0;
  std::atomic<std::int64_t>& deadline_ms_;
  ssh_server_callbacks_struct server_callbacks_{};
  ssh_channel_callbacks_struct channel_callbacks_{};
  session_handle session_;
  event_handle event_;
  std::list<channel> channels_;  ///< libssh may open one while another is worked on
};

}  // namespace slipway::gateways::ssh
