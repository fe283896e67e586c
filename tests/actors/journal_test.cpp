#include "actors/journal.hpp"

#include "tests/support/server_world.hpp"

#include <caf/scoped_actor.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>

using namespace slipway;
using messages::commit;
using messages::errc;
using messages::outcome;
using messages::result;

namespace {

/// Counts calls, and can be stopped within one.
class counting_log : public storage::event_log {
public:
  std::vector<result<messages::appended>> append(std::span<const commit> commits) override {
    std::unique_lock lock(mutex_);
    calls_.push_back(commits.size());
    entered_.notify_all();
    released_.wait(lock, [this] { return open_; });
    std::vector<result<messages::appended>> out;
    for (const auto& c : commits) {
      if (c.answer < 0) {
        out.emplace_back(messages::fail(errc::unique_violated, "\"x\" must be unique."));
        continue;
      }
      messages::appended a;
      a.position = {0, ++seq_};
      a.answer = c.answer;
      a.repeated = c.actor == repeated_actor;
      out.emplace_back(a);
    }
    return out;
  }
  result<void> read(int, std::uint64_t, const std::function<bool(const messages::log_record&)>&)
    const override {
    return {};
  }
  heads last() const override { return {}; }
  result<std::uint64_t> version(messages::entity_ref) const override { return 0; }
  result<std::optional<messages::appended>> answered(const messages::command_id&) const override {
    return std::nullopt;
  }
  std::int64_t next_id(int) override { return 0; }

  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void wait_until_called(std::size_t times) {
    std::unique_lock lock(mutex_);
    REQUIRE(
      entered_.wait_for(lock, std::chrono::minutes(1), [&] { return calls_.size() >= times; }));
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    released_.notify_all();
  }
  std::vector<std::size_t> calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  static constexpr std::int64_t repeated_actor = 4711;

private:
  std::mutex mutex_;
  std::condition_variable entered_, released_;
  bool open_ = true;
  std::vector<std::size_t> calls_;
  std::uint64_t seq_ = 0;
};

commit numbered(std::int64_t answer, std::int64_t actor = 0) {
  commit c;
  c.entity = {messages::entity_kind::user, 65};
  c.answer = answer;
  c.actor = actor;
  return c;
}

/// The journal on its own thread, as it always is, and a test that waits for its answers.
struct fixture {
  tests::server_config config{false};
  caf::actor_system system{config};
  std::shared_ptr<counting_log> log = std::make_shared<counting_log>();
  caf::scoped_actor self{system};
  std::atomic<std::size_t> committed{0};
  actors::journal_actor journal =
    actors::spawn_journal(system, log, [this](std::span<const messages::log_record> records) {
      committed += records.size();
    });

  ~fixture() {
    caf::anon_send_exit(caf::actor_cast<caf::actor>(journal), caf::exit_reason::user_shutdown);
  }
  void send(std::uint64_t correlation, commit c) { self->send(journal, correlation, std::move(c)); }
  std::pair<std::uint64_t, outcome> answer() {
    std::pair<std::uint64_t, outcome> got;
    bool late = false;
    self->receive(
      [&](std::uint64_t n, const outcome& o) {
        got = {n, o};
      },
      caf::after(std::chrono::minutes(1)) >> [&] { late = true; });
    REQUIRE_FALSE(late);
    return got;
  }
};

}  // namespace

TEST_CASE("the journal answers each append with its correlation and what the log said") {
  fixture f;
  f.send(7, numbered(65));
  f.send(8, numbered(-1));
  const auto first = f.answer();
  CHECK(first.first == 7);
  CHECK(first.second.ok());
  CHECK(first.second.appended.answer == 65);
  const auto second = f.answer();
  CHECK(second.first == 8);
  CHECK(second.second.failure.code == errc::unique_violated);
}

TEST_CASE("appends that come while one is written go to the log in one call") {
  fixture f;
  f.log->close();
  f.send(0, numbered(1));
  f.log->wait_until_called(1);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    f.send(i, numbered(1));
  }
  f.log->open();
  for (std::uint64_t i = 0; i <= 100; ++i) {
    CHECK(f.answer().first == i);
  }
  CHECK(f.log->calls() == std::vector<std::size_t>{1, 100});
}

TEST_CASE("a flush is bounded, and more appends than may wait are refused") {
  fixture f;
  f.log->close();
  f.send(0, numbered(1));
  f.log->wait_until_called(1);
  constexpr std::size_t too_many = 5;
  const auto all = actors::appends_waiting_max + too_many;
  for (std::uint64_t i = 1; i <= all; ++i) {
    f.send(i, numbered(1));
  }
  f.log->open();
  std::size_t refused = 0;
  std::size_t done = 0;
  for (std::size_t i = 0; i <= all; ++i) {
    const auto a = f.answer();
    refused += a.second.failure.code == errc::too_many_requests ? 1U : 0U;
    done += a.second.ok() ? 1U : 0U;
  }
  CHECK(refused == too_many);
  CHECK(done == all + 1 - too_many);
  for (const auto size : f.log->calls()) {
    CHECK(size <= actors::appends_per_flush_max);
  }
}

TEST_CASE("caches have forgotten before anybody is answered, and only for what was written") {
  fixture f;
  f.send(1, numbered(1));
  CHECK(f.answer().second.ok());
  CHECK(f.committed == 1);
  f.send(2, numbered(1, counting_log::repeated_actor));
  CHECK(f.answer().second.appended.repeated);
  f.send(3, numbered(-1));
  CHECK_FALSE(f.answer().second.ok());
  CHECK(f.committed == 1);
}

TEST_CASE("who tails the journal is sent what was written, once") {
  fixture f;
  caf::scoped_actor tail{f.system};
  f.self->send(f.journal, actors::tail_atom::value, caf::actor_cast<caf::actor>(tail));
  f.send(1, numbered(-1));
  static_cast<void>(f.answer());
  f.send(2, numbered(65));
  static_cast<void>(f.answer());
  std::size_t records = 0;
  std::int64_t said = 0;
  tail->receive(
    [&](const actors::record_batch& b) {
      records = b->size();
      said = b->at(0).commit.answer;
    },
    caf::after(std::chrono::minutes(1)) >> [] {});
  CHECK(records == 1);
  CHECK(said == 65);
}
