#include "domain/dockerfile_runs.hpp"

#include <catch2/catch.hpp>

using slipway::domain::with_run_flags;

namespace {

std::string flagged(const std::string& dockerfile) {
  return with_run_flags(dockerfile, "--f");
}

}  // namespace

TEST_CASE("each RUN of a Dockerfile gets the flags, in whatever form it is written") {
  CHECK(
    flagged("FROM a AS b\nRUN make\nrun [\"x\"]\n  RUN\t--network=none y\nFROM b\nCOPY . .\nRUN z")
    == "FROM a AS b\nRUN --f make\nrun --f [\"x\"]\n  RUN --f\t--network=none y\nFROM b\nCOPY . .\nRUN --f z");
  CHECK(flagged("RUN \\\n  make\n") == "RUN --f \\\n  make\n");
  CHECK(flagged("RUN a\r\nRUN b\r\n") == "RUN --f a\r\nRUN --f b\r\n");
  CHECK(flagged("").empty());
}

TEST_CASE("what only looks like a RUN stays as it is") {
  for (const auto* text :
       {"# RUN a\n",
        "RUNNER a\n",
        "ONBUILD RUN a\n",
        "ENV a=1 \\\n  RUN=2 \\\n  # RUN no\n\n  RUN b\n",
        "# escape=`\nENV a=1 `\nRUN b\n",
        "COPY <<END /Dockerfile\nRUN a\nEND\n"}) {
    CHECK(flagged(text) == text);
  }
}

TEST_CASE("a RUN behind a continued line, a directive or a here-document gets the flags") {
  CHECK(flagged("ENV a=1 \\\n  b=2\nRUN c\n") == "ENV a=1 \\\n  b=2\nRUN --f c\n");
  CHECK(flagged("# escape=`\nENV a=c:\\\nRUN c\n") == "# escape=`\nENV a=c:\\\nRUN --f c\n");
  // A directive counts above everything else only.
  CHECK(
    flagged("FROM a\n# escape=`\nENV a=`\nRUN c\n") == "FROM a\n# escape=`\nENV a=`\nRUN --f c\n");
  CHECK(
    flagged("RUN <<-\"ONE\" 3<<TWO cat\nRUN a\n\tONE\nRUN b\nTWO\nRUN c\n")
    == "RUN --f <<-\"ONE\" 3<<TWO cat\nRUN a\n\tONE\nRUN b\nTWO\nRUN --f c\n");
  CHECK(
    flagged("RUN echo $((1<<b)) <<<b <<never\nRUN c\nb\n")
    == "RUN --f echo $((1<<b)) <<<b <<never\nRUN --f c\nb\n");
}
