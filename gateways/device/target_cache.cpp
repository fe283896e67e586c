#include "gateways/device/target_cache.hpp"

#include "domain/numbers.hpp"
#include "domain/target_document.hpp"
#include "gateways/device/target_v2.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways::device {

using messages::entity_kind;
using messages::field;
using messages::value;

namespace {

std::string etag_of(const std::string& body) {
  return "\"" + runtime::sha256_hex(body).substr(0, 32) + "\"";
}

}  // namespace

const target::document& target::v2() const {
  std::call_once(once_, [this] {
    v2_.body = target_v2(body, application);
    v2_.etag = etag_of(v2_.body);
  });
  return v2_;
}

bool target_cache::still_valid(const entry& e) const {
  const auto& t = *e.value;
  return s_->target_changes->read({entity_kind::device, t.device}) == e.device_change
         && s_->target_changes->read({entity_kind::fleet, t.application}) == e.fleet_change
         && std::all_of(e.hosts.begin(), e.hosts.end(), [&](const auto& host) {
              return s_->target_changes->read({entity_kind::fleet, host.first}) == host.second;
            });
}

std::vector<std::int64_t> target_cache::hosts_of(std::int64_t device) const {
  const auto view = s_->store.rows->view();
  const auto row = view->get(domain::numbers::get().device.resource, device);
  return row ? domain::hosts_in_target(*view, *row) : std::vector<std::int64_t>{};
}

target_cache::entry target_cache::compose(const std::string& uuid) const {
  const auto& d = domain::numbers::get().device;
  const auto& a = domain::numbers::get().application;
  const std::array<value, 1> key{uuid};
  for (;;) {
    entry e;
    auto t = std::make_shared<target>();
    {
      const auto view = s_->store.rows->view();
      const auto id = view->first(d.resource, d.uuid, key);
      const auto row = id ? view->get(d.resource, *id) : std::nullopt;
      if (!row) {
        return {};
      }
      t->device = *id;
      t->application = messages::as_int(field(*row, d.belongs_to__application));
    }
    // Clocks before rows: a change in between makes the entry stale, never wrong.
    e.device_change = s_->target_changes->read({entity_kind::device, t->device});
    e.fleet_change = s_->target_changes->read({entity_kind::fleet, t->application});
    const auto hosts = hosts_of(t->device);
    for (const auto host : hosts) {
      e.hosts.emplace_back(host, s_->target_changes->read({entity_kind::fleet, host}));
    }
    const auto view = s_->store.rows->view();
    const auto row = view->get(d.resource, t->device);
    if (
      !row || messages::as_int(field(*row, d.belongs_to__application)) != t->application
      || domain::hosts_in_target(*view, *row) != hosts) {
      continue;  // it moved to another fleet or host just now
    }
    auto body = domain::device_target(*view, t->device);
    if (!body) {
      return {};
    }
    auto apps = hosts;
    apps.push_back(t->application);
    for (const auto app : apps) {
      if (const auto r = view->get(a.resource, app)) {
        t->apps.emplace_back(messages::as_text(field(*r, a.uuid)), app);
      }
    }
    t->frozen = messages::as_bool(field(*row, s_->model->at("device").field("is_frozen")));
    t->poll_ms = domain::poll_interval_ms(*view, *row);
    t->body = std::move(*body);
    t->etag = etag_of(t->body);
    e.value = std::move(t);
    return e;
  }
}

std::shared_ptr<const target> target_cache::find(const std::string& uuid) {
  auto& s = shards_[std::hash<std::string>{}(uuid) % shards_.size()];
  {
    const std::lock_guard lock(s.mutex);
    const auto it = s.entries.find(uuid);
    if (it != s.entries.end()) {
      if (still_valid(it->second)) {
        return it->second.value;
      }
      s.entries.erase(it);
    }
  }
  auto e = compose(uuid);
  if (!e.value) {
    return nullptr;
  }
  const std::lock_guard lock(s.mutex);
  if (s.entries.size() >= entries_max) {
    s.entries.clear();
  }
  auto found = e.value;
  s.entries.insert_or_assign(uuid, std::move(e));
  return found;
}

}  // namespace slipway::gateways::device
