#include "actors/build_rows.hpp"
#include "actors/make_builds.hpp"
#include "domain/build_life.hpp"
#include "domain/numbers.hpp"
#include "tests/support/server_world.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

using namespace slipway;
using messages::field_value;
using messages::value;

namespace {

const domain::numbers::table& n() {
  return domain::numbers::get();
}

/// Keeps what builds print in memory.
struct memory_logs final : storage::build_logs {
  std::map<std::int64_t, std::vector<std::string>> lines;
  std::map<std::int64_t, std::string> ends;

  messages::result<void>
  append(std::int64_t release, std::int64_t, std::span<const messages::output_line> more) override {
    for (const auto& l : more) {
      lines[release].push_back(l.text);
    }
    return {};
  }
  messages::result<void> finish(std::int64_t release, std::int64_t, std::string_view status)
    override {
    ends[release] = status;
    return {};
  }
  messages::result<void> remove(std::int64_t release) override {
    lines.erase(release);
    return {};
  }
  [[nodiscard]] messages::result<part> read(std::int64_t, std::uint64_t, std::size_t)
    const override {
    return part{};
  }
  std::shared_ptr<void> follow(std::int64_t, std::function<void()>) override { return nullptr; }
};

/// A server with one fleet, builds, and workers whose words the test says.
struct world : tests::server_world {
  std::int64_t now = 1'700'000'000'000;
  messages::entity_ref fleet{messages::entity_kind::fleet, stored.store.log->next_id(3)};
  memory_logs logs;
  std::map<std::string, std::vector<messages::envelope>> told;  ///< by worker
  std::set<std::string> away;
  std::optional<std::string> ref = std::nullopt;
  bool repository_broken = false;
  std::string source_file =
    (std::filesystem::temp_directory_path() / ("slipway-builds-" + std::to_string(::getpid())))
      .string();
  std::unique_ptr<actors::builds> builds;
  std::optional<messages::result<actors::build_ticket>> ticket;

  world() {
    have_fleet();
    start();
  }
  ~world() { stop(); }

  /// Rows that a fleet needs, as a log from before would have them.
  void have_fleet() {
    messages::commit c;
    c.entity = fleet;
    c.expected_version = messages::any_version;
    c.events.push_back(
      {messages::event_type::row_created,
       n().application.resource,
       fleet.id,
       {{n().application.app_name, "cars"},
        {n().application.slug, "acme/cars"},
        {n().application.should_track_latest_release, true}}});
    REQUIRE(stored.store.log->append({&c, 1}).at(0));
  }

