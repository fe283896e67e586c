#include "domain/build_output.hpp"

#include <catch2/catch.hpp>

#include <utility>
#include <vector>

using namespace slipway::domain;

namespace {

using lines = std::vector<std::pair<std::string, bool>>;

lines cut(const std::vector<std::string>& pieces) {
  lines out;
  output_lines cutter(
    [&](std::string line, bool replace) { out.emplace_back(std::move(line), replace); });
  for (const auto& p : pieces) {
    cutter.feed(p);
  }
  cutter.finish();
  return out;
}

bool cached(const std::vector<std::string>& output) {
  cache_watch w;
  for (const auto& line : output) {
    w.line(line);
  }
  return w.all_cached();
}

}  // namespace

TEST_CASE("lines of output are the same in whatever pieces they come") {
  CHECK(cut({"one\ntwo\n", "three"}) == lines{{"one", false}, {"two", false}, {"three", false}});
  CHECK(cut({"o", "ne\r", "\ntwo\r\n"}) == lines{{"one", false}, {"two", false}});
  CHECK(cut({"a\n\nb\n"}) == lines{{"a", false}, {"", false}, {"b", false}});
  CHECK(cut({""}).empty());
}

TEST_CASE("a carriage return makes the next line rewrite the one before") {
  CHECK(
    cut({"10%\r20%", "\r30%\ndone\n"})
    == lines{{"10%", false}, {"20%", true}, {"30%", true}, {"done", false}});
  CHECK(cut({"\r\r10%\n"}) == lines{{"10%", false}});
}

TEST_CASE("output without line ends is cut, between characters, and holds no bells") {
  const auto out = cut({std::string(output_line_bytes_max - 1, 'x') + "\xc3\xa4y\a\n"});
  REQUIRE(out.size() == 2);
  CHECK(out[0].first == std::string(output_line_bytes_max - 1, 'x') + "\xc3\xa4");
  CHECK(out[1].first == "y");
}

TEST_CASE("what the engine painted is as the step wrote it") {
  CHECK(without_paint("\x1b[91mwarning\n\x1b[0m") == "warning\n");
  CHECK(without_paint("\x1b[91m\x1b[0m").empty());
  CHECK(without_paint("plain \x1b[0m") == "plain \x1b[0m");
  CHECK(without_paint("\x1b[91m") == "\x1b[91m");
}

TEST_CASE("a build is cached when every step but its base was") {
  CHECK(cached(
    {"Step 1/3 : FROM busybox",
     " ---> 12ab",
     "Step 2/3 : RUN make",
     " ---> Using cache",
     " ---> 34cd",
     "Step 3/3 : CMD x",
     " ---> Using cache",
     " ---> 56ef",
     "Successfully built 56ef"}));
  CHECK(cached(
    {"[1/2] STEP 1/2: FROM busybox AS a",
     "[1/2] STEP 2/2: RUN make",
     "--> Using cache 34cd",
     "--> 34cd",
     "[2/2] STEP 1/2: FROM busybox",
     "[2/2] STEP 2/2: COPY --from=a / /",
     "--> Using cache 56ef"}));
  CHECK_FALSE(
    cached({"STEP 1/2: FROM busybox", "STEP 2/2: RUN echo '--> Using cache x'", "--> 56ef"}));
  CHECK_FALSE(cached({"[", "STEP"}));
  CHECK(cached({"Step 1/2 : ARG base=x", "Step 2/2 : FROM $base", " ---> 12ab"}));
  CHECK_FALSE(cached(
    {"Step 1/3 : FROM busybox",
     " ---> 12ab",
     "Step 2/3 : RUN make",
     " ---> Using cache",
     "Step 3/3 : COPY . .",
     " ---> 56ef"}));
  CHECK_FALSE(cached({}));
}

TEST_CASE("a transfer tells how far all its layers are") {
  transfer_meter m;
  CHECK(m.text().empty());
  CHECK_FALSE(m.take("", "Pulling from x", 0, 0));
  CHECK(m.take("a", "Downloading", 1'000'000, 4'000'000));
  CHECK(m.take("b", "Downloading", 500'000, 1'000'000));
  CHECK(m.text() == "30 %, 1.5 of 5.0 MB");
  CHECK_FALSE(m.take("a", "Extracting", 10, 4'000'000));
  CHECK(m.take("a", "Pull complete", 0, 0));
  CHECK(m.text() == "90 %, 4.5 of 5.0 MB");
}

TEST_CASE("a limit is told in the largest unit that makes it a whole number") {
  CHECK(whole_size(16 << 20) == "16 MiB");
  CHECK(whole_size(1LL << 40) == "1024 GiB");
  CHECK(whole_size(1 << 10) == "1 KiB");
  CHECK(whole_size((1 << 20) + 1024) == "1025 KiB");
  CHECK(whole_size(1'500) == "1500 bytes");
  CHECK(whole_size(0) == "0 bytes");
}
