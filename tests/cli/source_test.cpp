#include "cli/source_files.hpp"
#include "cli/tar_stream.hpp"
#include "tests/cli/temp_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <map>

using namespace slipway;
using namespace slipway::cli;
using tests::temp_folder;
using paths = std::vector<std::string>;

namespace {

paths source_of(const temp_folder& f, const source_options& options = {}) {
  const auto found = source_files(f.path, options);
  REQUIRE(found);
  return *found;
}

std::string read_all(tar_stream& tar, std::size_t piece = 65536) {
  std::string bytes;
  std::string buffer(piece, '\0');
  for (std::ptrdiff_t n = 0; (n = tar.read(buffer.data(), buffer.size())) > 0;) {
    bytes.append(buffer, 0, static_cast<std::size_t>(n));
  }
  return bytes;
}

/// Found by one who owns none of it: the permissions of folders hold for root too.
messages::result<paths> source_for_a_stranger(const temp_folder& f) {
  const auto before = ::setfsuid(65534);
  auto found = source_files(f.path, {});
  ::setfsuid(static_cast<uid_t>(before));
  return found;
}

/// A folder that nobody may look into while this is there, in a project that anybody may.
struct closed_folder {
  std::filesystem::path path;
  closed_folder(const temp_folder& f, const std::string& name) : path(f.path / name) {
    std::filesystem::permissions(f.path, std::filesystem::perms(0755));
    std::filesystem::permissions(path, std::filesystem::perms::none);
  }
  closed_folder(const closed_folder&) = delete;
  closed_folder& operator=(const closed_folder&) = delete;
  ~closed_folder() { std::filesystem::permissions(path, std::filesystem::perms::all); }
};

/// `path=content` of each file, `path->target` of each link.
paths unpack(const std::string& bytes) {
  paths out;
  auto* a = archive_read_new();
  archive_read_support_format_tar(a);
  archive_read_support_filter_gzip(a);
  REQUIRE(archive_read_open_memory(a, bytes.data(), bytes.size()) == ARCHIVE_OK);
  archive_entry* e = nullptr;
  while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
    if (archive_entry_filetype(e) == AE_IFLNK) {
      out.push_back(archive_entry_pathname(e) + ("->" + std::string(archive_entry_symlink(e))));
      continue;
    }
    std::string content(static_cast<std::size_t>(archive_entry_size(e)), '\0');
    REQUIRE(
      archive_read_data(a, content.data(), content.size())
      == static_cast<la_ssize_t>(content.size()));
    out.push_back(archive_entry_pathname(e) + ("=" + content));
  }
  archive_read_free(a);
  return out;
}

}  // namespace

TEST_CASE("the source of a push is the whole project but what is ignored") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write(".dockerignore", "*\n!src\nsrc/secret\n");
  f.write("docker-compose.yml", "services: {main: {build: .}}\n");
  f.write("src/main.c", "m");
  f.write("src/secret", "s");
  f.write("src/.git/config", "g");
  f.write("src/Dockerfile.aarch64", "FROM y\n");
  f.write("other", "o");
  f.write("node_modules/x/Dockerfile", "FROM z\n");
  f.write(".git/config", "g");
  f.write(".balena/balena.yml", "build-variables: {}\n");
  f.write(".balena/secrets/key", "k");
  CHECK(
    source_of(f)
    == paths{
      ".balena",
      ".balena/balena.yml",
      ".balena/secrets",
      ".balena/secrets/key",
      ".dockerignore",
      "Dockerfile",
      "docker-compose.yml",
      "src",
      "src/Dockerfile.aarch64",
      "src/main.c"});
}

TEST_CASE("folders that are ignored are not looked into") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write(".dockerignore", "big\n!other/big\n");
  f.write("big/deep/file", "b");
  // A walk would end with an error here, for anybody but root; for root, its time of access would change.
  std::filesystem::permissions(f.path / "big", std::filesystem::perms::none);
  CHECK(source_of(f) == paths{".dockerignore", "Dockerfile"});
  std::filesystem::permissions(f.path / "big", std::filesystem::perms::all);
}

