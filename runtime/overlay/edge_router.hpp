#pragma once

#include "messages/edge_bus.hpp"
#include "runtime/overlay/edge_config.hpp"
#include "runtime/overlay/session_host.hpp"

#include <functional>
#include <memory>
#include <string>

namespace slipway::runtime {

/// The edge's socket: one thread that owns the ROUTER, its monitor and the admission of keys. It knows connections; sessions
/// live in a `session_host`. The rules against stolen identities are ADR 40's.
class edge_router : public session_port {
public:
  /// Sealed messages for the core. False when they cannot go out now: presence is announced again on `core_up`.
  using to_core_function = std::function<bool(std::string)>;

  edge_router(edge_config config, to_core_function to_core);
  ~edge_router() override;  ///< stops
  edge_router(const edge_router&) = delete;
  edge_router& operator=(const edge_router&) = delete;

  /// Binds and starts. `host` outlives this. Errors: unavailable (address in use), invalid_argument.
  [[nodiscard]] messages::result<void> start(session_host& host);
  /// As bound, with the real port.
  [[nodiscard]] std::string endpoint() const;
  [[nodiscard]] std::uint64_t epoch_start() const;

  /// A message from the core. Any thread.
  void deliver(messages::envelope e);
  /// The bus is connected anew. Any thread.
  void core_up();
  /// Says bye to all sessions and ends the thread. Blocks.
  void stop();

  void send(std::uint64_t connection, shared_frame frame) override;
  void presence(messages::presence_entry entry) override;
  void acked(messages::acked_notice notice) override;
  void notices_dropped(std::uint64_t count) override;
  void idle(std::int64_t device, std::uint64_t received) override;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
