#include "actors/uploads.hpp"

#include "runtime/crypto.hpp"
#include "storage/file_blob_store.hpp"
#include "tests/support/temp_folder.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <optional>
#include <utility>

using namespace slipway;
using namespace std::chrono_literals;
using messages::errc;
using messages::result;

namespace {

/// Stores in a folder and an actor system on virtual time above them. Nothing runs but in `ask` and `advance`.
class server {
public:
  explicit server(const std::string& folder, actors::upload_limits limits = {})
    : blobs(*storage::open_file_blobs({folder + "/blobs"})),
      repositories(*storage::open_repository_store(folder + "/registry")),
      system(config.use_virtual_time()),
      uploads(actors::make_uploads(system, *blobs, *repositories, limits, [this] {
        // The session reads the clock where it uses its disk.
        time().advance_time(std::exchange(disk_stall, 0s));
        return now;
      })) {}
  ~server() {
    uploads.reset();
    time().run();
  }

  template <class T, class F>
  result<T> ask(F question) {
    std::optional<result<T>> answer;
    question([&answer](result<T> r) { answer = std::move(r); });
    time().run();
    REQUIRE(answer);
    return std::move(*answer);
  }
  result<std::string> open(const std::string& repository) {
    return ask<std::string>([&](auto done) { uploads->open(repository, done); });
  }
  result<std::shared_ptr<actors::upload_loan>> lend(
    const std::string& id,
    const std::string& repository = "app") {
    return ask<std::shared_ptr<actors::upload_loan>>(
      [&](auto done) { uploads->lend(id, repository, done); });
  }
  result<std::uint64_t> offset(const std::string& id, const std::string& repository = "app") {
    return ask<std::uint64_t>([&](auto done) { uploads->offset(id, repository, done); });
  }
  result<void> cancel(const std::string& id) {
    return ask<void>([&](auto done) { uploads->cancel(id, "app", done); });
  }
  void advance(std::chrono::seconds s) {
    now += std::chrono::milliseconds(s).count();
    time().run();
    time().advance_time(s);
    time().run();
  }
  caf::scheduler::test_coordinator& time() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  struct test_config : caf::actor_system_config {
    test_config& use_virtual_time() {
      set("scheduler.policy", caf::atom("testing"));
      return *this;
    }
  };

  std::int64_t now = 1'000'000;
  std::chrono::seconds disk_stall{0};  ///< how long the next write of a session's row takes
  std::unique_ptr<storage::file_blob_store> blobs;
  std::unique_ptr<storage::repository_store> repositories;
  test_config config;
  caf::actor_system system;
  std::unique_ptr<actors::uploads> uploads;
};

storage::digest digest_of(std::string_view bytes) {
  return {"sha256:" + runtime::sha256_hex(bytes)};
}

}  // namespace

TEST_CASE("an upload is lent, written and finished, and is then unknown") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  {
    auto loan = s.lend(id).value();
    REQUIRE(loan->writer().append(std::string_view("bytes")));
    CHECK(s.offset(id) == 5U);
    REQUIRE(loan->writer().finish(digest_of("bytes")));
    loan->over();
  }
  CHECK(s.offset(id).error().code == errc::upload_unknown);
  CHECK(s.blobs->exists(digest_of("bytes")) == true);
  CHECK(s.repositories->upload(id).error().code == errc::upload_unknown);
}

TEST_CASE("one request at a time has the writer") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  auto loan = s.lend(id).value();
  CHECK(s.lend(id).error().code == errc::conflict);
  CHECK(s.cancel(id).error().code == errc::conflict);
  loan.reset();
  CHECK(s.lend(id));
}

TEST_CASE("another repository's upload is unknown, before and after a restart") {
  const test::temp_folder folder;
  std::string id;
  {
    server s(folder.path());
    id = s.open("app").value();
    CHECK(s.offset(id, "other").error().code == errc::upload_unknown);
    CHECK(s.offset(id) == 0U);
  }
  server s(folder.path());
  CHECK(s.lend(id, "other").error().code == errc::upload_unknown);
  CHECK(s.lend(id, "app"));
}

TEST_CASE("an upload goes on after the server was started anew") {
  const test::temp_folder folder;
  std::string id;
  {
    server s(folder.path());
    id = s.open("app").value();
    REQUIRE(s.lend(id).value()->writer().append(std::string_view("first ")));
  }
  server s(folder.path());
  CHECK(s.offset(id) == 6U);
  auto loan = s.lend(id).value();
  REQUIRE(loan->writer().append(std::string_view("second")));
  REQUIRE(loan->writer().finish(digest_of("first second")));
}

TEST_CASE("an idle session leaves memory and comes back with its bytes") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  REQUIRE(s.lend(id).value()->writer().append(std::string_view("kept")));
  s.time().run();
  CHECK(s.blobs->resume(id).error().code == errc::conflict);
  s.advance(601s);
  CHECK(s.blobs->resume(id));  // nobody holds its writer any more
  CHECK(s.offset(id) == 4U);
}

