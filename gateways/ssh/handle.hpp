#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <memory>

/// Owned objects of libssh; nothing outside gateways/ssh includes this.
namespace slipway::gateways::ssh {

struct free_bind {
  void operator()(ssh_bind b) const { ssh_bind_free(b); }
};
struct free_session {
  void operator()(ssh_session s) const { ssh_free(s); }
};
struct free_event {
  void operator()(ssh_event e) const { ssh_event_free(e); }
};
struct free_key {
  void operator()(ssh_key k) const { ssh_key_free(k); }
};
using bind_handle = std::unique_ptr<ssh_bind_struct, free_bind>;
using session_handle = std::unique_ptr<ssh_session_struct, free_session>;
using event_handle = std::unique_ptr<ssh_event_struct, free_event>;
using key_handle = std::unique_ptr<ssh_key_struct, free_key>;

}  // namespace slipway::gateways::ssh