  void start() {
    auto w = std::make_shared<actors::build_world>();
    w->model = stored.model;
    w->store = stored.store;
    w->directory = &directory;
    w->logs = &logs;
    w->now = [this] { return now; };
    w->steady_ms = [this] { return now; };
    w->send = [this](const std::string& worker, const std::string& sealed) {
      auto all = messages::unpack_envelopes(sealed, 1);
      told[worker].push_back(all.value().at(0));
      return !away.contains(worker);
    };
    w->mint_token = [](std::int64_t, const auto& push, const auto&) {
      return messages::result<std::string>("token for " + push.at(0));
    };
    w->ref_of =
      [this](std::int64_t, const std::string&) -> messages::result<std::optional<std::string>> {
      if (repository_broken) {
        return messages::fail(messages::errc::io_failed, "the disk is away");
      }
      return ref;
    };
    builds = actors::make_builds(system(), w, journal_handle());
    run();
  }
  void stop() {
    if (builds) {
      stop_builds();
    }
    std::filesystem::remove(source_file);
  }
  /// Under the test scheduler nobody runs while a destructor waits.
  void stop_builds() {
    std::atomic<bool> stopped{false};
    std::thread runner([&stopped, stopping = std::move(builds)]() mutable {
      stopping.reset();
      stopped = true;
    });
    while (!stopped) {
      run();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    runner.join();
  }

  actors::build_order order(const std::string& source = "push") {
    std::ofstream(source_file) << "tar of a source";
    actors::build_order o;
    o.fleet = fleet.id;
    o.architecture = "amd64";
    o.source_file = source_file;
    o.source_bytes = 15;
    o.command.by.kind = messages::requester_kind::platform;
    o.command.commit = std::string(40, 'c');
    o.command.source = source;
    o.command.ref = source == "git" ? "refs/heads/main" : "";
    o.command.plan.composition = "{}";
    for (const auto* name : {"web", "worker"}) {
      messages::service_plan s;
      s.name = name;
      o.command.plan.services.push_back(s);
    }
    return o;
  }
  actors::build_ticket submit(const std::string& source = "push") {
    builds->submit(order(source), [this](auto t) { ticket = std::move(t); });
    run();
    REQUIRE(ticket.has_value());
    INFO((ticket->has_value() ? "" : ticket->error().detail));
    REQUIRE(ticket->has_value());
    return **ticket;
  }

  template <class T>
  void say(const std::string& worker, const T& word) {
    const auto all = messages::unpack_envelopes(messages::seal(word, 0, now), 1);
    builds->worker_said(worker, all.value().at(0));
    run();
  }
  void join(const std::string& worker, std::vector<std::int64_t> has = {}) {
    messages::worker_joined j;
    j.name = worker;
    j.architectures = {"amd64"};
    j.builds = std::move(has);
    say(worker, j);
  }
  void succeed(const std::string& worker, std::int64_t build, std::int64_t attempt = 1) {
    for (const auto* name : {"web", "worker"}) {
      messages::service_changed s;
      s.build = build;
      s.attempt = attempt;
      s.service.name = name;
      s.service.status = "success";
      s.service.content_hash = "sha256:" + std::string(64, 'a');
      say(worker, s);
    }
    end(worker, build, "", attempt);
  }
  void end(
    const std::string& worker,
    std::int64_t build,
    const std::string& error,
    std::int64_t attempt = 1,
    bool may_retry = false) {
    messages::build_ended e;
    e.build = build;
    e.attempt = attempt;
    e.error = error;
    e.may_retry = may_retry;
    say(worker, e);
  }
  void pass(std::int64_t ms) {
    now += ms;
    advance(std::chrono::seconds(2));
  }

  [[nodiscard]] std::string status(std::int64_t build) {
    const auto view = stored.store.rows->view();
    return actors::facts_of(*view, build).value().status;
  }
  [[nodiscard]] std::string release_status(std::int64_t build) {
    const auto view = stored.store.rows->view();
    return actors::facts_of(*view, build).value().release_status;
  }
  /// What a worker was told, of one kind.
  template <class T>
  std::vector<T> words(const std::string& worker) {
    std::vector<T> out;
    for (const auto& e : told[worker]) {
      if (e.type == T::type) {
        out.push_back(messages::open<T>(e).value());
      }
    }
    return out;
  }
};

}  // namespace

TEST_CASE("a build is queued in the log before its client hears of it, and given to a worker") {
  world w;
  const auto t = w.submit();
  CHECK(w.status(t.build) == "queued");
  CHECK(w.release_status(t.build) == "running");
  w.join("one");
  CHECK(w.status(t.build) == "running");
  const auto runs = w.words<messages::run_build>("one");
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].build == t.build);
  CHECK(runs[0].images.size() == 2);
  CHECK(runs[0].source_bytes == 15);
}

TEST_CASE("a worker gets the source in parts and tokens for what it pushes") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.say("one", messages::get_source{t.build, 4});
  const auto parts = w.words<messages::source_part>("one");
  REQUIRE(parts.size() == 1);
  CHECK(std::string(parts[0].bytes.begin(), parts[0].bytes.end()) == "of a source");
  w.say("one", messages::get_push_token{t.build, "web"});
  const auto tokens = w.words<messages::push_token>("one");
  REQUIRE(tokens.size() == 1);
  CHECK(tokens[0].token.starts_with("token for v2/"));
}

TEST_CASE("a build with all images is released, its log ended and its source removed") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.succeed("one", t.build);
  CHECK(w.status(t.build) == "released");
  CHECK(w.release_status(t.build) == "success");
  CHECK(w.logs.ends[t.release] == "released");
  CHECK_FALSE(std::filesystem::exists(w.source_file));
}

