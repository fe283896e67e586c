#include "actors/device_session.hpp"
#include "actors/device_session_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <unordered_map>

namespace slipway::actors {
namespace {

class session_host final : public runtime::session_host {
public:
  session_host(caf::actor_system& system, runtime::session_port& port)
    : system_(system), port_(port) {}

  ~session_host() override {
    for (auto& [device, s] : sessions_) {
      caf::anon_send_exit(s.actor, caf::exit_reason::user_shutdown);
    }
  }

  void hello(runtime::session_hello h) override {
    auto& s = find_or_spawn(h.device);
    tell(s, std::move(h));
  }

  void acked(std::int64_t device, std::vector<std::uint64_t> ids, std::int64_t time) override {
    tell_if_there(device, session_acked{std::move(ids), time});
  }

  void gone(std::int64_t device, std::uint64_t connection, std::int64_t time) override {
    tell_if_there(device, session_gone{connection, time});
  }

  void notify(
    std::shared_ptr<const runtime::prepared_notice> notice,
    const std::vector<std::int64_t>& devices,
    std::int64_t time) override {
    // Devices without a session would drop an update at once: do not wake 100,000 actors for that.
    const bool only_present = notice->kind == messages::notice_kind::update;
    // One message object for all receivers: copying it only counts a reference.
    const auto shared = caf::make_message(session_notify{std::move(notice), time});
    for (const auto device : devices) {
      const auto it = sessions_.find(device);
      if (it == sessions_.end() && only_present) {
        continue;
      }
      auto& s = it == sessions_.end() ? find_or_spawn(device) : it->second;
      ++s.sent;
      caf::anon_send(s.actor, shared);
    }
  }

  void cancel(std::uint64_t notice, const std::vector<std::int64_t>& devices) override {
    for (const auto device : devices) {
      tell_if_there(device, session_cancel{notice});
    }
  }

  void forget(std::int64_t device) override { tell_if_there(device, session_forget{}); }

  void announce() override { tell_all(caf::make_message(session_announce{})); }

  void tick(std::int64_t time) override { tell_all(caf::make_message(session_tick{time})); }

  void idle(std::int64_t device, std::uint64_t received) override {
    const auto it = sessions_.find(device);
    if (it != sessions_.end() && it->second.sent == received) {
      caf::anon_send_exit(it->second.actor, caf::exit_reason::normal);
      sessions_.erase(it);
    }
  }

private:
  struct session {
    caf::actor actor;
    std::uint64_t sent = 0;
  };

  session& find_or_spawn(std::int64_t device) {
    auto& s = sessions_[device];
    if (!s.actor) {
      s.actor = system_.spawn(device_session, &port_, device);
    }
    return s;
  }

  template <class T>
  void tell(session& s, T message) {
    ++s.sent;
    caf::anon_send(s.actor, std::move(message));
  }

  template <class T>
  void tell_if_there(std::int64_t device, T message) {
    if (const auto it = sessions_.find(device); it != sessions_.end()) {
      tell(it->second, std::move(message));
    }
  }

  void tell_all(const caf::message& shared) {
    for (auto& [device, s] : sessions_) {
      ++s.sent;
      caf::anon_send(s.actor, shared);
    }
  }

  caf::actor_system& system_;
  runtime::session_port& port_;
  std::unordered_map<std::int64_t, session> sessions_;
};

}  // namespace

std::unique_ptr<runtime::session_host> make_session_host(
  caf::actor_system& system,
  runtime::session_port& port) {
  return std::make_unique<session_host>(system, port);
}

}  // namespace slipway::actors