TEST_CASE(
  "links go along as links, also those that lead in circles, nowhere or where nobody may go") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write("closed/deep/file", "f");
  f.write(".dockerignore", "closed\n");
  const std::map<std::string, std::string> links{
    {"loop", "loop"},
    {"nowhere", "no/such"},
    {"root", ".."},
    {"to", "closed/deep"},
  };
  for (const auto& [name, target] : links) {
    std::filesystem::create_symlink(target, f.path / name);
  }
  const closed_folder closed(f, "closed");
  const auto found = source_for_a_stranger(f);
  REQUIRE(found);
  CHECK(*found == paths{".dockerignore", "Dockerfile", "loop", "nowhere", "root", "to"});
  tar_stream tar(f.path, *found, tar_stream::packing::plain);
  const auto packed = unpack(read_all(tar));
  CHECK_FALSE(tar.failure());
  for (const auto& [name, target] : links) {
    CHECK(std::count(packed.begin(), packed.end(), name + "->" + target) == 1);
  }
}

TEST_CASE("a folder that may not be looked into is left out if it is ignored, else it is named") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write("data/volume/file", "f");
  const closed_folder closed(f, "data/volume");
  const auto refused = source_for_a_stranger(f);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == messages::errc::io_failed);
  CHECK(refused.error().detail == closed.path.string() + " cannot be read: Permission denied");
  f.write(".dockerignore", "data/volume\n!**/keep\n");
  CHECK(source_for_a_stranger(f) == paths{".dockerignore", "Dockerfile", "data"});
  // A service is built there: without it the build would only fail later.
  f.write("docker-compose.yml", "services: {a: {build: data/volume}}\n");
  CHECK_FALSE(source_for_a_stranger(f));
}

TEST_CASE("a .dockerignore that cannot be read ends a push, instead of sending what it names") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  std::filesystem::create_symlink(".dockerignore", f.path / ".dockerignore");
  const auto refused = source_files(f.path, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find(".dockerignore: ") != std::string::npos);
}

TEST_CASE("the Dockerfiles of services go along although their folders are ignored") {
  const temp_folder f;
  f.write(
    "docker-compose.yml",
    "services:\n"
    "  a: {build: ./a}\n"
    "  b: {build: {context: b/, dockerfile: ../docker/b.docker}}\n"
    "  c: {image: x}\n"
    "  d: {build: ../../etc}\n");
  f.write(".dockerignore", "a\nb\ndocker\n");
  f.write("a/Dockerfile.template", "FROM x\n");
  f.write("a/file", "f");
  f.write("a/deep/Dockerfile", "FROM x\n");
  f.write("b/file", "f");
  f.write("docker/b.docker.amd64", "FROM x\n");
  f.write("docker/other", "o");
  CHECK(
    source_of(f)
    == paths{
      ".dockerignore",
      "a/Dockerfile.template",
      "docker/b.docker.amd64",
      "docker-compose.yml"});
}

TEST_CASE("with --multi-dockerignore a service's folder follows its own rules only") {
  const temp_folder f;
  f.write("docker-compose.yml", "services: {a: {build: a}, b: {build: {context: b}}}\n");
  f.write(".dockerignore", "**/junk\nb\n");
  f.write("junk", "j");
  f.write("a/.dockerignore", "own\n");
  f.write("a/Dockerfile", "FROM x\n");
  f.write("a/junk", "j");
  f.write("a/own", "o");
  f.write("b/Dockerfile", "FROM x\n");
  f.write("b/junk", "j");
  const paths all{
    ".dockerignore",
    "a",
    "a/.dockerignore",
    "a/Dockerfile",
    "a/junk",
    "b",
    "b/Dockerfile",
    "b/junk",
    "docker-compose.yml"};
  CHECK(source_of(f, {"", true}) == all);
  CHECK(
    source_of(f)
    == paths{
      ".dockerignore",
      "a",
      "a/.dockerignore",
      "a/Dockerfile",
      "a/own",
      "b/Dockerfile",
      "docker-compose.yml"});
  f.write("docker-compose.yml", "services: [\n");
  CHECK(source_files(f.path, {}));  // the builder tells what is wrong with it
  CHECK_FALSE(source_files(f.path, {"", true}));
}

