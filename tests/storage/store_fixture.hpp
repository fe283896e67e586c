#pragma once

#include "storage/embedded_store.hpp"
#include "tests/support/test_schema.hpp"

#include <catch2/catch.hpp>
#include <rocksdb/env.h>

#include <memory>
#include <string>
#include <vector>

namespace slipway::tests {

using storage::event_log;

/// A store in memory that can be closed and opened again.
struct memory_store {
  std::unique_ptr<rocksdb::Env> env{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  std::shared_ptr<const domain::schema> schema = test_schema();
  storage::store store;

  memory_store() { open(); }
  [[nodiscard]] storage::embedded_options options() const { return {"/store", env.get(), schema}; }
  void close() { store = {}; }
  void open() {
    close();
    auto opened = storage::open_embedded(options());
    INFO((opened ? "" : opened.error().detail));
    REQUIRE(opened);
    store = std::move(*opened);
  }

  messages::result<messages::appended> append(const messages::commit& c) {
    auto answers = store.log->append(std::span(&c, 1));
    REQUIRE(answers.size() == 1);
    return answers.front();
  }
};

/// A commit of one entity, to be given events.
struct story {
  messages::commit c;
  explicit story(messages::entity_ref entity) {
    c.entity = entity;
    c.expected_version = messages::any_version;
    c.time = 1'795'428'832'331;
    c.actor = 65;
  }
  story& at(std::int64_t time) {
    c.time = time;
    return *this;
  }
  story& expecting(std::uint64_t version) {
    c.expected_version = version;
    return *this;
  }
  story& command(std::uint8_t id, std::int64_t answer = 0) {
    c.command.fill(id);
    c.answer = answer;
    return *this;
  }
  story& event(
    messages::event_type t,
    std::uint16_t r,
    std::int64_t id,
    std::vector<messages::field_value> v = {}) {
    c.events.push_back({t, r, id, std::move(v)});
    return *this;
  }
  story& create(std::uint16_t r, std::int64_t id, std::vector<messages::field_value> v = {}) {
    return event(messages::event_type::row_created, r, id, std::move(v));
  }
  story& change(std::uint16_t r, std::int64_t id, std::vector<messages::field_value> v) {
    return event(messages::event_type::row_changed, r, id, std::move(v));
  }
  story& remove(std::uint16_t r, std::int64_t id) {
    return event(messages::event_type::row_removed, r, id);
  }
  // NOLINTNEXTLINE(google-explicit-constructor): a story is told where a commit is wanted
  operator const messages::commit&() const { return c; }
};

inline messages::entity_ref fleet(std::int64_t id) {
  return {messages::entity_kind::fleet, id};
}
inline messages::entity_ref device(std::int64_t id) {
  return {messages::entity_kind::device, id};
}

inline messages::errc code_of(const messages::result<messages::appended>& r) {
  return r ? messages::errc::none : r.error().code;
}

inline std::vector<messages::log_record>
records(const event_log& log, int partition, std::uint64_t from = 1) {
  std::vector<messages::log_record> found;
  REQUIRE(log.read(partition, from, [&found](const messages::log_record& r) {
    found.push_back(r);
    return true;
  }));
  return found;
}

}  // namespace slipway::tests
