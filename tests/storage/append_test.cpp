#include "storage/keys.hpp"
#include "tests/storage/store_fixture.hpp"

#include <set>

using namespace slipway;
using namespace slipway::tests;
using namespace std::string_literals;
using messages::errc;

TEST_CASE("a commit is in the log, its rows and its indices once append returns") {
  memory_store s;
  const auto done = s.append(story(fleet(64)).at(1000).create(
    fleets::resource,
    64,
    {{fleets::slug, "org/one"s}, {fleets::weight, 2.5}}));
  REQUIRE(done);
  CHECK(done->position == messages::log_position{0, 1});
  CHECK(done->version == 1);
  CHECK(s.store.log->last()[0] == 1);
  CHECK(s.store.log->version(fleet(64)) == 1);

  const auto view = s.store.rows->view();
  const auto row = view->get(fleets::resource, 64);
  REQUIRE(row);
  CHECK(messages::id_of(*row) == 64);
  CHECK(messages::as_int(messages::field(*row, 1)) == 1000);
  CHECK(messages::as_int(messages::field(*row, 2)) == 1000);
  const std::vector<messages::value> slug{"org/one"s};
  CHECK(view->first(fleets::resource, fleets::slug, slug) == 64);
  CHECK(view->position()[0] == 1);

  const auto log = records(*s.store.log, 0);
  REQUIRE(log.size() == 1);
  CHECK(log[0].version == 1);
  CHECK(log[0].commit.events.at(0).id == 64);
}

TEST_CASE("a change keeps what it does not name and moves modified_at") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).at(1000).create(
    fleets::resource,
    64,
    {{fleets::slug, "a"s}, {fleets::name, "n"s}})));
  REQUIRE(s.append(story(fleet(64)).at(2000).change(fleets::resource, 64, {{fleets::name, "m"s}})));
  const auto row = s.store.rows->view()->get(fleets::resource, 64);
  REQUIRE(row);
  CHECK(messages::as_text(messages::field(*row, fleets::slug)) == "a");
  CHECK(messages::as_text(messages::field(*row, fleets::name)) == "m");
  CHECK(messages::as_int(messages::field(*row, 1)) == 1000);
  CHECK(messages::as_int(messages::field(*row, 2)) == 2000);
}

TEST_CASE("a commit decided on an old version is refused and writes nothing") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).expecting(0).create(fleets::resource, 64)));
  CHECK(
    code_of(s.append(story(fleet(64)).expecting(0).remove(fleets::resource, 64)))
    == errc::conflict);
  CHECK(s.store.log->last()[0] == 1);
  CHECK(s.store.rows->view()->get(fleets::resource, 64).has_value());
  CHECK(s.append(story(fleet(64)).expecting(1).remove(fleets::resource, 64)));
}

TEST_CASE("events that do not fit the rows are a conflict, those outside the model are invalid") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64)));
  CHECK(code_of(s.append(story(fleet(64)).create(fleets::resource, 64))) == errc::conflict);
  CHECK(code_of(s.append(story(fleet(64)).change(fleets::resource, 128, {}))) == errc::conflict);
  CHECK(code_of(s.append(story(fleet(64)).remove(fleets::resource, 128))) == errc::conflict);
  CHECK(code_of(s.append(story(fleet(64)).create(99, 128))) == errc::invalid_argument);
  CHECK(
    code_of(s.append(story(fleet(64)).change(fleets::resource, 64, {{60, true}})))
    == errc::invalid_argument);
  CHECK(code_of(s.append(story(fleet(64)).create(fleets::resource, 0))) == errc::invalid_argument);
  CHECK(code_of(s.append(story(fleet(64)).create(fleets::resource, 65))) == errc::invalid_argument);
  CHECK(code_of(s.append(story(fleet(0)))) == errc::invalid_argument);
  CHECK(s.store.log->last()[0] == 1);
}

TEST_CASE("a unique value is refused in the words that clients compare") {
  memory_store s;
  REQUIRE(s.append(story(device(64)).create(devices::resource, 64, {{devices::uuid, "ab"s}})));
  const auto again =
    s.append(story(device(128)).create(devices::resource, 128, {{devices::uuid, "ab"s}}));
  REQUIRE_FALSE(again);
  CHECK(again.error() == messages::error{errc::unique_violated, R"("uuid" must be unique.)"});

  const std::vector<messages::field_value> tag{{tags::device, std::int64_t{64}}, {tags::key, "k"s}};
  REQUIRE(s.append(story(device(64)).create(tags::resource, 64, tag)));
  const auto pair = s.append(story(device(64)).create(tags::resource, 128, tag));
  REQUIRE_FALSE(pair);
  CHECK(pair.error().detail == R"("device" and "tag_key" must be unique.)");
}

