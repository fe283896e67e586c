#include "actors/notifier.hpp"

#include "actors/log_follower.hpp"
#include "domain/access.hpp"
#include "domain/effects.hpp"
#include "domain/numbers.hpp"
#include "runtime/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <algorithm>
#include <optional>

namespace slipway::actors {
namespace {

using domain::numbers::get;
using messages::as_text;
using messages::event;
using messages::event_type;
using messages::field;
using messages::log_record;

/// An update that was not delivered by then is found by the next poll.
constexpr std::int64_t update_expires_after_ms = 24 * 3600 * 1000;

struct notifier_state {
  static inline const char* name = "notifier";
  caf::event_based_actor* self = nullptr;
  storage::store store;
  overlay_port port;
  std::optional<log_follower> follower;
  std::uint64_t next_notice = 0;
  std::vector<std::int64_t> to_notify;
  std::vector<std::int64_t> to_revoke;
  std::vector<std::int64_t> to_admit;

  void take(const record_batch& batch);
  void look_at(const log_record& r, const storage::read_view& view);
  void look_at_keys(const messages::entity_ref& of, const event& e);
  void tell(const storage::read_view& view);
};

void notifier_state::look_at_keys(const messages::entity_ref& of, const event& e) {
  const auto& d = get().device;
  if (e.resource == get().api_key.resource && of.kind == messages::entity_kind::device) {
    to_admit.push_back(of.id);
  }
  if (e.resource != d.resource) {
    return;
  }
  if (e.type == event_type::row_removed) {
    to_revoke.push_back(e.id);
    return;
  }
  const bool key = std::any_of(e.values.begin(), e.values.end(), [&](const auto& v) {
    return v.field == d.overlay_public_key;
  });
  if (key) {
    to_admit.push_back(e.id);
  }
}

void notifier_state::look_at(const log_record& r, const storage::read_view& view) {
  for (const auto& e : r.commit.events) {
    look_at_keys(r.commit.entity, e);
  }
  const auto devices = domain::devices_to_notify(r.commit, view);
  to_notify.insert(to_notify.end(), devices.begin(), devices.end());
}

void notifier_state::tell(const storage::read_view& view) {
  const auto& d = get().device;
  std::vector<messages::admitted_device> admitted;
  std::sort(to_admit.begin(), to_admit.end());
  to_admit.erase(std::unique(to_admit.begin(), to_admit.end()), to_admit.end());
  for (const auto id : to_admit) {
    const auto row = view.get(d.resource, id);
    const auto key = row ? domain::overlay_key_of(*row, view) : std::string();
    if (key.empty()) {
      to_revoke.push_back(id);
    } else {
      admitted.push_back({id, as_text(field(*row, d.uuid)), key});
    }
  }
  if (!admitted.empty()) {
    port.admit(std::move(admitted));
  }
  if (!to_revoke.empty()) {
    port.revoke(to_revoke);
  }
  if (!to_notify.empty()) {
    std::sort(to_notify.begin(), to_notify.end());
    to_notify.erase(std::unique(to_notify.begin(), to_notify.end()), to_notify.end());
    messages::send_notice n;
    n.notice.id = ++next_notice;
    n.notice.kind = messages::notice_kind::update;
    n.notice.expires = port.now() + update_expires_after_ms;
    n.devices = std::move(to_notify);
    port.notify(std::move(n));
  }
  to_admit.clear();
  to_revoke.clear();
  to_notify.clear();
}

void notifier_state::take(const record_batch& batch) {
  const auto view = store.rows->view();
  const auto ok = follower->take(*batch, [&](const log_record& r) { look_at(r, *view); });
  if (!ok) {
    runtime::log::error("notifier cannot read the log", {{"reason", ok.error().detail}});
  }
  tell(*view);
}

caf::behavior notifier(
  caf::stateful_actor<notifier_state>* self,
  const journal_actor& journal,
  storage::store store,
  overlay_port port) {
  auto& s = self->state;
  s.self = self;
  s.store = std::move(store);
  s.port = std::move(port);
  // Ids grow over restarts, so that a device can tell a new notice from one that it has seen.
  s.next_notice = static_cast<std::uint64_t>(s.port.now()) << 16U;
  s.follower.emplace(s.store.log, s.store.log->last());
  caf::anon_send(journal, tail_atom::value, caf::actor_cast<caf::actor>(self));
  self->set_default_handler(caf::drop);
  return {
    [self](const record_batch& batch) { self->state.take(batch); },
  };
}

}  // namespace

caf::actor spawn_notifier(
  caf::actor_system& system,
  const journal_actor& journal,
  storage::store store,
  overlay_port port) {
  return system.spawn(notifier, journal, std::move(store), std::move(port));
}

std::vector<messages::admitted_device> admitted_devices(const storage::read_model& rows) {
  const auto& d = get().device;
  std::vector<messages::admitted_device> found;
  const auto view = rows.view();
  view->scan(d.resource, 0, [&](const messages::row& r) {
    auto key = domain::overlay_key_of(r, *view);
    if (!key.empty()) {
      found.push_back({messages::id_of(r), as_text(field(r, d.uuid)), std::move(key)});
    }
    return true;
  });
  return found;
}

std::vector<online_device> online_devices(const storage::read_model& rows) {
  const auto& d = get().device;
  std::vector<online_device> found;
  const auto view = rows.view();
  view->scan(d.resource, 0, [&](const messages::row& r) {
    if (messages::as_bool(field(r, d.is_connected_to_vpn))) {
      found.push_back(
        {messages::id_of(r),
         messages::as_int(field(r, d.presence_edge)),
         static_cast<std::uint64_t>(messages::as_int(field(r, d.presence_epoch)))});
    }
    return true;
  });
  return found;
}

}  // namespace slipway::actors