TEST_CASE("a worker that ends without every image fails, and after it the build") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.end("one", t.build, "");
  CHECK(w.status(t.build) == "running");
  CHECK(w.words<messages::run_build>("one").back().attempt == 2);
  w.end("one", t.build, "", 2);
  CHECK(w.status(t.build) == "failed");
  CHECK(w.release_status(t.build) == "failed");
}

TEST_CASE("a project that cannot be built fails at once, with the reason in row and log") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.end("one", t.build, "web: exit status 1");
  CHECK(w.status(t.build) == "failed");
  CHECK(w.words<messages::run_build>("one").size() == 1);
  CHECK(w.logs.lines[t.release].back().find("web: exit status 1") != std::string::npos);
}

TEST_CASE("a lost worker's build is tried once more elsewhere, then fails") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.pass(messages::worker_lease_ms + 1);
  CHECK(w.status(t.build) == "queued");
  w.join("two");
  REQUIRE(w.words<messages::run_build>("two").size() == 1);
  CHECK(w.words<messages::run_build>("two")[0].attempt == 2);
  w.pass(messages::worker_lease_ms + 1);
  CHECK(w.status(t.build) == "failed");
  CHECK(w.release_status(t.build) == "failed");
}

TEST_CASE("a build that a worker gives back goes to another one, and others' builds do too") {
  world w;
  w.join("one");
  const auto t = w.submit();
  w.join("two");
  w.end("one", t.build, "no space left", 1, true);
  REQUIRE(w.words<messages::run_build>("two").size() == 1);
  CHECK(w.words<messages::run_build>("two")[0].attempt == 2);
  w.succeed("two", t.build, 2);
  const auto next = w.submit();
  CHECK(w.words<messages::run_build>("two").back().build == next.build);
  CHECK(w.words<messages::run_build>("one").size() == 1);
}

TEST_CASE("a worker that stops gives its builds back and gets none") {
  world w;
  w.join("one");
  const auto t = w.submit();
  messages::worker_joined stopping;
  stopping.name = "one";
  stopping.builds = {t.build};
  w.say("one", stopping);
  w.end("one", t.build, "the worker stops", 1, true);
  CHECK(w.status(t.build) == "queued");
  CHECK(w.words<messages::run_build>("one").size() == 1);
  w.join("one");  // begun anew
  CHECK(w.words<messages::run_build>("one").size() == 2);
}

TEST_CASE("a build that its worker does not know of is begun again") {
  world w;
  w.join("one");
  const auto t = w.submit();
  w.say("one", messages::worker_beat{});
  CHECK(w.words<messages::run_build>("one").size() == 1);  // it may be on its way
  w.now += actors::run_heard_ms_max + 1;
  w.say("one", messages::worker_beat{{t.build}});
  CHECK(w.words<messages::run_build>("one").size() == 1);
  w.say("one", messages::worker_beat{});
  REQUIRE(w.words<messages::run_build>("one").size() == 2);
  CHECK(w.words<messages::run_build>("one")[1].attempt == 2);
}

TEST_CASE("a worker that was silent is told to end what it lost, and gets builds again") {
  world w;
  w.join("one");
  const auto t = w.submit();
  w.pass(messages::worker_lease_ms + 1);
  REQUIRE(w.status(t.build) == "queued");
  w.say("one", messages::worker_beat{{t.build}});
  CHECK(w.words<messages::cancel_build>("one").size() == 1);
  CHECK(w.words<messages::run_build>("one").size() == 2);
  CHECK(w.status(t.build) == "running");
}

TEST_CASE("an attempt of which no worker heard does not count") {
  world w;
  w.away = {"one"};
  w.join("one");
  const auto t = w.submit();
  w.builds->worker_down("one");
  w.run();
  CHECK(w.status(t.build) == "queued");
  w.away.clear();
  w.join("one");
  CHECK(w.status(t.build) == "running");
  CHECK(w.words<messages::run_build>("one").back().attempt == 1);
}

