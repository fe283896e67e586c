#include "gateways/git/repositories.hpp"

#include "gateways/git/head.hpp"
#include "gateways/git/hook.hpp"
#include "tests/gateways/git/git_user.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace slipway;
using namespace slipway::gateways::git;
using tests::shell;
namespace fs = std::filesystem;

namespace {

struct world {
  test::temp_folder folder;
  std::unique_ptr<repositories> all = open();

  [[nodiscard]] std::unique_ptr<repositories> open() const {
    auto opened = repositories::open(folder.path() + "/git");
    REQUIRE(opened);
    return std::move(*opened);
  }
  [[nodiscard]] std::string commit_to(std::int64_t fleet, const std::string& branch) const {
    return shell(
      "cd '" + all->path(fleet) + "'; tree=$(git mktree < /dev/null); c=$(git commit-tree -m x $tree);"
      "git update-ref refs/heads/" + branch + " $c; echo $c");
  }
  [[nodiscard]] std::string head(std::int64_t fleet) const {
    return shell("git -C '" + all->path(fleet) + "' symbolic-ref HEAD");
  }
};

}  // namespace

TEST_CASE("a repository is made at its first use and is one for git") {
  const world w;
  CHECK(w.all->list().empty());
  REQUIRE(w.all->prepare(8, release_refs("")));
  REQUIRE(w.all->prepare(8, release_refs("")));
  CHECK(w.all->list() == std::vector<std::int64_t>{8});
  CHECK(shell("git -C '" + w.all->path(8) + "' rev-parse --is-bare-repository") == "true");
  shell("git -C '" + w.all->path(8) + "' fsck");
  struct stat folder {};
  REQUIRE(::stat((w.folder.path() + "/git").c_str(), &folder) == 0);
  CHECK((folder.st_mode & 0777U) == 0700U);
}

TEST_CASE("HEAD is the release branch, and of main and master the one that is there") {
  const world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  CHECK(w.head(8) == "refs/heads/main");
  (void)w.commit_to(8, "master");
  REQUIRE(w.all->prepare(8, release_refs("")));
  CHECK(w.head(8) == "refs/heads/master");
  (void)w.commit_to(8, "main");
  REQUIRE(w.all->prepare(8, release_refs("")));
  CHECK(w.head(8) == "refs/heads/main");
  REQUIRE(w.all->prepare(8, release_refs("deploy/now")));
  CHECK(w.head(8) == "refs/heads/deploy/now");
}

TEST_CASE("a ref is found where it is, and nothing where there is none") {
  const world w;
  CHECK(*w.all->ref_of(8, "refs/heads/main") == std::nullopt);
  REQUIRE(w.all->prepare(8, release_refs("")));
  CHECK(*w.all->ref_of(8, "refs/heads/main") == std::nullopt);
  const auto commit = w.commit_to(8, "main");
  CHECK(*w.all->ref_of(8, "refs/heads/main") == commit);
  shell("git -C '" + w.all->path(8) + "' pack-refs --all");
  CHECK(*w.all->ref_of(8, "refs/heads/main") == commit);
  CHECK(*w.all->ref_of(8, "refs/heads/../../x") == std::nullopt);
}

TEST_CASE("a repository that cannot be read is no repository without the ref") {
  const world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  (void)w.commit_to(8, "main");
  shell("rm '" + w.all->path(8) + "/HEAD'");
  CHECK_FALSE(w.all->ref_of(8, "refs/heads/main").has_value());
}

TEST_CASE("a removed repository is gone, and another fleet's stays") {
  const world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  REQUIRE(w.all->prepare(9, release_refs("")));
  w.all->remove(8);
  w.all->remove(8);
  CHECK(w.all->list() == std::vector<std::int64_t>{9});
  CHECK_FALSE(fs::exists(w.all->path(8)));
}

