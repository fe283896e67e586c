#include "agent/posix/docker_host.hpp"
#include "agent/posix/files.hpp"
#include "agent/posix/host.hpp"
#include "agent/posix/host_commands.hpp"
#include "agent/posix/lock_files.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace slipway;
using namespace slipway::agent;

TEST_CASE("a file is written whole, for its owner only, and read back") {
  const test::temp_folder f;
  const std::filesystem::path folder(f.path());
  posix_files files(folder);
  CHECK(files.read("x").error().code == messages::errc::not_found);
  REQUIRE(files.write("x", "one"));
  REQUIRE(files.write("x", "two"));
  CHECK(*files.read("x") == "two");
  struct stat s {};
  ::stat((folder / "x").c_str(), &s);
  CHECK((s.st_mode & 0777) == 0600);
  ::chmod((folder / "x").c_str(), 0644);
  REQUIRE(files.write("x", "three"));
  ::stat((folder / "x").c_str(), &s);
  CHECK((s.st_mode & 0777) == 0644);
  CHECK_FALSE(std::filesystem::exists(folder / "x.new"));
}

TEST_CASE("a folder that is gone is an error, not a crash") {
  posix_files files("/nonexistent/folder");
  CHECK_FALSE(files.write("x", "one"));
}

TEST_CASE("this machine has facts and metrics") {
  posix_host host("/tmp");
  CHECK_FALSE(host.facts().os_version.empty());
  CHECK_FALSE(host.facts().arch.empty());
  CHECK(host.metrics().memory_total_mb.value_or(0) > 0);
  CHECK(host.metrics().storage_total_mb.value_or(0) > 0);
}

TEST_CASE("the device's key goes to the platform's registry only") {
  struct row {
    const char* image;
    const char* endpoint;
    const char* registry;
    bool ours;
  };
  const row table[] = {
    {"127.0.0.1:8080/v2/abc", "http://127.0.0.1:8080", "", true},
    {"127.0.0.1:5000/v2/abc", "http://127.0.0.1:8080", "", false},
    {"registry2.example.com/v2/abc", "https://api.example.com", "", true},
    {"registry2.example.com.evil.org/v2/abc", "https://api.example.com", "", false},
    {"registry2.evil.org/v2/abc", "https://api.example.com", "", false},
    {"docker.io/library/alpine", "https://api.example.com", "", false},
    {"alpine", "https://api.example.com", "", false},
    {"reg.example.com:5000/v2/abc", "https://api.example.com", "reg.example.com:5000", true},
    {"registry2.example.com/v2/abc", "https://api.example.com", "reg.example.com:5000", false},
  };
  for (const auto& r : table) {
    INFO(r.image);
    CHECK(is_platform_image(r.image, {r.endpoint, r.registry, "k"}) == r.ours);
  }
}

TEST_CASE("the progress of a pull only grows and ends at a hundred") {
  pull_progress p;
  int last = 0;
  const runtime::transfer_progress events[] = {
    {"latest", "Pulling from v2/abc", 0, 0},
    {"a", "Pulling fs layer", 0, 0},
    {"b", "Pulling fs layer", 0, 0},
    {"a", "Downloading", 50, 100},
    {"a", "Download complete", 0, 0},
    {"a", "Extracting", 100, 100},
    {"a", "Pull complete", 0, 0},
    {"c", "Pulling fs layer", 0, 0},
    {"b", "Downloading", 300, 100},
    {"c", "Already exists", 0, 0},
    {"b", "Pull complete", 0, 0},
    {"", "Status: Downloaded newer image", 0, 0},
  };
  for (const auto& e : events) {
    const int now = p.add(e);
    CHECK(now >= last);
    CHECK(now <= 100);
    last = now;
  }
  CHECK(last == 100);
}

namespace {

namespace fs = std::filesystem;

struct locked_folder {
  test::temp_folder folder;
  fs::path root{fs::path(folder.path()) / "services"};
  lock_files locks{root};
  [[nodiscard]] fs::path at(const std::string& service, const std::string& name = "updates.lock")
    const {
    return root / "7" / service / name;
  }
  void service_locks(const std::string& service) {
    REQUIRE(locks.prepare(7, service));
    std::ofstream(at(service)) << "mine";
    // Not the user that stands for a supervisor.
    if (::geteuid() == 0) {
      REQUIRE(::chown(at(service).c_str(), 1000, 1000) == 0);
    }
  }
};

}  // namespace

TEST_CASE("update locks are taken for all services of an app, and given up") {
  locked_folder f;
  REQUIRE(f.locks.take(7, {"web", "db"}, false));
  for (const char* service : {"web", "db"}) {
    CHECK(fs::exists(f.at(service)));
    CHECK(fs::exists(f.at(service, "resin-updates.lock")));
    CHECK((fs::status(f.root / "7" / service).permissions() & fs::perms::mask) == fs::perms(01777));
  }
  f.locks.release(7);
  CHECK_FALSE(fs::exists(f.at("web")));
  CHECK_FALSE(fs::exists(f.at("db", "resin-updates.lock")));
}

TEST_CASE("a lock of one service refuses all, and force removes it") {
  if (::geteuid() != 0) {
    return;  // another user's file cannot be made
  }
  locked_folder f;
  f.service_locks("web");
  const auto refused = f.locks.take(7, {"api", "web"}, false);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == messages::errc::locked);
  CHECK(refused.error().detail.find("web") != std::string::npos);
  CHECK_FALSE(fs::exists(f.at("api")));
  CHECK(fs::exists(f.at("web")));
  REQUIRE(f.locks.take(7, {"api", "web"}, true));
  f.locks.release(7);
  CHECK_FALSE(fs::exists(f.at("web")));
}

TEST_CASE("a folder of a lock's name is a lock, and so is a link, which is not followed") {
  locked_folder f;
  REQUIRE(f.locks.prepare(7, "web"));
  SECTION("folder") {
    fs::create_directory(f.at("web"));
    CHECK_FALSE(f.locks.take(7, {"web"}, false));
  }
  SECTION("link") {
    const auto precious = f.root / "precious";
    std::ofstream(precious) << "data";
    fs::create_symlink(precious, f.at("web"));
    CHECK_FALSE(f.locks.take(7, {"web"}, false));
    REQUIRE(f.locks.take(7, {"web"}, true));
    CHECK(fs::file_size(precious) == 4);
  }
}

TEST_CASE("locks that an earlier process of ours left are taken over") {
  locked_folder f;
  REQUIRE(f.locks.take(7, {"web"}, false));
  lock_files after_crash(f.root);
  REQUIRE(after_crash.take(7, {"web"}, false));
  after_crash.release(7);
  CHECK_FALSE(fs::exists(f.at("web")));
}

TEST_CASE(
  "a host command runs without a shell, its output is bounded, and it is killed when it hangs") {
  CHECK(run_command({"echo", "$HOME; a"}, 100, 10'000) == "$HOME; a\n");
  CHECK(run_command({"seq", "1", "100000"}, 10, 10'000) == "99\n100000\n");
  CHECK_FALSE(run_command({"false"}, 100, 10'000));
  CHECK_FALSE(run_command({"/no/such/program"}, 100, 10'000));
  const auto hung = run_command({"sleep", "600"}, 100, 200);
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == messages::errc::timed_out);
  host_commands none({});
  CHECK(none.reboot().error().code == messages::errc::unsupported);
  CHECK(none.shutdown().error().detail.find("hostCommands") != std::string::npos);
  CHECK_FALSE(none.light(true));
}