TEST_CASE("words of an earlier attempt, or of a worker that lost the build, change nothing") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.end("one", t.build, "engine gone", 1, true);
  REQUIRE(w.status(t.build) == "running");  // the same worker has it again
  w.succeed("one", t.build, 1);
  CHECK(w.status(t.build) == "running");
  w.succeed("stranger", t.build, 2);
  CHECK(w.status(t.build) == "running");
  w.succeed("one", t.build, 2);
  CHECK(w.status(t.build) == "released");
}

TEST_CASE("a worker that joins again without its build has lost it") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.join("one");
  CHECK(w.words<messages::run_build>("one").size() == 2);
  CHECK(w.status(t.build) == "running");
}

TEST_CASE("a worker is told to end builds that are not its own") {
  world w;
  w.join("one", {77});
  const auto cancels = w.words<messages::cancel_build>("one");
  REQUIRE(cancels.size() == 1);
  CHECK(cancels[0].build == 77);
}

TEST_CASE("a cancelled build ends its release and tells its worker") {
  world w;
  const auto t = w.submit();
  w.join("one");
  w.builds->cancel(t.release, "the client went away");
  w.run();
  CHECK(w.status(t.build) == "cancelled");
  CHECK(w.release_status(t.build) == "cancelled");
  CHECK(w.words<messages::cancel_build>("one").size() == 1);
}

TEST_CASE("a release that is cancelled in the model cancels its build") {
  world w;
  const auto t = w.submit();
  messages::change_row cmd;
  cmd.by.kind = messages::requester_kind::platform;
  cmd.resource = n().release.resource;
  cmd.id = t.release;
  cmd.values = {{n().release.status, "cancelled"}};
  REQUIRE(w.ask(w.fleet, cmd).ok());
  auto batch = std::make_shared<std::vector<messages::log_record>>();
  (void)w.stored.store.log->read(
    messages::partition_of(w.fleet.id),
    1,
    [&](const messages::log_record& r) {
      batch->push_back(r);
      return true;
    });
  for (const auto& s : w.journal.subscribers) {
    caf::anon_send(s, actors::record_batch(batch));
  }
  w.run();
  CHECK(w.status(t.build) == "cancelled");
}

TEST_CASE("a git build waits for its ref, and is released when the ref is at its commit") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  CHECK(w.status(t.build) == "pushed");
  CHECK(w.release_status(t.build) == "running");
  w.advance(std::chrono::hours(4));  // git may take so long
  CHECK(w.status(t.build) == "pushed");
  w.ref = std::string(40, 'c');
  std::string settled;
  w.builds->settle(t.release, [&](const auto& s) { settled = s.value(); });
  w.run();
  CHECK(settled == "released");
  CHECK(w.release_status(t.build) == "success");
}

TEST_CASE("a git build whose ref did not move fails") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  w.builds->settle(t.release, [](const auto&) {});
  w.run();
  CHECK(w.status(t.build) == "failed");
  CHECK(w.release_status(t.build) == "failed");
}

TEST_CASE("a git build whose repository cannot be read waits until it can") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  w.ref = std::string(40, 'c');
  w.repository_broken = true;
  std::vector<std::string> settled;
  for (int i = 0; i < 2; ++i) {
    w.builds->settle(t.release, [&](const auto& s) { settled.push_back(s.value()); });
    w.run();
  }
  w.advance(actors::ref_again_after);
  CHECK(w.status(t.build) == "pushed");

  w.stop_builds();  // so does a new start
  w.start();
  w.advance(actors::ref_again_after);
  CHECK(w.status(t.build) == "pushed");
  w.repository_broken = false;
  w.advance(actors::ref_again_after);
  CHECK(w.status(t.build) == "released");
  CHECK(w.release_status(t.build) == "success");
  CHECK(settled.empty());  // nobody was told an end that nobody knew
}

TEST_CASE("a push whose repository cannot be read at first is settled once it can") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  w.repository_broken = true;
  std::string settled;
  w.builds->settle(t.release, [&](const auto& s) { settled = s.value(); });
  w.run();
  CHECK(settled.empty());
  w.repository_broken = false;
  w.advance(actors::ref_again_after);
  CHECK(settled == "failed");
}

