#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;
using messages::null;
using messages::value;

namespace {

struct tracked {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t cars = i.given_fleet(user, "cars");
  std::int64_t boats = i.given_fleet(user, "boats");
  std::int64_t device = i.given_device(cars);

  [[nodiscard]] std::vector<std::int64_t> history() const {
    return i.where("device_history", "tracks__device", device);
  }
  domain::decision set(tests::named_values values) {
    ++i.now;
    return i.change(ann, "device", device, std::move(values));
  }
  domain::decision report(const std::string& name, messages::value v) {
    ++i.now;
    messages::report_state cmd;
    cmd.by = i.device(device);
    cmd.values = {{i.model->at("device").field(name), std::move(v)}};
    return i.tell({messages::entity_kind::device, device}, cmd);
  }
};

}  // namespace

TEST_CASE("a new device begins its history") {
  tracked t;
  const auto rows = t.history();
  REQUIRE(rows.size() == 1);
  CHECK(t.i.id_of("device_history", rows[0], "belongs_to__application") == t.cars);
  CHECK(t.i.text_of("device_history", rows[0], "uuid") == t.i.text_of("device", t.device, "uuid"));
  CHECK(
    t.i.id_of("device_history", rows[0], "tracks__actor")
    == t.i.id_of("device", t.device, "actor"));
  CHECK(t.i.of("device_history", rows[0], "end_timestamp") == value{});
}

TEST_CASE("a move, a pin, a version and a deactivation each end a row and begin another") {
  tracked t;
  const auto release = t.i.given_release(t.boats);
  REQUIRE(t.set({{"belongs_to__application", t.boats}}));
  REQUIRE(t.set({{"is_pinned_on__release", release}}));
  REQUIRE(t.report("supervisor_version", "17.0.0"));
  REQUIRE(t.report("is_running__release", release));
  REQUIRE(t.set({{"is_active", false}}));
  const auto rows = t.history();
  REQUIRE(rows.size() == 6);
  for (std::size_t k = 0; k + 1 < rows.size(); ++k) {
    INFO("row " << k);
    // It ends when the next one begins.
    CHECK(
      t.i.of("device_history", rows[k], "end_timestamp")
      == t.i.of("device_history", rows[k + 1], "created_at"));
  }
  const auto at = [&](std::size_t k, std::string_view name) {
    return t.i.of("device_history", rows[k], name);
  };
  CHECK(at(1, "belongs_to__application") == value{t.boats});
  CHECK(at(1, "is_pinned_on__release") == value{});
  CHECK(at(2, "is_pinned_on__release") == value{release});
  CHECK(at(3, "supervisor_version") == value{"17.0.0"});
  CHECK(at(4, "is_running__release") == value{release});
  CHECK(at(5, "is_active") == value{false});
  CHECK(at(1, "is_created_by__actor") == value{t.ann.actor});
  CHECK(at(2, "is_ended_by__actor") == value{t.i.device(t.device).actor});
}

TEST_CASE("what is not kept of a device makes no history") {
  tracked t;
  REQUIRE(t.set({{"device_name", "gate"}}));
  REQUIRE(t.set({{"note", "by the gate"}}));
  REQUIRE(t.report("status", "Idle"));
  REQUIRE(t.report("cpu_temp", std::int64_t{50}));
  REQUIRE(t.set({{"is_active", true}}));
  CHECK(t.history().size() == 1);
}

TEST_CASE("a history has a hundred rows at most, of which the oldest goes") {
  tracked t;
  const auto first = t.history().front();
  for (int k = 0; k < 120; ++k) {
    REQUIRE(t.report("os_version", "balenaOS 6.0." + std::to_string(k)));
  }
  const auto rows = t.history();
  CHECK(rows.size() == 100);
  CHECK_FALSE(t.i.exists("device_history", first));
  CHECK(t.i.text_of("device_history", rows.back(), "os_version") == "balenaOS 6.0.119");
  CHECK(t.i.of("device_history", rows.back(), "end_timestamp") == value{});
}

TEST_CASE("nobody writes or removes a history, and it goes with its device") {
  tracked t;
  const auto row = t.history().front();
  CHECK_FALSE(t.i.remove(t.ann, "device_history", row));
  CHECK_FALSE(t.i.change(t.ann, "device_history", row, {{"uuid", "x"}}));
  CHECK_FALSE(t.i.create(t.ann, "device_history", {{"tracks__device", t.device}}));
  const auto root = t.i.user(t.i.given_administrator("root"));
  CHECK_FALSE(t.i.remove(root, "device_history", row));
  REQUIRE(t.i.remove(t.ann, "device", t.device));
  CHECK_FALSE(t.i.exists("device_history", row));
}
