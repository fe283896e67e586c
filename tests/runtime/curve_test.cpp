#include "runtime/curve.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace slipway::runtime;
using slipway::messages::errc;

namespace {

struct temp_dir {
  std::filesystem::path path;
  temp_dir() {
    std::string name = (std::filesystem::temp_directory_path() / "slipway-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~temp_dir() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("the public half of a key pair can be derived from the secret half") {
  const auto keys = make_curve_keys();
  CHECK(is_curve_key(keys.public_key));
  CHECK(curve_public_of(keys.secret_key) == keys.public_key);
}

TEST_CASE("text that is not Z85 is not a key") {
  const auto good = make_curve_keys().public_key;
  CHECK_FALSE(is_curve_key(""));
  CHECK_FALSE(is_curve_key(good.substr(1)));
  CHECK_FALSE(is_curve_key(good + "0"));
  for (const char c : {'\0', '\n', ' ', '"', '~', '\x7f', '\xff'}) {
    auto bad = good;
    bad[7] = c;
    CHECK_FALSE(is_curve_key(bad));
  }
  // The largest five digits mean more than 32 bits hold.
  CHECK_FALSE(is_curve_key(std::string(40, '#')));
  CHECK(curve_public_of("short").error().code == errc::invalid_argument);
}

TEST_CASE("a stored key pair comes back and only its owner may read the file") {
  const temp_dir dir;
  const auto file = dir.path / "overlay.key";
  const auto keys = make_curve_keys();
  REQUIRE(store_curve_keys(file, keys));
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777U) == 0600U);
  const auto loaded = load_curve_keys(file);
  REQUIRE(loaded);
  CHECK(loaded->public_key == keys.public_key);
  CHECK(loaded->secret_key == keys.secret_key);
}

TEST_CASE("a key file that others may read, is torn or mixed up is refused") {
  const temp_dir dir;
  const auto file = dir.path / "overlay.key";
  CHECK(load_curve_keys(file).error().code == errc::not_found);
  const auto keys = make_curve_keys();
  REQUIRE(store_curve_keys(file, keys));
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(load_curve_keys(file).error().code == errc::forbidden);
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  REQUIRE(::truncate(file.c_str(), 60) == 0);
  CHECK(load_curve_keys(file).error().code == errc::corrupt);
  REQUIRE(store_curve_keys(file, {make_curve_keys().public_key, keys.secret_key}));
  CHECK(load_curve_keys(file).error().code == errc::corrupt);
}

TEST_CASE("a key pair is made once and then loaded") {
  const temp_dir dir;
  const auto file = dir.path / "overlay.key";
  const auto made = load_or_make_curve_keys(file);
  REQUIRE(made);
  CHECK(load_or_make_curve_keys(file)->secret_key == made->secret_key);
}
