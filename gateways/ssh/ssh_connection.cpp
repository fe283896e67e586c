#include "gateways/ssh/ssh_connection.hpp"

#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace slipway::gateways::ssh {

namespace {

constexpr int wait_ms_max = 1000;
constexpr std::size_t piece_bytes = 32 * 1024;
constexpr int pieces_per_step = 4;
/// While keys are exchanged the library takes nothing, and does not say when it does again.
constexpr int retry_ms = 20;
constexpr int refused_status = 1;
constexpr std::size_t command_bytes_max = 4096;

std::int64_t from_now(int seconds) {
  return runtime::steady_ms() + std::int64_t{seconds} * 1000;
}

}  // namespace

ssh_connection::ssh_connection(
  session_handle session,
  std::string peer,
  const ssh_server::options& options,
  user_keys& keys,
  std::atomic<std::int64_t>& deadline_ms)
  : options_(options), keys_(keys), deadline_ms_(deadline_ms), session_(std::move(session)) {
  login_.peer = std::move(peer);
  ssh_callbacks_init(&server_callbacks_);
  server_callbacks_.userdata = this;
  server_callbacks_.auth_pubkey_function = on_key;
  server_callbacks_.channel_open_request_session_function = on_open;
  ssh_callbacks_init(&channel_callbacks_);
  channel_callbacks_.userdata = this;
  channel_callbacks_.channel_exec_request_function = on_exec;
  channel_callbacks_.channel_shell_request_function = on_shell;
  channel_callbacks_.channel_env_request_function = on_variable;
}

ssh_connection::~ssh_connection() {
  channels_.clear();  // programs end before the connection does
  if (event_) {
    ssh_event_remove_session(event_.get(), session_.get());
  }
  ssh_disconnect(session_.get());
}

void ssh_connection::run() {
  if (shake_hands()) {
    serve();
  }
}

bool ssh_connection::shake_hands() {
  ssh_set_server_callbacks(session_.get(), &server_callbacks_);
  ssh_set_auth_methods(session_.get(), SSH_AUTH_METHOD_PUBLICKEY);
  // Blocks; whoever takes too long is cut by the server.
  if (ssh_handle_key_exchange(session_.get()) != SSH_OK) {
    return false;
  }
  event_.reset(ssh_event_new());
  if (!event_ || ssh_event_add_session(event_.get(), session_.get()) != SSH_OK) {
    return false;
  }
  while (!login_.who) {
    const bool open = ssh_event_dopoll(event_.get(), wait_ms_max) != SSH_ERROR;
    if (!open || keys_tried_ > options_.limits.keys_tried_max) {
      return false;
    }
  }
  return true;
}

int ssh_connection::offer_key(const char* user, ssh_key key, char state) {
  if (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID) {
    return SSH_AUTH_DENIED;
  }
  if (++keys_tried_ > options_.limits.keys_tried_max) {
    return SSH_AUTH_DENIED;
  }
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) {
    return SSH_AUTH_DENIED;
  }
  auto blob = runtime::base64_decode(text);
  ssh_string_free_char(text);
  const auto owner = keys_.find(blob);
  if (!owner) {
    return SSH_AUTH_DENIED;
  }
  if (state == SSH_PUBLICKEY_STATE_VALID) {
    login_.user_name = user;
    login_.who = [k = &keys_, o = *owner, b = std::move(blob)] { return k->admit(o, b); };
  }
  return SSH_AUTH_SUCCESS;
}

ssh_channel ssh_connection::open_channel() {
  if (!login_.who || channels_.size() >= options_.limits.channels_max) {
    return nullptr;
  }
  auto* made = ssh_channel_new(session_.get());
  if (made != nullptr) {
    ssh_set_channel_callbacks(made, &channel_callbacks_);
    channels_.emplace_back().handle = made;
  }
  return made;
}

