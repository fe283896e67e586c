#include "domain/numbers.hpp"
#include "tests/support/server_world.hpp"

using namespace slipway;
using namespace std::chrono_literals;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using tests::server_world;

namespace {

const auto& n() {
  return domain::numbers::get().organization;
}

messages::requester platform() {
  messages::requester by;
  by.kind = messages::requester_kind::platform;
  return by;
}

messages::create_row create(const std::string& name, std::uint8_t command = 0) {
  messages::create_row cmd;
  cmd.by = platform();
  cmd.resource = n().resource;
  cmd.values = {{n().name, name}, {n().handle, name}};
  cmd.command.fill(command);
  return cmd;
}

messages::change_row rename(entity_ref ref, const std::string& name) {
  messages::change_row cmd;
  cmd.by = platform();
  cmd.resource = n().resource;
  cmd.id = ref.id;
  cmd.values = {{n().name, name}};
  return cmd;
}

struct world : server_world {
  entity_ref ref{entity_kind::organization, stored.store.log->next_id(7)};

  [[nodiscard]] std::string stored_name() const {
    const auto row = stored.store.rows->view()->get(n().resource, ref.id);
    return row ? messages::as_text(messages::field(*row, n().name)) : "";
  }
  [[nodiscard]] std::vector<std::uint64_t> answered() const {
    std::vector<std::uint64_t> numbers;
    for (const auto& a : answers) {
      numbers.push_back(a.first);
    }
    return numbers;
  }
};

}  // namespace

TEST_CASE("an entity answers only when the journal has made its events durable") {
  world w;
  w.journal.hold = true;
  w.send(w.ref, create("sky"));
  w.run();
  CHECK(w.answers.empty());
  CHECK(w.stored_name().empty());
  w.journal.flush_one();
  w.run();
  REQUIRE(w.answers.size() == 1);
  CHECK(w.answers[0].second.ok());
  CHECK(w.answers[0].second.appended.answer == w.ref.id);
  CHECK(w.stored_name() == "sky");
}

TEST_CASE(
  "commands of one entity are decided one after the other, each on what the one before left") {
  world w;
  w.journal.hold = true;
  w.send(w.ref, create("sky"));
  w.send(w.ref, rename(w.ref, "sea"));
  w.send(w.ref, rename(w.ref, "sand"));
  w.run();
  CHECK(w.journal.waiting.size() == 1);
  for (std::size_t done = 1; done <= 3; ++done) {
    w.journal.flush_one();
    w.run();
    CHECK(w.answers.size() == done);
    CHECK(w.answers.back().second.ok());
  }
  CHECK(w.answered() == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(w.stored_name() == "sand");
  CHECK(w.answers.back().second.appended.version == 3);
}

TEST_CASE("entities do not wait for each other") {
  world w;
  w.journal.hold = true;
  const entity_ref other{entity_kind::organization, w.stored.store.log->next_id(7)};
  w.send(w.ref, create("sky"));
  w.send(other, create("sea"));
  w.run();
  CHECK(w.journal.waiting.size() == 2);
}

TEST_CASE("a repeated command is answered as the first time and not repeated") {
  world w;
  const auto first = w.ask(w.ref, create("sky", 9));
  const entity_ref other{entity_kind::organization, w.stored.store.log->next_id(8)};
  const auto again = w.ask(other, create("sky", 9));
  REQUIRE(again.ok());
  CHECK(again.appended.repeated);
  CHECK(again.appended.answer == first.appended.answer);
  CHECK_FALSE(w.stored.store.rows->view()->get(n().resource, other.id).has_value());
}

TEST_CASE("a repeated command is answered also when the first time made it impossible") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  messages::remove_row remove;
  remove.by = platform();
  remove.resource = n().resource;
  remove.id = w.ref.id;
  remove.command[0] = 7;
  const auto first = w.ask(w.ref, remove);
  REQUIRE(first.ok());
  const auto again = w.ask(w.ref, remove);
  REQUIRE(again.ok());
  CHECK(again.appended.repeated);
  CHECK(again.appended.answer == first.appended.answer);
}

