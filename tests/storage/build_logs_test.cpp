#include "storage/build_logs.hpp"

#include "messages/json.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

using namespace slipway;
using messages::errc;
using messages::output_line;

namespace {

constexpr std::int64_t release = 7;

struct logs {
  test::temp_folder folder;
  std::unique_ptr<storage::build_logs> all = open();

  std::unique_ptr<storage::build_logs> open(std::uint64_t bytes_max = 1U << 20U) {
    return storage::open_build_logs({folder.path(), bytes_max}).value();
  }
  void add(const std::string& text) {
    const output_line line{"web", text, false, false};
    REQUIRE(all->append(release, 1, {&line, 1}));
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    std::istringstream in(all->read(release, 0, 1U << 20U).value().bytes);
    for (std::string line; std::getline(in, line);) {
      const auto j = messages::parse_json(line).value();
      out.push_back(
        j.contains("end") ? "end " + j["end"].get<std::string>() : j["text"].get<std::string>());
    }
    return out;
  }
};

}  // namespace

TEST_CASE("a build's log is read from any offset that a part ended at") {
  logs l;
  l.add("one");
  const auto first = l.all->read(release, 0, 1000).value();
  CHECK_FALSE(first.over);
  l.add("two");
  const auto second = l.all->read(release, first.bytes.size(), 1000).value();
  CHECK(messages::parse_json(second.bytes).value()["text"] == "two");
  CHECK(l.all->read(release, first.bytes.size() + second.bytes.size(), 1000).value().bytes.empty());
  CHECK(l.all->read(release, 100'000, 1000).error().code == errc::invalid_argument);
  CHECK(l.all->read(release + 1, 0, 1000).error().code == errc::not_found);
}

TEST_CASE("a part holds whole lines") {
  logs l;
  l.add("one");
  l.add("two");
  const auto whole = l.all->read(release, 0, 1000).value().bytes;
  const auto part = l.all->read(release, 0, whole.size() - 1).value();
  CHECK(part.bytes.size() == whole.size() / 2);
  CHECK_FALSE(part.over);
}

TEST_CASE("the last line of a build's log says how it ended, also after a restart") {
  logs l;
  l.add("one");
  REQUIRE(l.all->finish(release, 2, "failed"));
  l.all = l.open();
  const auto part = l.all->read(release, 0, 1000).value();
  CHECK(part.over);
  CHECK(l.texts() == std::vector<std::string>{"one", "end failed"});
  CHECK(l.all->read(release, part.bytes.size(), 1000).value().over);
}

TEST_CASE("a line that a crash tore is closed by the next") {
  logs l;
  l.add("one");
  l.all.reset();
  std::ofstream(l.folder.path() + "/7.log", std::ios::app) << R"({"at":1,"te)";
  l.all = l.open();
  const auto before = l.all->read(release, 0, 1000).value();
  CHECK(std::count(before.bytes.begin(), before.bytes.end(), '\n') == 1);
  l.add("two");
  const auto bytes = l.all->read(release, 0, 1000).value().bytes;
  CHECK(std::count(bytes.begin(), bytes.end(), '\n') == 3);
}

TEST_CASE("a full build log says so once, and still ends") {
  logs l;
  l.all = l.open(200);
  for (int i = 0; i < 50; ++i) {
    l.add("a line of some length, again and again");
  }
  REQUIRE(l.all->finish(release, 2, "released"));
  const auto texts = l.texts();
  CHECK(texts.size() < 8);
  CHECK(texts[texts.size() - 2].find("full") != std::string::npos);
  CHECK(texts.back() == "end released");
}

TEST_CASE("who follows a build's log is called after each append until he leaves") {
  logs l;
  int calls = 0;
  auto following = l.all->follow(release, [&calls] { ++calls; });
  auto other = l.all->follow(release + 1, [&calls] { calls += 100; });
  l.add("one");
  REQUIRE(l.all->finish(release, 2, "released"));
  CHECK(calls == 2);
  following.reset();
  l.add("two");
  CHECK(calls == 2);
}