ssh_connection::channel* ssh_connection::find(ssh_channel handle) {
  const auto it = std::find_if(channels_.begin(), channels_.end(), [handle](const auto& c) {
    return c.handle == handle;
  });
  return it != channels_.end() ? &*it : nullptr;
}

int ssh_connection::exec(ssh_channel handle, std::string command) {
  auto* c = find(handle);
  if (c == nullptr || c->asked || command.size() > command_bytes_max) {
    return SSH_ERROR;
  }
  c->asked = true;
  auto started = options_.exec({login_, std::move(command), c->git_protocol});
  if (started) {
    c->program = std::move(*started);
    c->errors = std::move(c->program->remark);
  } else {
    c->errors = "slipway: " + started.error().detail + "\n";
  }
  return SSH_OK;
}

void ssh_connection::say_goodbye(channel& c, int status) {
  ssh_channel_request_send_exit_status(c.handle, status);
  ssh_channel_send_eof(c.handle);
  ssh_channel_close(c.handle);
  c.over = true;
}

/// From the client to the program; false when there was nothing to do.
bool ssh_connection::take_input(channel& c) {
  if (!c.program) {
    return false;
  }
  if (c.pending.empty()) {
    char bytes[piece_bytes];
    const int n = ssh_channel_read_nonblocking(c.handle, bytes, sizeof bytes, 0);
    if (n <= 0) {
      if (n == SSH_EOF || ssh_channel_is_eof(c.handle) != 0) {
        c.program->input.reset();
      }
      return false;
    }
    if (c.drops || !c.program->input) {
      return true;
    }
    c.pending.assign(bytes, static_cast<std::size_t>(n));
    c.taken += c.pending.size();
    if (c.taken > c.program->input_bytes_max) {
      c.program.reset();
      c.errors = "slipway: the request is larger than may be\n";
      return false;
    }
  }
  const auto n = ::write(c.program->input.get(), c.pending.data(), c.pending.size());
  if (n > 0) {
    c.pending.erase(0, static_cast<std::size_t>(n));
    return c.pending.empty();
  }
  if (errno != EAGAIN && errno != EINTR) {
    c.drops = true;
    c.pending.clear();
  }
  return false;
}

bool ssh_connection::is_behind() const {
  return (static_cast<unsigned>(ssh_get_poll_flags(session_.get()))
          & static_cast<unsigned>(SSH_WRITE_PENDING))
         != 0;
}

/// From the program to the client, no more than the client has room for; false when there was nothing to do.
bool ssh_connection::pump(channel& c, bool is_errors) {
  auto& held = is_errors ? c.errors : c.output;
  const std::size_t room = ssh_channel_window_size(c.handle);
  if (c.over || room == 0) {
    return false;
  }
  if (held.empty() && c.program) {
    auto& from = is_errors ? c.program->errors : c.program->output;
    char bytes[piece_bytes];
    const auto n = from ? ::read(from.get(), bytes, std::min(sizeof bytes, room)) : -1;
    if (from && (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))) {
      from.reset();
    }
    held.assign(bytes, static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  }
  if (held.empty()) {
    return false;
  }
  const auto size = static_cast<std::uint32_t>(std::min(held.size(), room));
  const int sent = is_errors ? ssh_channel_write_stderr(c.handle, held.data(), size)
                             : ssh_channel_write(c.handle, held.data(), size);
  if (sent < 0) {
    c.over = true;  // the client is gone
    return false;
  }
  held.erase(0, static_cast<std::size_t>(sent));
  return held.empty();
}

void ssh_connection::step(channel& c, bool behind) {
  if (ssh_channel_is_closed(c.handle) != 0) {
    c.over = true;
    return;
  }
  if (!c.asked) {
    return;
  }
  bool more = true;
  for (int i = 0; more && i < pieces_per_step; ++i) {
    more = take_input(c);
    // The library would keep in memory what the client does not read.
    more = (!behind && pump(c, false)) || more;
    more = (!behind && pump(c, true)) || more;
  }
  if (c.over || !c.output.empty() || !c.errors.empty()) {
    return;
  }
  const auto status = c.program ? c.program->status() : refused_status;
  if (status && (!c.program || (!c.program->output && !c.program->errors))) {
    say_goodbye(c, *status);
  }
}