TEST_CASE("null is not compared by a unique index") {
  memory_store s;
  CHECK(s.append(story(device(64)).create(devices::resource, 64)));
  CHECK(s.append(story(device(128)).create(devices::resource, 128)));
  const std::vector<messages::value> none{messages::null{}};
  CHECK(
    s.store.rows->view()->all(devices::resource, devices::uuid, none)
    == std::vector<std::int64_t>{64, 128});
}

TEST_CASE("uniqueness holds among commits of one call, and the others of the call succeed") {
  memory_store s;
  const std::vector<messages::commit> commits{
    story(fleet(64)).create(fleets::resource, 64, {{fleets::slug, "x"s}}),
    story(fleet(128)).create(fleets::resource, 128, {{fleets::slug, "x"s}}),
    story(fleet(192)).create(fleets::resource, 192, {{fleets::slug, "y"s}}),
    story(fleet(64)).change(fleets::resource, 64, {{fleets::slug, "z"s}}),
    story(fleet(128)).create(fleets::resource, 128, {{fleets::slug, "x"s}})};
  const auto done = s.store.log->append(commits);
  REQUIRE(done.size() == 5);
  CHECK(done[0]);
  CHECK(code_of(done[1]) == errc::unique_violated);
  CHECK(done[2]);
  CHECK(done[3]);
  CHECK(done[4]);  // the first one gave it up
  CHECK(done[4]->position.seq == 4);
}

TEST_CASE("two rows swap a unique value in one commit") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64, {{fleets::slug, "x"s}})));
  REQUIRE(s.append(story(fleet(128)).create(fleets::resource, 128, {{fleets::slug, "y"s}})));
  REQUIRE(s.append(story(fleet(64))
                     .change(fleets::resource, 64, {{fleets::slug, "y"s}})
                     .change(fleets::resource, 128, {{fleets::slug, "x"s}})));
  const std::vector<messages::value> x{"x"s};
  CHECK(s.store.rows->view()->first(fleets::resource, fleets::slug, x) == 128);
}

TEST_CASE("a commit that fails late leaves nothing of its earlier events") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64, {{fleets::slug, "x"s}})));
  const std::vector<messages::commit> commits{
    story(fleet(64))
      .change(fleets::resource, 64, {{fleets::slug, "given up"s}})
      .change(fleets::resource, 640, {}),
    story(fleet(128)).create(fleets::resource, 128, {{fleets::slug, "x"s}})};
  const auto done = s.store.log->append(commits);
  CHECK(code_of(done[0]) == errc::conflict);
  CHECK(code_of(done[1]) == errc::unique_violated);
  CHECK(s.store.log->last()[0] == 1);
}

TEST_CASE("a repeated command is answered as the first time, also after a restart") {
  memory_store s;
  const story once = story(fleet(64)).command(7, 64).create(fleets::resource, 64);
  const auto first = s.append(once);
  REQUIRE(first);
  CHECK_FALSE(first->repeated);
  for (int i = 0; i < 2; ++i) {
    const auto again = s.append(once);
    REQUIRE(again);
    CHECK(again->repeated);
    CHECK(again->position == first->position);
    CHECK(again->version == 1);
    CHECK(again->answer == 64);
    s.open();
  }
  CHECK(s.store.log->last()[0] == 1);

  const std::vector<messages::commit> twice{
    story(fleet(64)).command(8).event(messages::event_type::note, 0, 0),
    story(fleet(64)).command(8).event(messages::event_type::note, 0, 0)};
  const auto both = s.store.log->append(twice);
  CHECK_FALSE(both[0]->repeated);
  CHECK(both[1]->repeated);
}

TEST_CASE("commands are forgotten after a week, a few with each append") {
  memory_store s;
  const std::int64_t day = 24LL * 3600 * 1000;
  const auto note = [](std::uint8_t command, std::int64_t time) {
    return story(fleet(64)).command(command).at(time).event(messages::event_type::note, 0, 0);
  };
  REQUIRE(s.append(note(1, 1 * day)));
  REQUIRE(s.append(note(2, 5 * day)));
  REQUIRE(s.append(note(3, 9 * day)));  // the first is 8 days old now
  CHECK_FALSE(s.append(note(1, 9 * day))->repeated);
  CHECK(s.append(note(2, 9 * day))->repeated);
  s.open();
  REQUIRE(s.append(note(4, 30 * day)));
  CHECK_FALSE(s.append(note(3, 30 * day))->repeated);
}

TEST_CASE("a commit past the size limit is refused alone") {
  memory_store s;
  const std::vector<messages::commit> commits{
    story(fleet(64)).create(fleets::resource, 64, {{fleets::name, std::string(17U << 20U, 'x')}}),
    story(fleet(64)).create(fleets::resource, 64)};
  const auto done = s.store.log->append(commits);
  CHECK(code_of(done[0]) == errc::too_large);
  CHECK(done[1]);
}

