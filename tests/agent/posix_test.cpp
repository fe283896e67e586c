#include "agent/posix/docker_host.hpp"
#include "agent/posix/files.hpp"
#include "agent/posix/host.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <filesystem>

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
