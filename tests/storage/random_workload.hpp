#pragma once

#include "messages/event.hpp"
#include "tests/support/memory_rows.hpp"
#include "tests/support/test_schema.hpp"

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace slipway::tests {

/// Commits from a seed, good and bad ones: over few ids and few texts, so that they meet each other.
class random_workload {
public:
  explicit random_workload(std::uint64_t seed) : random_(seed) {}

  messages::commit commit() {
    messages::commit c;
    partition_ = below(3) * 7;
    c.entity = {
      below(2) == 0 ? messages::entity_kind::fleet : messages::entity_kind::device,
      64 * (1 + below(4)) + partition_};
    c.expected_version =
      below(10) == 0 ? static_cast<std::uint64_t>(below(5)) : messages::any_version;
    c.time = ++time_;
    c.actor = below(3);
    if (below(3) == 0) {
      c.command[0] = 1;
      c.command[1] = static_cast<std::uint8_t>(below(200));
      c.command[2] = static_cast<std::uint8_t>(below(3));
      c.answer = below(1000);
    }
    const auto events = below(12) == 0 ? 30 : 1 + below(3);
    for (std::int64_t i = 0; i < events; ++i) {
      c.events.push_back(event());
    }
    return c;
  }

  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n));
  }

private:
  messages::event event() {
    messages::event e;
    // Mostly creations that may fail and changes: a commit of many events rarely succeeds, but it does.
    const auto kind = below(10);
    e.type = kind < 4   ? messages::event_type::row_created
             : kind < 8 ? messages::event_type::row_changed
             : kind < 9 ? messages::event_type::row_removed
                        : messages::event_type::note;
    e.resource = static_cast<std::uint16_t>(1 + below(3));
    e.id = 64 * (1 + below(13)) + partition_;
    static constexpr std::uint16_t fields[] = {0, 8, 10, 6};
    const auto count = below(5);
    std::set<std::uint16_t> named;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto field = static_cast<std::uint16_t>(3 + below(fields[e.resource] - 3));
      if (named.insert(field).second) {
        e.values.push_back({field, value(e.resource, field)});
      }
    }
    return e;
  }

  messages::value value(std::uint16_t resource, std::uint16_t field) {
    if (below(6) == 0) {
      return messages::null{};
    }
    if (resource == fleets::resource && field == fleets::weight) {
      return static_cast<double>(below(40) - 20) / 4;
    }
    if (resource == fleets::resource && field == fleets::settings) {
      return messages::json_text{"[" + std::to_string(below(9)) + "]"};
    }
    if (
      (resource == fleets::resource && field == fleets::archived)
      || (resource == devices::resource && field == devices::online)) {
      return below(2) == 0;
    }
    if (
      (resource == devices::resource && (field == devices::fleet || field >= devices::progress))
      || (resource == tags::resource && field == tags::device)) {
      return below(2) == 0 ? 64 + below(8) : -below(INT64_MAX);
    }
    return text();
  }

  std::string text() {
    static constexpr char letters[] = {'a', 'b', '\0', '\xff', '\x01'};
    // Long ones differ early, so that the order in an index is that of the texts.
    std::string t;
    const auto size = below(30) == 0 ? 300 : below(4);
    for (std::int64_t i = 0; i < size; ++i) {
      t += letters[below(5)];
    }
    return t;
  }

  std::mt19937_64 random_;
  std::int64_t partition_ = 0;  // a commit's rows are in its entity's
  std::int64_t time_ = 1'795'428'832'331;
};

/// What the store should hold, kept the naive way.
struct naive_store {
  std::shared_ptr<const domain::schema> schema;
  std::map<std::uint16_t, std::map<std::int64_t, messages::row>> rows;
  std::map<messages::entity_ref, std::uint64_t> versions;
  std::map<int, std::vector<messages::log_record>> log;
  std::map<messages::command_id, messages::appended> commands;

  explicit naive_store(std::shared_ptr<const domain::schema> s) : schema(std::move(s)) {}

  messages::result<messages::appended> append(const messages::commit& c) {
    using messages::errc;
    const bool named = c.command != messages::command_id{};
    if (named && commands.count(c.command) != 0) {
      auto again = commands[c.command];
      again.repeated = true;
      return again;
    }
    if (c.expected_version != messages::any_version && c.expected_version != versions[c.entity]) {
      return messages::fail(errc::conflict, "");
    }
    auto after = rows;
    for (const auto& e : c.events) {
      if (!apply(after, e, c.time)) {
        return messages::fail(errc::conflict, "");
      }
    }
    if (!unique(after)) {
      return messages::fail(errc::unique_violated, "");
    }
    rows = std::move(after);
    const auto partition = messages::partition_of(c.entity.id);
    messages::appended done;
    done.position = {partition, log[partition].size() + 1};
    done.version = ++versions[c.entity];
    done.answer = c.answer;
    log[partition].push_back({done.position, done.version, c});
    if (named) {
      commands[c.command] = done;
    }
    return done;
  }

  [[nodiscard]] std::unique_ptr<memory_rows> view() const {
    auto m = std::make_unique<memory_rows>(*schema);
    for (const auto& [resource, table] : rows) {
      for (const auto& [id, row] : table) {
        m->put(resource, row);
      }
    }
    return m;
  }

private:
  using tables = std::map<std::uint16_t, std::map<std::int64_t, messages::row>>;

  static bool apply(tables& t, const messages::event& e, std::int64_t time) {
    using messages::event_type;
    if (e.type == event_type::note) {
      return true;
    }
    auto& table = t[e.resource];
    const bool exists = table.count(e.id) != 0;
    if (exists == (e.type == event_type::row_created)) {
      return false;
    }
    if (e.type == event_type::row_removed) {
      table.erase(e.id);
      return true;
    }
    auto& row = table[e.id];
    row.resize(10);
    row[0] = e.id;
    if (!exists) {
      row[1] = time;
    }
    row[2] = time;
    for (const auto& [field, value] : e.values) {
      row[field] = value;
    }
    return true;
  }

  [[nodiscard]] bool unique(const tables& t) const {
    for (const auto& resource : schema->resources()) {
      const auto table = t.find(resource.number);
      if (table == t.end()) {
        continue;
      }
      for (const auto& index : resource.indices) {
        std::set<std::vector<messages::value>> seen;
        for (const auto& [id, row] : table->second) {
          std::vector<messages::value> key;
          bool whole = index.unique;
          for (const auto field : index.fields) {
            key.push_back(messages::field(row, field));
            whole = whole && !messages::is_null(key.back());
          }
          if (whole && !seen.insert(key).second) {
            return false;
          }
        }
      }
    }
    return true;
  }
};

}  // namespace slipway::tests