TEST_CASE("the log is read from any position, and stops when the reader has enough") {
  memory_store s;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(s.append(story(fleet(65)).event(messages::event_type::note, 0, i)));
  }
  REQUIRE(s.append(story(fleet(66)).event(messages::event_type::note, 0, 0)));
  CHECK(records(*s.store.log, 1).size() == 5);
  CHECK(records(*s.store.log, 1, 4).size() == 2);
  CHECK(records(*s.store.log, 1, 6).empty());
  CHECK(records(*s.store.log, 2).size() == 1);
  CHECK(records(*s.store.log, 3).empty());
  int seen = 0;
  REQUIRE(s.store.log->read(1, 1, [&seen](const auto&) { return ++seen < 2; }));
  CHECK(seen == 2);
}

TEST_CASE("a view does not change while it is used, and says which commits it includes") {
  memory_store s;
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64)));
  const auto before = s.store.rows->view();
  REQUIRE(s.append(story(fleet(64)).remove(fleets::resource, 64)));
  CHECK(before->get(fleets::resource, 64).has_value());
  CHECK(before->position()[0] == 1);
  CHECK_FALSE(s.store.rows->view()->get(fleets::resource, 64).has_value());
  CHECK(s.store.rows->view()->position()[0] == 2);
}

TEST_CASE("ids begin at one in each partition and are never given twice") {
  memory_store s;
  CHECK(s.store.log->next_id(5) == 64 + 5);
  CHECK(s.store.log->next_id(5) == 128 + 5);
  CHECK(s.store.log->next_id(0) == 64);
  s.open();  // an orderly close keeps the ids dense
  CHECK(s.store.log->next_id(5) == 192 + 5);
  REQUIRE(s.append(story(fleet(64 * 500)).create(fleets::resource, 64 * 500)));
  CHECK(s.store.log->next_id(0) == 64 * 501);
  s.open();
  CHECK(s.store.log->next_id(0) == 64 * 502);
  std::set<std::int64_t> given;
  for (int i = 0; i < 200; ++i) {
    CHECK(given.insert(s.store.log->next_id(7)).second);
  }
}

TEST_CASE("snapshots are kept per entity and listed by kind in id order") {
  memory_store s;
  auto& snapshots = *s.store.snapshots;
  REQUIRE(snapshots.put(device(300), "three"));
  REQUIRE(snapshots.put(device(64), "one"));
  REQUIRE(snapshots.put(fleet(64), "fleet"));
  REQUIRE(snapshots.put(device(64), "two"));
  s.open();
  const auto reopened_store = s.store.snapshots;
  auto& reopened = *reopened_store;
  CHECK(reopened.get(device(64)).value() == std::optional("two"s));
  CHECK(reopened.get(device(65)).value() == std::optional<std::string>{});
  std::vector<std::string> seen;
  REQUIRE(reopened.each(messages::entity_kind::device, [&seen](auto entity, auto bytes) {
    seen.push_back(std::to_string(entity.id) + " " + std::string(bytes));
    return true;
  }));
  CHECK(seen == std::vector<std::string>{"64 two", "300 three"});
  REQUIRE(reopened.remove(device(64)));
  CHECK(reopened.get(device(64)).value() == std::optional<std::string>{});
  const auto large = reopened.put(device(64), std::string(17U << 20U, 'x'));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == errc::too_large);
}

TEST_CASE("a store that is open cannot be opened a second time") {
  memory_store s;
  CHECK_FALSE(storage::open_embedded(s.options()));
}

TEST_CASE("texts too long for an index key are still found exactly and by prefix") {
  memory_store s;
  const std::string stem(storage::keys::index_text_bytes_max, 'x');
  const std::string long_prefix = stem + "bb";
  REQUIRE(
    s.append(story(device(64)).create(devices::resource, 64, {{devices::note, stem + "bbb"}})));
  REQUIRE(
    s.append(story(device(128)).create(devices::resource, 128, {{devices::note, stem + "bc"}})));
  REQUIRE(s.append(story(device(192)).create(devices::resource, 192, {{devices::note, stem}})));
  const auto view = s.store.rows->view();
  const std::vector<messages::value> exact{stem + "bc"};
  CHECK(view->all(devices::resource, devices::note, exact) == std::vector<std::int64_t>{128});
  std::vector<std::int64_t> found;
  const auto gather = [&found](std::int64_t id) {
    found.push_back(id);
    return true;
  };
  view->lookup_prefix(devices::resource, devices::note, long_prefix, gather);
  CHECK(found == std::vector<std::int64_t>{64});
  found.clear();
  view->lookup_prefix(devices::resource, devices::note, stem, gather);
  CHECK(std::set(found.begin(), found.end()) == std::set<std::int64_t>{64, 128, 192});
}