TEST_CASE("a refused command and one without a change append nothing") {
  world w;
  const auto missing = w.ask(w.ref, rename(w.ref, "sky"));
  CHECK(missing.failure.code == errc::not_found);
  CHECK(w.journal.appends == 0);
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  const auto same = w.ask(w.ref, rename(w.ref, "sky"));
  CHECK(same.ok());
  CHECK(same.appended.answer == w.ref.id);
  CHECK(w.journal.appends == 1);
}

TEST_CASE("an entity without commands sleeps, and wakes with all that it knew") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  CHECK(w.directory.active() == 1);
  w.advance(actors::entity_tick * (actors::idle_ticks_max - 1));
  CHECK(w.directory.active() == 1);
  w.advance(actors::entity_tick * 2);
  CHECK(w.directory.active() == 0);
  const auto renamed = w.ask(w.ref, rename(w.ref, "sea"));
  CHECK(renamed.ok());
  CHECK(renamed.appended.version == 2);
  CHECK(w.activations == 2);
  CHECK(w.stored_name() == "sea");
}

TEST_CASE("a command puts sleep off") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  for (int i = 0; i < 5; ++i) {
    w.advance(actors::entity_tick * (actors::idle_ticks_max - 1));
    REQUIRE(w.ask(w.ref, rename(w.ref, "name " + std::to_string(i))).ok());
  }
  CHECK(w.activations == 1);
}

TEST_CASE("an append of unknown outcome ends the entity, and the next command finds it anew") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  w.journal.hold = true;
  w.send(w.ref, rename(w.ref, "sea"));
  w.send(w.ref, rename(w.ref, "sand"));
  w.run();
  w.journal.failure = messages::error{errc::io_failed, "the disk is gone"};
  w.journal.flush_one();
  w.run();
  REQUIRE(w.answers.size() == 3);
  CHECK(w.answers[1].second.failure.code == errc::io_failed);
  CHECK(w.answers[2].second.failure.code == errc::unavailable);
  CHECK(w.directory.active() == 0);
  w.journal.failure.reset();
  w.journal.hold = false;
  REQUIRE(w.ask(w.ref, rename(w.ref, "stone")).ok());
  CHECK(w.stored_name() == "stone");
}

TEST_CASE(
  "a journal that does not answer makes the outcome unknown, and its late append changes nothing") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  w.journal.hold = true;
  w.send(w.ref, rename(w.ref, "late"));
  w.advance(actors::entity_tick * (actors::append_ticks_max + 1));
  REQUIRE(w.answers.size() == 2);
  CHECK(w.answers[1].second.failure.code == errc::timed_out);
  // The late one stays at the journal while the next goes through.
  auto late = std::move(w.journal.waiting.front());
  w.journal.waiting.clear();
  w.journal.hold = false;
  REQUIRE(w.ask(w.ref, rename(w.ref, "sea")).ok());
  w.journal.waiting.push_back(std::move(late));
  w.journal.flush_one();
  w.run();
  CHECK(w.stored_name() == "sea");
  CHECK(w.answers.size() == 3);
}

TEST_CASE("more commands than may wait are refused at once, the others go on") {
  world w;
  REQUIRE(w.ask(w.ref, create("sky")).ok());
  w.journal.hold = true;
  const auto all = actors::commands_waiting_max + 3;  // one is being appended, two are too many
  for (std::size_t i = 0; i < all; ++i) {
    w.send(w.ref, rename(w.ref, "name " + std::to_string(i)));
  }
  w.run();
  REQUIRE(w.answers.size() == 3);
  CHECK(w.answers[1].second.failure.code == errc::too_many_requests);
  CHECK(w.answers[2].second.failure.code == errc::too_many_requests);
  while (!w.journal.waiting.empty()) {
    w.journal.flush_one();
    w.run();
  }
  CHECK(w.answers.size() == all + 1);
  CHECK(w.answers.back().second.ok());
}