TEST_CASE("a push that ends before its build cancels it") {
  world w;
  const auto t = w.submit("git");
  w.builds->settle(t.release, [](const auto&) {});
  w.run();
  CHECK(w.status(t.build) == "cancelled");
}

TEST_CASE("a restart ends what was under way, and asks the ref about what was pushed") {
  world w;
  const auto queued = w.submit();
  w.stop_builds();
  w.start();
  CHECK(w.status(queued.build) == "failed");
  CHECK(w.release_status(queued.build) == "failed");
  CHECK(w.logs.ends[queued.release] == "failed");

  const auto pushed = w.submit("git");
  w.join("one");
  w.succeed("one", pushed.build);
  REQUIRE(w.status(pushed.build) == "pushed");
  w.stop_builds();
  w.ref = std::string(40, 'c');
  w.start();
  CHECK(w.status(pushed.build) == "released");
}

TEST_CASE("a build that a restart could not end is ended once the log answers again") {
  world w;
  const auto t = w.submit();
  w.stop_builds();
  w.journal.failure = messages::error{messages::errc::unavailable, "the disk is away"};
  w.start();
  CHECK(w.status(t.build) == "queued");
  w.journal.failure.reset();
  w.advance(std::chrono::seconds(10));
  CHECK(w.status(t.build) == "failed");
  CHECK(w.logs.ends[t.release] == "failed");
}

TEST_CASE("a git build whose ref moved is released although the log was away for long") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  REQUIRE(w.status(t.build) == "pushed");
  w.ref = std::string(40, 'c');
  w.journal.failure = messages::error{messages::errc::disk_full, "no space left"};
  std::optional<messages::result<std::string>> settled;
  w.builds->settle(t.release, [&](const auto& s) { settled = s; });
  w.advance(std::chrono::minutes(3));
  CHECK(w.status(t.build) == "pushed");
  REQUIRE(settled.has_value());
  CHECK_FALSE(settled->has_value());
  w.journal.failure.reset();
  w.advance(std::chrono::seconds(20));
  CHECK(w.status(t.build) == "released");
  CHECK(w.release_status(t.build) == "success");
}

TEST_CASE(
  "a pushed build whose release was cancelled while the server was away fails at its start") {
  world w;
  const auto t = w.submit("git");
  w.join("one");
  w.succeed("one", t.build);
  w.stop_builds();
  messages::change_row cmd;
  cmd.by.kind = messages::requester_kind::platform;
  cmd.resource = n().release.resource;
  cmd.id = t.release;
  cmd.values = {{n().release.status, "cancelled"}};
  REQUIRE(w.ask(w.fleet, cmd).ok());
  w.ref = std::string(40, 'c');
  w.start();
  CHECK(w.status(t.build) != "pushed");
  CHECK(w.logs.ends.contains(t.release));
}

TEST_CASE("a build whose order came through after its client was refused is ended") {
  world w;
  auto order = w.order().command;
  REQUIRE(w.ask(w.fleet, order).ok());  // as if its actor had given up before the answer
  const auto unfinished = [&] { return actors::unfinished_builds(*w.stored.store.rows->view()); };
  REQUIRE(unfinished().size() == 1);
  w.advance(3 * actors::orphans_every);
  CHECK(unfinished().empty());
}

TEST_CASE("a fleet has a number of builds at once, and no more") {
  world w;
  for (std::size_t i = 0; i < actors::builds_per_fleet_max; ++i) {
    w.submit();
  }
  w.ticket.reset();
  w.builds->submit(w.order(), [&w](auto t) { w.ticket = std::move(t); });
  w.run();
  REQUIRE(w.ticket.has_value());
  REQUIRE_FALSE(w.ticket->has_value());
  CHECK(w.ticket->error().code == messages::errc::too_many_requests);
  CHECK_FALSE(std::filesystem::exists(w.source_file));
}

TEST_CASE("a build that no worker takes is cancelled in the end") {
  world w;
  const auto t = w.submit();
  w.pass(actors::build_queue_ms_max + 1);
  CHECK(w.status(t.build) == "cancelled");
}
