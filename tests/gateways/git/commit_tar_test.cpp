#include "gateways/git/commit_tar.hpp"

#include "tests/gateways/git/git_user.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <vector>

using namespace slipway;
using gateways::git::commit_tar;
using gateways::git::tar_limits;
using messages::errc;
using tests::shell;

namespace {

/// A working copy with one commit of many kinds of files.
struct project {
  test::temp_folder folder;
  std::string work = folder.path() + "/work";

  project() { shell("git init -q -b main '" + work + "'"); }

  std::string in(const std::string& commands) const {
    return shell("cd '" + work + "'; " + commands);
  }
  std::string commit() const {
    return in("git add -A; git commit -q --allow-empty -m change; git rev-parse HEAD");
  }
  commit_tar::options options(const std::string& commit) const {
    commit_tar::options o;
    o.repository = work + "/.git";
    o.commit = commit;
    return o;
  }
};

struct outcome {
  std::string bytes;
  std::optional<messages::error> failure;
};

outcome read_all(commit_tar& tar, std::size_t step = 10'000) {
  outcome out;
  std::vector<char> buffer(step);
  for (;;) {
    const auto n = tar.read(buffer.data(), buffer.size());
    if (n <= 0) {
      out.failure = tar.failure();
      return out;
    }
    out.bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

messages::error failure_of(const commit_tar::options& o) {
  auto tar = commit_tar::open(o);
  REQUIRE(tar);
  const auto done = read_all(**tar);
  REQUIRE(done.failure);
  return *done.failure;
}

void unpack(const project& p, const std::string& bytes, const std::string& name) {
  std::ofstream(p.folder.path() + "/" + name + ".tar", std::ios::binary) << bytes;
  shell("cd '" + p.folder.path() + "'; mkdir " + name + "; tar -xpf " + name + ".tar -C " + name);
}

}  // namespace

TEST_CASE("the tar of a commit unpacks to what git archive gives") {
  const project p;
  p.in(
    "mkdir -p src/deep/er empty; printf 'FROM scratch\\n' > Dockerfile; printf '#!/bin/sh\\n' > "
    "src/run;"
    "chmod +x src/run; ln -s ../Dockerfile src/link; ln -s nowhere src/broken;"
    "head -c 3000000 /dev/urandom > src/deep/er/big; : > src/deep/none;"
    "printf x > 'src/na me with spaces'; printf x > src/\xc3\xbc; printf x > src/$(printf 'a%.0s' "
    "$(seq 150));"
    "mkdir -p $(printf 'folder/%.0s' $(seq 40)); printf y > $(printf 'folder/%.0s' $(seq 40))file;"
    "ln -s $(printf 'far/%.0s' $(seq 50)) src/longlink");
  const auto commit = p.commit();
  auto tar = commit_tar::open(p.options(commit));
  REQUIRE(tar);
  CHECK((*tar)->commit() == commit);
  const auto done = read_all(**tar);
  CHECK_FALSE(done.failure);
  unpack(p, done.bytes, "ours");
  shell(
    "cd '" + p.folder.path() + "'; mkdir theirs; git -c tar.umask=022 -C work archive " + commit
    + " | tar -xpf - -C theirs; diff -r --no-dereference ours theirs;"
      "for d in ours theirs; do (cd $d; find . -mindepth 1 -printf '%p %m %l %y %T@\\n' | sort > ../$d.list); done;"
      "cmp ours.list theirs.list");
}

TEST_CASE("the tar is the same however it is read") {
  const project p;
  p.in("for i in $(seq 30); do seq $((i * 500)) > f$i; done");
  const auto commit = p.commit();
  auto one = commit_tar::open(p.options(commit));
  auto other = commit_tar::open(p.options("main"));
  REQUIRE((one && other));
  const auto big = read_all(**one, 1 << 20);
  const auto small = read_all(**other, 7);
  CHECK(big.bytes == small.bytes);
  CHECK((*other)->commit() == commit);
}

TEST_CASE("a push that is not accepted yet is read from its quarantine") {
  const project p;
  p.in("echo old > a");
  p.commit();
  shell("git clone -q --bare '" + p.work + "' '" + p.folder.path() + "/bare.git'");
  p.in("echo new > b");
  const auto commit = p.commit();
  const auto quarantine = p.folder.path() + "/quarantine";
  p.in(
    "mkdir -p '" + quarantine + "/pack'; printf 'main\\n^main~1\\n' | git pack-objects -q --revs '"
    + quarantine + "/pack/pack' > /dev/null");
  auto o = p.options(commit);
  o.repository = p.folder.path() + "/bare.git";
  CHECK(commit_tar::open(o).error().code == errc::not_found);
  o.quarantine = quarantine;
  auto tar = commit_tar::open(o);
  REQUIRE(tar);
  const auto done = read_all(**tar);
  CHECK_FALSE(done.failure);
  unpack(p, done.bytes, "ours");
  CHECK(shell("cd '" + p.folder.path() + "/ours'; cat a b") == "old\nnew");
}

TEST_CASE("a submodule is an empty folder and a warning") {
  const project p;
  p.in(
    "echo x > a; git update-index --add --cacheinfo 160000," + std::string(40, '1') + ",libs/sub");
  p.in("git add a; git commit -q -m change");
  auto o = p.options("main");
  std::vector<std::string> warnings;
  o.warn = [&](const std::string& line) { warnings.push_back(line); };
  auto tar = commit_tar::open(o);
  REQUIRE(tar);
  const auto done = read_all(**tar);
  CHECK_FALSE(done.failure);
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0], Catch::Contains("libs/sub"));
  unpack(p, done.bytes, "ours");
  CHECK(
    shell("cd '" + p.folder.path() + "/ours'; find . | sort | tr '\\n' ' '")
    == ". ./a ./libs ./libs/sub ");
}