TEST_CASE("a lent session never leaves memory") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  auto loan = s.lend(id).value();
  s.advance(601s);
  s.advance(601s);
  CHECK(s.lend(id).error().code == errc::conflict);
}

TEST_CASE("an upload that nobody goes on with expires with its bytes") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  REQUIRE(s.lend(id).value()->writer().append(std::string_view("lost")));
  for (int hour = 0; hour < 23; ++hour) {
    s.advance(3600s);
  }
  CHECK(std::filesystem::exists(folder.path() + "/blobs/uploads/" + id));
  for (int hour = 0; hour < 3; ++hour) {
    s.advance(3600s);
  }
  CHECK(!std::filesystem::exists(folder.path() + "/blobs/uploads/" + id));
  CHECK(s.offset(id).error().code == errc::upload_unknown);
}

TEST_CASE("a cancelled upload is gone at once") {
  const test::temp_folder folder;
  server s(folder.path());
  const auto id = s.open("app").value();
  REQUIRE(s.cancel(id));
  CHECK(s.cancel(id).error().code == errc::upload_unknown);
  CHECK(std::filesystem::is_empty(folder.path() + "/blobs/uploads"));
}

TEST_CASE("new uploads are refused at the limit of sessions and accepted below it again") {
  const test::temp_folder folder;
  actors::upload_limits limits;
  limits.sessions_max = 2;
  server s(folder.path(), limits);
  const auto first = s.open("app").value();
  REQUIRE(s.open("app"));
  CHECK(s.open("app").error().code == errc::too_many_requests);
  REQUIRE(s.cancel(first));
  CHECK(s.open("app"));
}

TEST_CASE("unknown uploads and those that could not begin take no place of a session") {
  const test::temp_folder folder;
  std::string id;
  {
    server s(folder.path());
    id = s.open("app").value();
  }
  actors::upload_limits limits;
  limits.sessions_max = 2;
  server s(folder.path(), limits);
  for (const char last : {'a', 'b', 'c'}) {
    CHECK(s.offset(std::string(31, '0') + last).error().code == errc::upload_unknown);
    CHECK(s.offset(id, "other").error().code == errc::upload_unknown);
  }
  const auto uploads = folder.path() + "/blobs/uploads";
  std::filesystem::rename(uploads, folder.path() + "/away");
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(s.open("app"));
    CHECK_FALSE(s.offset(id));
  }
  std::filesystem::rename(folder.path() + "/away", uploads);
  CHECK(s.offset(id) == 0U);
  CHECK(s.open("app"));
}

TEST_CASE("at the limit of sessions an upload that left memory waits until another one is over") {
  const test::temp_folder folder;
  actors::upload_limits limits;
  limits.sessions_max = 1;
  server s(folder.path(), limits);
  const auto first = s.open("app").value();
  s.advance(601s);
  const auto second = s.open("app").value();
  CHECK(s.lend(first).error().code == errc::too_many_requests);
  CHECK(s.offset(first).error().code == errc::too_many_requests);
  CHECK(s.offset(std::string(32, '0')).error().code == errc::upload_unknown);
  REQUIRE(s.cancel(second));
  CHECK(s.lend(first));
}

TEST_CASE("a writer that is lent later than the request waited for it comes back by itself") {
  const test::temp_folder folder;
  std::string id;
  {
    server s(folder.path());
    id = s.open("app").value();
  }
  server s(folder.path());
  s.time().run();  // the first sweep
  s.disk_stall = 11s;
  CHECK(s.lend(id).error().code == errc::timed_out);
  CHECK(s.lend(id));
}

TEST_CASE("the uploads of one repository leave places for others") {
  const test::temp_folder folder;
  actors::upload_limits limits;
  limits.sessions_of_one_max = 2;
  server s(folder.path(), limits);
  const auto first = s.open("app").value();
  REQUIRE(s.open("app"));
  CHECK(s.open("app").error().code == errc::too_many_requests);
  CHECK(s.open("other"));
  REQUIRE(s.cancel(first));
  const auto third = s.open("app").value();
  CHECK(s.open("app").error().code == errc::too_many_requests);
  s.advance(601s);  // all leave memory, and one comes back
  CHECK(s.offset(third) == 0U);
  CHECK(s.open("app"));
  CHECK(s.open("app").error().code == errc::too_many_requests);
}

TEST_CASE("made-up upload ids are unknown uploads") {
  const test::temp_folder folder;
  server s(folder.path());
  for (const auto* id : {"", "x", "../../etc/passwd", "0123456789abcdef0123456789abcdef"}) {
    CHECK(s.lend(id).error().code == errc::upload_unknown);
    CHECK(s.offset(id).error().code == errc::upload_unknown);
    CHECK(s.cancel(id).error().code == errc::upload_unknown);
  }
}