TEST_CASE(
  "what a killed push received goes with the last push of its repository, or at the next start") {
  world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  const auto left = w.all->path(8) + "/objects/tmp_objdir-incoming-abc123";
  const auto leave = [&] {
    fs::create_directories(left + "/pack");
    std::ofstream(left + "/pack/tmp_pack_x") << "half";
  };
  w.all->writing_began(8);
  w.all->writing_began(8);
  leave();
  w.all->writing_ended(8);
  CHECK(fs::exists(left));
  w.all->writing_ended(8);
  CHECK_FALSE(fs::exists(left));
  leave();
  w.all = w.open();
  CHECK_FALSE(fs::exists(left));
}

TEST_CASE("a lock of a killed git goes with the last that writes, or at the next start") {
  world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  const auto at = w.all->path(8);
  const auto leave = [&](const std::string& name) {
    fs::create_directories(fs::path(at + "/" + name).parent_path());
    std::ofstream(at + "/" + name) << "x";
    return at + "/" + name;
  };
  const auto branch = leave("refs/heads/a/b.lock");
  const auto packed = leave("packed-refs.lock");
  const auto head = leave("HEAD.lock");
  w.all->writing_began(8);
  w.all->writing_began(8);
  w.all->writing_ended(8);
  CHECK(fs::exists(branch));
  w.all->writing_ended(8);
  CHECK_FALSE(fs::exists(branch));
  CHECK_FALSE(fs::exists(packed));
  CHECK_FALSE(fs::exists(head));
  leave("refs/heads/a/b.lock");
  leave("HEAD.lock");
  w.all = w.open();
  CHECK_FALSE(fs::exists(branch));
  CHECK_FALSE(fs::exists(head));
  (void)w.commit_to(8, "a/b");
  REQUIRE(w.all->prepare(8, release_refs("a/b")));
  CHECK(w.head(8) == "refs/heads/a/b");
}

TEST_CASE("what a repository takes is what its files take") {
  const world w;
  CHECK(w.all->used(8).bytes == 0);
  REQUIRE(w.all->prepare(8, release_refs("")));
  const auto before = w.all->used(8).bytes;
  std::ofstream(w.all->path(8) + "/objects/pack/pack-1.pack") << std::string(100'000, 'x');
  CHECK(w.all->used(8).bytes == before + 100'000);
  CHECK(w.all->used(8).packs == 1);
  CHECK(w.all->used(8).loose_refs == 0);
  (void)w.commit_to(8, "main");
  CHECK(w.all->used(8).loose_refs == 1);
}

TEST_CASE("a repository that is full takes deletions only") {
  const world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  const std::string none(40, '0');
  const std::string commit(40, 'a');
  const auto path = w.all->path(8);
  std::vector<ref_change> makes{{none, commit, "refs/heads/x"}};
  std::vector<ref_change> removes{{commit, none, "refs/heads/x"}};
  const auto used = w.all->used(8).bytes;
  CHECK(full_by(makes, path, used).empty());
  CHECK_THAT(full_by(makes, path, used - 1), Catch::Contains("the repository would take more"));
  CHECK(full_by(removes, path, used - 1).empty());
}

TEST_CASE("a repository has so many refs and no more") {
  const world w;
  REQUIRE(w.all->prepare(8, release_refs("")));
  const auto commit = w.commit_to(8, "main");
  const auto path = w.all->path(8);
  std::string packed;
  for (int i = 0; i < 19'999; ++i) {
    packed += commit + " refs/tags/" + std::to_string(100'000 + i) + "\n";
  }
  std::ofstream(path + "/packed-refs") << "# pack-refs with: peeled fully-peeled sorted\n"
                                       << packed;
  std::vector<ref_change> makes{{std::string(40, '0'), commit, "refs/heads/x"}};
  CHECK_THAT(full_by(makes, path, UINT64_MAX), Catch::Contains("no more than 20000 refs"));
  makes[0].before = commit;
  CHECK(full_by(makes, path, UINT64_MAX).empty());
}

TEST_CASE("files that are no repositories are left alone") {
  const world w;
  for (const auto* name : {"hooks", "x.git", "-1.git", "0.git", ".git", "8.gitx", "8"}) {
    fs::create_directories(w.folder.path() + "/git/" + name);
  }
  CHECK(w.all->list().empty());
}