bool ssh_connection::wait() {
  // As long as the client does not read, it is not listened to either: answers to what it asks would be kept in memory, too.
  const bool behind = is_behind();
  std::vector<pollfd> waits{
    {ssh_get_fd(session_.get()), static_cast<short>(behind ? POLLOUT : POLLIN), 0}};
  const auto add = [&waits](int fd, short events) {
    if (fd >= 0) {
      waits.push_back({fd, events, 0});
    }
  };
  int patience_ms = wait_ms_max;
  for (const auto& c : channels_) {
    const bool room = !behind && ssh_channel_window_size(c.handle) > 0;
    if (room && !(c.output.empty() && c.errors.empty())) {
      patience_ms = retry_ms;
    }
    if (!c.program) {
      continue;
    }
    add(room && c.output.empty() ? c.program->output.get() : -1, POLLIN);
    add(room && c.errors.empty() ? c.program->errors.get() : -1, POLLIN);
    add(c.pending.empty() ? -1 : c.program->input.get(), POLLOUT);
    add(c.program->status() ? -1 : c.program->over(), POLLIN);
  }
  const int ready = ::poll(waits.data(), waits.size(), patience_ms);
  return ready > 0 && waits[0].revents != 0;
}

void ssh_connection::serve() {
  ssh_set_blocking(session_.get(), 0);
  bool ran = true;
  while (ssh_is_connected(session_.get()) != 0) {
    // What runs has its own limits of time; what it left behind has the connection's.
    const bool runs = std::any_of(channels_.begin(), channels_.end(), [](const auto& c) {
      return c.program && !c.program->status();
    });
    if (runs || ran) {
      deadline_ms_ = runs ? 0 : from_now(options_.limits.idle_seconds);
    }
    ran = runs;
    if (wait() && ssh_event_dopoll(event_.get(), 0) == SSH_ERROR) {
      return;
    }
    const bool behind = is_behind();
    for (auto& c : channels_) {
      step(c, behind);
    }
    for (auto it = channels_.begin(); it != channels_.end();) {
      if (it->over) {
        it->program.reset();
        ssh_remove_channel_callbacks(it->handle, &channel_callbacks_);
        ssh_channel_free(it->handle);
        it = channels_.erase(it);
      } else {
        ++it;
      }
    }
  }
}

int ssh_connection::on_key(
  ssh_session,
  const char* name,
  ssh_key_struct* key,
  char state,
  void* user) {
  return static_cast<ssh_connection*>(user)->offer_key(name, key, state);
}

ssh_channel ssh_connection::on_open(ssh_session, void* user) {
  return static_cast<ssh_connection*>(user)->open_channel();
}

int ssh_connection::on_exec(ssh_session, ssh_channel c, const char* command, void* user) {
  return static_cast<ssh_connection*>(user)->exec(c, command);
}

int ssh_connection::on_shell(ssh_session, ssh_channel handle, void* user) {
  auto& self = *static_cast<ssh_connection*>(user);
  auto* c = self.find(handle);
  if (c == nullptr || c->asked) {
    return SSH_ERROR;
  }
  c->asked = true;
  c->errors = self.options_.greeting + "\n";
  return SSH_OK;
}

int ssh_connection::on_variable(
  ssh_session,
  ssh_channel handle,
  const char* name,
  const char* value,
  void* user) {
  auto* c = static_cast<ssh_connection*>(user)->find(handle);
  if (c == nullptr || std::string_view(name) != "GIT_PROTOCOL") {
    return SSH_ERROR;
  }
  c->git_protocol = value;
  return SSH_OK;
}

}  // namespace slipway::gateways::ssh