TEST_CASE("a folder that cannot be built is refused before anything is sent") {
  const temp_folder f;
  const auto code = [&](const source_options& o) { return source_files(f.path, o).error().code; };
  CHECK(source_files(f.path / "none", {}).error().code == messages::errc::not_found);
  CHECK(code({}) == messages::errc::not_found);
  CHECK(code({"../Dockerfile", false}) == messages::errc::invalid_argument);
  CHECK(code({"/Dockerfile", false}) == messages::errc::invalid_argument);
  f.write("docker/web.docker.template", "FROM x\n");
  CHECK(code({"web.docker", false}) == messages::errc::not_found);
  f.write(".dockerignore", "docker\n");
  CHECK(
    source_of(f, {"./docker/web.docker", false})
    == paths{".dockerignore", "docker/web.docker.template"});
}

TEST_CASE("a tar is the same read in pieces of any size, and ends with the texts that were added") {
  const temp_folder f;
  f.write("a", std::string(200'000, 'a'));
  f.write("d/\xC3\xBC", "umlaut");
  f.write("d/empty", "");
  ::mkfifo((f.path / "pipe").c_str(), 0600);
  for (const std::size_t piece : {1, 513, 1'000'000}) {
    tar_stream tar(f.path, {"a", "d", "d/\xC3\xBC", "d/empty", "pipe"}, tar_stream::packing::gzip);
    tar.add_text(".balena/registry-secrets.json", "{}");
    const auto bytes = read_all(tar, piece);
    CHECK_FALSE(tar.failure());
    CHECK(tar.source_bytes() == 200'006);
    CHECK(bytes.size() < 2000);  // gzip
    CHECK(
      unpack(bytes)
      == paths{
        "a=" + std::string(200'000, 'a'),
        "d/=",
        "d/\xC3\xBC=umlaut",
        "d/empty=",
        ".balena/registry-secrets.json={}"});
  }
}

TEST_CASE("a text takes a file's place in a tar, with the file's mode and time") {
  const temp_folder f;
  f.write("a", "one");
  f.write("b", "two");
  std::filesystem::permissions(f.path / "a", std::filesystem::perms(0754));
  std::filesystem::create_symlink("b", f.path / "link");
  tar_stream tar(f.path, {"a", "b", "link"}, tar_stream::packing::plain);
  tar.replace("a", "another text");
  tar.replace("link", "");
  const auto bytes = read_all(tar);
  CHECK(unpack(bytes) == paths{"a=another text", "b=two", "link="});
  struct stat on_disk {};
  REQUIRE(::stat((f.path / "a").c_str(), &on_disk) == 0);
  auto* a = archive_read_new();
  archive_read_support_format_tar(a);
  REQUIRE(archive_read_open_memory(a, bytes.data(), bytes.size()) == ARCHIVE_OK);
  archive_entry* e = nullptr;
  REQUIRE(archive_read_next_header(a, &e) == ARCHIVE_OK);
  CHECK(archive_entry_perm(e) == 0754);
  CHECK(archive_entry_mtime(e) == on_disk.st_mtime);
  archive_read_free(a);
}

TEST_CASE(
  "a file that goes away or becomes shorter while it is packed ends the tar with an error") {
  const temp_folder f;
  f.write("a", std::string(300'000, 'a'));
  {
    tar_stream tar(f.path, {"a", "b"}, tar_stream::packing::plain);
    CHECK(read_all(tar).size() > 290'000);  // all but the last block
    REQUIRE(tar.failure());
    CHECK(tar.failure()->code == messages::errc::not_found);
  }
  tar_stream tar(f.path, {"a"}, tar_stream::packing::plain);
  std::string some(100'000, '\0');
  REQUIRE(tar.read(some.data(), some.size()) > 0);
  std::filesystem::resize_file(f.path / "a", 80'000);
  (void)read_all(tar);
  REQUIRE(tar.failure());
  CHECK(tar.failure()->detail.find("became shorter") != std::string::npos);
}
