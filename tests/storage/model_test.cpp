#include "messages/codec.hpp"
#include "runtime/crypto.hpp"
#include "tests/storage/random_workload.hpp"
#include "tests/storage/store_fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

using namespace slipway;
using namespace slipway::tests;

namespace {

constexpr int calls = 250;

std::uint64_t seed_of_this_run() {
  const char* given = std::getenv("SLIPWAY_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "seed " << seed << " (SLIPWAY_TEST_SEED=" << seed << " repeats this run)\n";
  return seed;
}

messages::row without_trailing_nulls(messages::row row) {
  while (!row.empty() && messages::is_null(row.back())) {
    row.pop_back();
  }
  return row;
}

std::vector<messages::row> all_rows(const domain::row_source& rows, std::uint16_t resource) {
  std::vector<messages::row> found;
  rows.scan(resource, 0, [&found](const messages::row& row) {
    found.push_back(without_trailing_nulls(row));
    return true;
  });
  return found;
}

/// Rows as text, so that a failure shows them.
std::vector<std::string> shown(const std::vector<messages::row>& rows) {
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    lines.push_back(runtime::hex(messages::pack(row)));
  }
  return lines;
}

std::vector<std::int64_t> prefixed(
  const domain::row_source& rows,
  std::uint16_t resource,
  std::uint16_t index,
  const std::string& prefix) {
  std::vector<std::int64_t> found;
  rows.lookup_prefix(resource, index, prefix, [&found](std::int64_t id) {
    found.push_back(id);
    return true;
  });
  return found;
}

void expect_same_index(
  const domain::row_source& stored,
  const domain::row_source& expected,
  const domain::resource_def& resource,
  const domain::index_def& index) {
  INFO("resource " << resource.number << " index " << index.number);
  for (std::size_t width = 0; width <= index.fields.size(); ++width) {
    std::set<std::vector<messages::value>> values{{}};
    if (width > 0) {
      values.clear();
      for (const auto& row : all_rows(expected, resource.number)) {
        std::vector<messages::value> some;
        for (std::size_t i = 0; i < width; ++i) {
          some.push_back(messages::field(row, index.fields[i]));
        }
        values.insert(some);
      }
    }
    for (const auto& some : values) {
      REQUIRE(
        stored.all(resource.number, index.number, some)
        == expected.all(resource.number, index.number, some));
    }
  }
  for (const auto* prefix : {"", "a", "ab", "b"}) {
    REQUIRE(
      prefixed(stored, resource.number, index.number, prefix)
      == prefixed(expected, resource.number, index.number, prefix));
  }
}

void expect_same(const storage::store& store, const naive_store& naive) {
  const auto stored = store.rows->view();
  const auto expected = naive.view();
  for (const auto& resource : naive.schema->resources()) {
    REQUIRE(
      shown(all_rows(*stored, resource.number)) == shown(all_rows(*expected, resource.number)));
    for (std::int64_t id = 64; id < 1024; id += 7) {
      REQUIRE(
        without_trailing_nulls(stored->get(resource.number, id).value_or(messages::row{}))
        == without_trailing_nulls(expected->get(resource.number, id).value_or(messages::row{})));
    }
    for (const auto& index : resource.indices) {
      expect_same_index(*stored, *expected, resource, index);
    }
  }
  const auto heads = store.log->last();
  REQUIRE(stored->position() == heads);
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto it = naive.log.find(p);
    const auto size = it == naive.log.end() ? 0 : it->second.size();
    REQUIRE(heads[static_cast<std::size_t>(p)] == size);
    const auto read = records(*store.log, p);
    REQUIRE(read.size() == size);
    for (std::size_t i = 0; i < size; ++i) {
      REQUIRE(read[i].position == it->second[i].position);
      REQUIRE(read[i].version == it->second[i].version);
      REQUIRE(read[i].commit == it->second[i].commit);
    }
  }
  for (const auto& [entity, version] : naive.versions) {
    REQUIRE(store.log->version(entity) == version);
  }
}

void run(std::uint64_t seed) {
  INFO("SLIPWAY_TEST_SEED=" << seed);
  random_workload workload(seed);
  memory_store s;
  naive_store naive(s.schema);
  int good = 0;
  for (int call = 0; call < calls; ++call) {
    std::vector<messages::commit> commits(static_cast<std::size_t>(1 + workload.below(20)));
    std::generate(commits.begin(), commits.end(), [&workload] { return workload.commit(); });
    const auto answers = s.store.log->append(commits);
    REQUIRE(answers.size() == commits.size());
    for (std::size_t i = 0; i < commits.size(); ++i) {
      INFO("call " << call << " commit " << i);
      const auto expected = naive.append(commits[i]);
      REQUIRE(code_of(answers[i]) == code_of(expected));
      if (expected) {
        REQUIRE(*answers[i] == *expected);
        ++good;
      }
    }
    if (call % 50 == 49) {
      expect_same(s.store, naive);
      s.open();
      expect_same(s.store, naive);
    }
  }
  CHECK(good > calls);  // else the workload tests nothing
  s.close();
  const auto report = storage::rebuild(s.options());
  INFO((report ? "" : report.error().detail));
  REQUIRE(report);
  INFO((report->first_differences.empty() ? "" : report->first_differences.front()));
  CHECK(report->identical);
  CHECK(report->rows > 0);
  CHECK(report->index_entries > 0);
  s.open();
  expect_same(s.store, naive);
}

}  // namespace

TEST_CASE("after random commits rows, indices, versions and log are those of a naive model") {
  run(seed_of_this_run());
}

TEST_CASE("fixed seeds keep holding") {
  for (const auto seed : {1ULL, 2ULL, 3ULL}) {
    run(seed);
  }
}
