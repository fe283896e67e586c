#include "runtime/crypto.hpp"
#include "storage/file_blob_store.hpp"
#include "tests/crash/blob_workload.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

using namespace slipway;
using namespace slipway::storage;

namespace {

std::string child_program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "blob_crash_child")
    .string();
}

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every file under blobs/ holds what its name says: nothing half written is ever visible.
void expect_blobs_whole(const std::string& root) {
  for (const auto& e : std::filesystem::recursive_directory_iterator(root + "/blobs/sha256")) {
    if (e.is_regular_file()) {
      CHECK(runtime::sha256_hex(content(e.path())) == e.path().filename().string());
    }
  }
}

void expect_acknowledged_kept(const std::string& root, const std::string& said) {
  auto store = open_file_blobs({root});
  REQUIRE(store);
  std::istringstream lines(said);
  std::string word;
  std::set<int> stored;
  while (lines >> word) {
    int n = 0;
    lines >> n;
    if (word == "blob") {
      stored.insert(n);
      CHECK((*store)->exists({"sha256:" + runtime::sha256_hex(test::blob_bytes(n))}) == true);
      continue;
    }
    std::uint64_t bytes = 0;
    lines >> bytes;
    const auto path = root + "/uploads/" + test::upload_id(n);
    const bool finished =
      (*store)->exists({"sha256:" + runtime::sha256_hex(test::blob_bytes(n))}) == true;
    CHECK((finished || std::filesystem::file_size(path) >= bytes));
  }
}

void expect_next_run_completes(const std::string& root) {
  CHECK(test::run_child({child_program(), root}).exit_code == 0);
  auto store = open_file_blobs({root});
  REQUIRE(store);
  for (int n = 0; n < test::blobs; ++n) {
    CHECK((*store)->exists({"sha256:" + runtime::sha256_hex(test::blob_bytes(n))}) == true);
  }
  CHECK(std::filesystem::is_empty(root + "/uploads"));
  expect_blobs_whole(root);
}

std::set<std::string> failpoints() {
  const test::temp_folder folder;
  const auto list = folder.path() + "/list";
  CHECK(
    test::run_child({child_program(), folder.path() + "/b"}, {{"SLIPWAY_FAILPOINT_LIST", list}})
      .exit_code
    == 0);
  std::set<std::string> names;
  std::ifstream in(list);
  for (std::string name; std::getline(in, name);) {
    names.insert(name);
  }
  return names;
}

}  // namespace

TEST_CASE(
  "killed at any failpoint, the blob store loses nothing it acknowledged and shows nothing half "
  "written") {
  const auto names = failpoints();
  REQUIRE(names.size() >= 4);
  for (const auto& name : names) {
    for (const int pass : {1, 2, 4}) {
      INFO(name << " pass " << pass);
      const test::temp_folder folder;
      const auto root = folder.path() + "/b";
      const auto r = test::run_child(
        {child_program(), root},
        {{"SLIPWAY_FAILPOINT", name + ":" + std::to_string(pass)}});
      CHECK((r.signal == SIGKILL || (pass > 1 && r.exit_code == 0)));
      expect_blobs_whole(root);
      expect_acknowledged_kept(root, r.out);
      expect_next_run_completes(root);
    }
  }
}

TEST_CASE("killed at random instants, the blob store keeps what it acknowledged") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 8; ++i) {
    const test::temp_folder folder;
    const auto root = folder.path() + "/b";
    const auto r = test::run_child({child_program(), root}, {}, static_cast<long>(random() % 300));
    expect_blobs_whole(root);
    expect_acknowledged_kept(root, r.out);
    expect_next_run_completes(root);
  }
}
