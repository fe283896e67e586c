#include "cli/progress.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace slipway::cli;

TEST_CASE("a bar shows phase, share and amount within the width") {
  const service_progress s{"web", phase::pushing, 5'000'000, 10'000'000, "Pushing"};
  CHECK(
    render_progress(s, 6, 100)
    == "web     pushing  [============            ] 5.0 MB of 10.0 MB  Pushing");
  CHECK(render_progress(s, 6, 30).size() == 29);
  CHECK(
    render_progress({"web", phase::done, 0, 0, ""}, 3, 100)
    == "web  done     [========================]");
  // More than all, or nothing known, stays a bar.
  CHECK(
    render_progress({"w", phase::pushing, 9, 3, ""}, 1, 100).find("[====") != std::string::npos);
  CHECK(
    render_progress({"w", phase::building, 0, 0, "a\x1b[2J"}, 1, 100).find('\x1b')
    == std::string::npos);
}

TEST_CASE("build steps of both engines are recognised") {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  REQUIRE(parse_build_step("Step 2/5 : RUN make", step, steps));
  CHECK(step == 2);
  CHECK(steps == 5);
  CHECK(parse_build_step("STEP 1/3: FROM x", step, steps));
  CHECK_FALSE(parse_build_step("Step x/5", step, steps));
  CHECK_FALSE(parse_build_step("Step 1", step, steps));
  CHECK_FALSE(parse_build_step("", step, steps));
}

TEST_CASE("layers add up and never go backwards") {
  layer_sum l;
  l.update("a", "Pushing", 50, 100);
  l.update("b", "Pushing", 10, 100);
  l.update("a", "Pushing", 40, 100);
  CHECK(l.done() == 60);
  l.update("a", "Pushed", 0, 0);
  CHECK(l.done() == 110);
  CHECK(l.total() == 200);
  l.update("", "latest: digest", 1, 1);
  CHECK(l.total() == 200);
}

TEST_CASE("without a terminal progress is plain lines, one at each change") {
  std::ostringstream out;
  progress_board board(out, false, 80, {"web", "db"});
  board.update({"web", phase::building, 0, 0, ""});
  board.update({"web", phase::building, 1, 2, "Step 1/2 : FROM x"});
  board.output("web", "Step 1/2 : FROM x");
  board.update({"web", phase::done, 0, 0, ""});
  board.update({"stranger", phase::done, 0, 0, ""});
  board.finish();
  CHECK(out.str() == "web: building\nweb: Step 1/2 : FROM x\nweb: done\n");
}

TEST_CASE("on a terminal a line per service is redrawn in place") {
  std::ostringstream out;
  progress_board board(out, true, 80, {"web", "db"});
  board.update({"web", phase::building, 0, 0, ""});
  board.update({"db", phase::building, 0, 0, ""});
  board.finish();
  CHECK(out.str().find("\x1b[2A") != std::string::npos);
  const auto before = out.str();
  board.update({"web", phase::done, 0, 0, ""});
  CHECK(out.str() == before);
}
