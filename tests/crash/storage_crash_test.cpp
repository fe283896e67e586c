#include "storage/embedded_store.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/support/test_schema.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

using namespace slipway;
using namespace slipway::tests;

namespace {

constexpr const char* rounds = "25";

struct acknowledged {
  int partition = 0;
  std::uint64_t seq = 0;
  std::int64_t entity = 0;
  std::uint64_t version = 0;
};

/// All that the children of one folder said.
struct said {
  std::vector<acknowledged> acks;
  std::set<std::int64_t> ids;
  bool id_twice = false;

  void add(const std::string& out) {
    std::istringstream lines(out.substr(0, out.rfind('\n') + 1));
    std::string word;
    while (lines >> word) {
      if (word == "id") {
        std::int64_t id = 0;
        lines >> id;
        id_twice = !ids.insert(id).second || id_twice;
      } else {
        acknowledged a;
        lines >> a.partition >> a.seq >> a.entity >> a.version;
        acks.push_back(a);
      }
    }
  }
};

std::vector<std::string> command(const std::string& folder, const std::string& what = "append") {
  const auto program =
    (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "storage_crash_child")
      .string();
  if (what == "append") {
    return {program, what, folder, rounds};
  }
  return {program, what, folder};
}

using whole_log = std::map<std::pair<int, std::uint64_t>, messages::log_record>;

whole_log read_log(const storage::event_log& log) {
  whole_log found;
  const auto heads = log.last();
  for (int p = 0; p < messages::partition_count; ++p) {
    std::uint64_t seq = 0;
    REQUIRE(log.read(p, 1, [&](const messages::log_record& r) {
      ++seq;
      found[{p, r.position.seq}] = r;
      return r.position.seq == seq;
    }));
    REQUIRE(seq == heads[static_cast<std::size_t>(p)]);
  }
  return found;
}

// The log says what the rows must be: each commit's number, in both of its rows.
void expect_rows_whole(const storage::store& store, const whole_log& log) {
  std::map<std::int64_t, std::int64_t> number_of_device;
  std::map<std::int64_t, std::int64_t> number_of_tag;
  std::map<messages::entity_ref, std::uint64_t> versions;
  for (const auto& [at, record] : log) {
    REQUIRE(record.commit.events.size() == 2);  // none is half there
    REQUIRE(record.version == ++versions[record.commit.entity]);
    for (const auto& e : record.commit.events) {
      for (const auto& [field, value] : e.values) {
        if (e.resource == devices::resource && field == devices::progress) {
          number_of_device[e.id] = messages::as_int(value);
        } else if (e.resource == tags::resource && field == tags::value) {
          number_of_tag[e.id] = std::stoll(messages::as_text(value));
        }
      }
    }
  }
  const auto view = store.rows->view();
  REQUIRE(view->position() == store.log->last());
  std::size_t seen = 0;
  view->scan(devices::resource, 0, [&](const messages::row& row) {
    REQUIRE(
      messages::as_int(messages::field(row, devices::progress))
      == number_of_device.at(messages::id_of(row)));
    const std::vector<messages::value> device{messages::id_of(row)};
    const auto tag = view->first(tags::resource, tags::by_device_and_key, device);
    REQUIRE(tag);
    REQUIRE(number_of_tag.at(*tag) == number_of_device.at(messages::id_of(row)));
    REQUIRE(
      messages::as_text(messages::field(*view->get(tags::resource, *tag), tags::value))
      == std::to_string(number_of_tag.at(*tag)));
    ++seen;
    return true;
  });
  REQUIRE(seen == number_of_device.size());
  for (const auto& [entity, version] : versions) {
    REQUIRE(store.log->version(entity) == version);
  }
}

void expect_nothing_lost(const std::string& folder, const said& all) {
  CHECK_FALSE(all.id_twice);
  {
    auto store = storage::open_embedded({folder, nullptr, test_schema()});
    INFO((store ? "" : store.error().detail));
    REQUIRE(store);
    const auto log = read_log(*store->log);
    for (const auto& a : all.acks) {
      const auto it = log.find({a.partition, a.seq});
      REQUIRE(it != log.end());
      REQUIRE(it->second.commit.entity.id == a.entity);
      REQUIRE(it->second.version == a.version);
    }
    expect_rows_whole(*store, log);
    for (const auto partition : {0, 1, 2, 3}) {
      CHECK(all.ids.count(store->log->next_id(partition)) == 0);
    }
  }
  const auto report = storage::rebuild({folder, nullptr, test_schema()});
  INFO((report ? "" : report.error().detail));
  REQUIRE(report);
  CHECK(report->identical);
}

std::set<std::string> failpoints() {
  const test::temp_folder folder;
  const auto list = folder.path() + "/list";
  const auto store = folder.path() + "/store";
  for (const auto* what : {"append", "rebuild"}) {
    const auto ran = test::run_child(command(store, what), {{"SLIPWAY_FAILPOINT_LIST", list}});
    REQUIRE(ran.exit_code == 0);
  }
  std::ifstream in(list);
  std::set<std::string> names;
  for (std::string name; std::getline(in, name);) {
    names.insert(name);
  }
  return names;
}

std::uint64_t seed_of_this_run() {
  const char* given = std::getenv("SLIPWAY_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "seed " << seed << " (SLIPWAY_TEST_SEED=" << seed << " repeats the choices)\n";
  return seed;
}

}  // namespace

TEST_CASE("a store killed at any failpoint keeps every acknowledged commit, whole") {
  const auto names = failpoints();
  CHECK(names.size() >= 9);
  CHECK(names.count("storage.append.synced") == 1);
  CHECK(names.count("storage.rebuild.before_switch") == 1);
  for (const auto& name : names) {
    for (const auto* pass : {"1", "9"}) {
      const test::temp_folder folder;
      const auto store = folder.path() + "/store";
      said all;
      const bool rebuilding = name.find("storage.rebuild.") == 0;
      if (rebuilding) {
        all.add(test::run_child(command(store)).out);
      }
      const auto killed = test::run_child(
        command(store, rebuilding ? "rebuild" : "append"),
        {{"SLIPWAY_FAILPOINT", name + ":" + pass}});
      INFO(name << ":" << pass);
      if (std::string(pass) == "1") {
        REQUIRE(killed.signal == SIGKILL);  // else this proves nothing
      }
      all.add(killed.out);
      expect_nothing_lost(store, all);
      const auto again = test::run_child(command(store));
      REQUIRE(again.exit_code == 0);
      all.add(again.out);
      expect_nothing_lost(store, all);
    }
  }
}

TEST_CASE("a store killed at random instants keeps every acknowledged commit, whole") {
  const auto seed = seed_of_this_run();
  INFO("SLIPWAY_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  const test::temp_folder folder;
  const auto store = folder.path() + "/store";
  said all;
  for (int round = 0; round < 12; ++round) {
    const auto ran = test::run_child(command(store), {}, static_cast<long>(random() % 2500));
    all.add(ran.out);
    expect_nothing_lost(store, all);
  }
  CHECK(!all.acks.empty());
}
