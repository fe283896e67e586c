#include "actors/notifier.hpp"

#include "domain/numbers.hpp"
#include "tests/support/server_world.hpp"

using namespace slipway;
using domain::numbers::get;
using messages::entity_kind;
using messages::event;
using messages::event_type;

namespace {

constexpr std::int64_t fleet = 64 + 3, one = 128 + 3, two = 192 + 3, elsewhere = 256 + 3;

struct world {
  tests::server_world w;
  std::vector<messages::admitted_device> admitted;
  std::vector<std::int64_t> revoked;
  std::vector<messages::send_notice> notices;
  std::vector<messages::log_record> unsent;
  caf::actor notifier;

  world() {
    const auto& a = get().application;
    write(
      {entity_kind::fleet, fleet},
      {{event_type::row_created, a.resource, fleet, {{a.app_name, "cars"}}}});
    given_device(one, fleet);
    given_device(two, fleet);
    given_device(elsewhere, 64 * 9 + 3);
    actors::overlay_port port;
    port.admit = [this](auto d) { admitted.insert(admitted.end(), d.begin(), d.end()); };
    port.revoke = [this](auto d) { revoked.insert(revoked.end(), d.begin(), d.end()); };
    port.notify = [this](auto n) { notices.push_back(std::move(n)); };
    port.now = [] { return std::int64_t{1'700'000'000'000}; };
    notifier = actors::spawn_notifier(w.system(), w.journal_handle(), w.stored.store, port);
    w.run();
    unsent.clear();
  }
  ~world() {
    caf::anon_send_exit(notifier, caf::exit_reason::user_shutdown);
    w.run();
  }
  void given_device(std::int64_t id, std::int64_t in) {
    const auto& d = get().device;
    write(
      {entity_kind::device, id},
      {{event_type::row_created,
        d.resource,
        id,
        {{d.uuid, "uuid" + std::to_string(id)}, {d.belongs_to__application, in}}}});
  }
  void write(messages::entity_ref entity, std::vector<event> events) {
    messages::commit c;
    c.entity = entity;
    c.expected_version = messages::any_version;
    c.events = std::move(events);
    const auto done = w.stored.store.log->append({&c, 1}).at(0);
    REQUIRE(done);
    unsent.push_back({done->position, done->version, c});
  }
  void change_device(std::int64_t id, std::uint16_t field, messages::value v) {
    write(
      {entity_kind::device, id},
      {{event_type::row_changed, get().device.resource, id, {{field, std::move(v)}}}});
  }
  /// Answers its row.
  std::int64_t give_api_key(std::int64_t device) {
    const auto& k = get().api_key;
    const auto id = w.stored.store.log->next_id(3);
    change_device(device, get().device.actor, device + 1'000'000);
    write(
      {entity_kind::device, device},
      {{event_type::row_created,
        k.resource,
        id,
        {{k.is_of__actor, device + 1'000'000}, {k.key, "hash" + std::to_string(id)}}}});
    return id;
  }
  void give_variable(messages::entity_ref entity, std::uint16_t resource, std::int64_t parent) {
    write(
      entity,
      {{event_type::row_created,
        resource,
        w.stored.store.log->next_id(3),
        {{3, parent}, {4, "A"}, {5, "1"}}}});
  }
  /// The journal tells of what was written since.
  void tell() {
    REQUIRE(w.journal.subscribers.size() == 1);
    const actors::record_batch batch =
      std::make_shared<const std::vector<messages::log_record>>(std::move(unsent));
    unsent.clear();
    caf::anon_send(w.journal.subscribers[0], batch);
    w.run();
  }
};

using ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a device's new overlay key is admitted, a removed key and a removed device are cut") {
  world o;
  o.give_api_key(one);
  o.give_api_key(two);
  o.change_device(one, get().device.overlay_public_key, std::string(40, 'k'));
  o.tell();
  o.revoked.clear();
  REQUIRE(o.admitted.size() == 1);
  CHECK(
    o.admitted[0]
    == messages::admitted_device{one, "uuid" + std::to_string(one), std::string(40, 'k')});
  CHECK(o.revoked.empty());
  o.change_device(one, get().device.overlay_public_key, messages::null{});
  o.tell();
  CHECK(o.revoked == ids{one});
  o.write({entity_kind::device, two}, {{event_type::row_removed, get().device.resource, two, {}}});
  o.tell();
  CHECK(o.revoked == ids{one, two});
  CHECK(o.admitted.size() == 1);
}

TEST_CASE("a device whose last API key was revoked is cut, and let in again with a new one") {
  world o;
  const auto first = o.give_api_key(one);
  const auto second = o.give_api_key(one);
  o.change_device(one, get().device.overlay_public_key, std::string(40, 'k'));
  o.tell();
  const auto& k = get().api_key;
  o.write({entity_kind::device, one}, {{event_type::row_removed, k.resource, first, {}}});
  o.tell();
  CHECK(o.revoked.empty());
  o.write({entity_kind::device, one}, {{event_type::row_removed, k.resource, second, {}}});
  o.tell();
  CHECK(o.revoked == ids{one});
  CHECK(actors::admitted_devices(*o.w.stored.store.rows).empty());
  o.admitted.clear();
  o.give_api_key(one);
  o.tell();
  CHECK(o.admitted.size() == 1);
}

TEST_CASE("a fleet's variable becomes one notice for all its devices") {
  world o;
  o.give_variable(
    {entity_kind::fleet, fleet},
    get().application_environment_variable.resource,
    fleet);
  o.tell();
  REQUIRE(o.notices.size() == 1);
  CHECK(o.notices[0].devices == ids{one, two});
  CHECK(o.notices[0].notice.kind == messages::notice_kind::update);
  CHECK(o.notices[0].notice.expires > 1'700'000'000'000);
}

TEST_CASE("changes of one batch become one notice that names each device once") {
  world o;
  o.give_variable({entity_kind::device, one}, get().device_environment_variable.resource, one);
  o.change_device(one, get().device.device_name, "kitchen");
  o.give_variable(
    {entity_kind::fleet, fleet},
    get().application_environment_variable.resource,
    fleet);
  o.tell();
  REQUIRE(o.notices.size() == 1);
  CHECK(o.notices[0].devices == ids{one, two});
}

TEST_CASE("notices have growing ids and nobody is told of what changes no target") {
  world o;
  o.change_device(one, get().device.device_name, "kitchen");
  o.tell();
  o.change_device(one, get().device.status, "Idle");
  o.tell();
  o.change_device(two, get().device.device_name, "cellar");
  o.tell();
  REQUIRE(o.notices.size() == 2);
  CHECK(o.notices[0].notice.id < o.notices[1].notice.id);
}

TEST_CASE("what was in a batch that the notifier missed is told with the next") {
  world o;
  o.change_device(one, get().device.device_name, "kitchen");
  o.unsent.clear();
  o.change_device(two, get().device.device_name, "cellar");
  o.change_device(two, get().device.status, "Idle");
  o.tell();
  // All devices of this test are in one partition.
  REQUIRE(o.notices.size() == 1);
  CHECK(o.notices[0].devices == ids{one, two});
}

TEST_CASE("an edge that joins is told of all devices with a key, and only of them") {
  world o;
  o.give_api_key(one);
  o.change_device(one, get().device.overlay_public_key, std::string(40, 'k'));
  o.change_device(two, get().device.overlay_public_key, std::string(40, 'm'));
  const auto table = actors::admitted_devices(*o.w.stored.store.rows);
  REQUIRE(table.size() == 1);
  CHECK(table[0].device == one);
  CHECK(actors::online_devices(*o.w.stored.store.rows).empty());
}