TEST_CASE("files that Git LFS keeps elsewhere are named, all of them") {
  const project p;
  const std::string pointer =
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:aa\\nsize 12\\n' > ";
  p.in("echo x > a; mkdir z; " + pointer + "model.bin; echo y > n; " + pointer + "z/film.mp4");
  p.in("for i in $(seq 20); do cp model.bin z/more$i; done");
  p.commit();
  const auto failure = failure_of(p.options("main"));
  CHECK(failure.code == errc::unsupported);
  CHECK_THAT(failure.detail, Catch::Contains("model.bin, z/film.mp4"));
  CHECK_THAT(failure.detail, Catch::Contains("and 12 more"));
}

TEST_CASE("limits of a source are told by name") {
  const project p;
  p.in("mkdir -p a/b/c; echo 123456789 > a/b/c/file; echo 1 > x; echo 2 > y");
  p.commit();
  auto o = p.options("main");
  const auto with = [&](void (*change)(tar_limits&)) {
    auto limited = o;
    change(limited.limits);
    return failure_of(limited);
  };
  const auto entries = with([](tar_limits& l) { l.entries_max = 3; });
  CHECK(entries.code == errc::too_large);
  CHECK_THAT(entries.detail, Catch::Contains("more than 3 files"));
  CHECK_THAT(
    with([](tar_limits& l) { l.file_bytes_max = 5; }).detail,
    Catch::Contains("a/b/c/file: 10 bytes"));
  CHECK_THAT(
    with([](tar_limits& l) { l.bytes_max = 11; }).detail,
    Catch::Contains("larger than 11 bytes"));
  CHECK_THAT(
    with([](tar_limits& l) { l.depth_max = 2; }).detail,
    Catch::Contains("more than 2 deep"));
  CHECK_THAT(
    with([](tar_limits& l) { l.path_bytes_max = 6; }).detail,
    Catch::Contains("longer than 6 bytes"));
}

TEST_CASE("a tree that holds itself many times over ends at the limit of entries") {
  const project p;
  // Ten folders of ten folders ... of one file: 10^9 files from ten objects.
  p.in(
    "blob=$(echo x | git hash-object -w --stdin); entry=\"100644 blob $blob\";"
    "for depth in $(seq 9); do"
    "  tree=$(for i in $(seq 0 9); do printf '%s\\tf%d\\n' \"$entry\" $i; done | git mktree);"
    "  entry=\"040000 tree $tree\"; done;"
    "git update-ref refs/heads/main $(git commit-tree -m bomb $tree)");
  const auto failure = failure_of(p.options("main"));
  CHECK(failure.code == errc::too_large);
  CHECK_THAT(failure.detail, Catch::Contains("200000"));
}

TEST_CASE("what is no commit cannot be read") {
  const project p;
  p.in("echo x > a");
  p.commit();
  const auto blob = p.in("git rev-parse main:a");
  CHECK(commit_tar::open(p.options(blob)).error().code == errc::invalid_argument);
  CHECK(commit_tar::open(p.options(std::string(40, '1'))).error().code == errc::not_found);
  auto nowhere = p.options("main");
  nowhere.repository = p.folder.path() + "/nowhere";
  CHECK(commit_tar::open(nowhere).error().code == errc::not_found);
}

TEST_CASE("a tag that somebody signed for a release is read as its commit") {
  const project p;
  p.in("echo x > a");
  const auto commit = p.commit();
  p.in("git tag -a -m one v1");
  auto tar = commit_tar::open(p.options("v1"));
  REQUIRE(tar);
  CHECK((*tar)->commit() == commit);
}
