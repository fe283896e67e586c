#include "gateways/ssh/host_keys.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

using namespace slipway;
using gateways::ssh::host_keys;

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("host keys are made once, readable by their owner only") {
  const test::temp_folder folder;
  const auto made = host_keys(folder.path());
  REQUIRE(made);
  REQUIRE(made->size() == 2);
  std::vector<std::string> before;
  for (const auto& file : *made) {
    CAPTURE(file);
    struct stat about {};
    REQUIRE(::stat(file.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777U) == 0600U);
    before.push_back(text_of(file));
    CHECK_THAT(before.back(), Catch::Contains("PRIVATE KEY"));
  }
  CHECK(*host_keys(folder.path()) == *made);
  CHECK(text_of(made->at(0)) == before[0]);
  CHECK(text_of(made->at(1)) == before[1]);
  CHECK_FALSE(host_keys(folder.path() + "/nowhere"));
}

TEST_CASE("a host key that a power cut left empty is made again") {
  const test::temp_folder folder;
  const auto file = host_keys(folder.path())->at(0);
  std::ofstream(file, std::ios::trunc).flush();
  CHECK(host_keys(folder.path())->at(0) == file);
  CHECK_THAT(text_of(file), Catch::Contains("PRIVATE KEY"));
  std::ofstream(file, std::ios::trunc) << "another";
  CHECK(host_keys(folder.path()));
  CHECK(text_of(file) == "another");
}
