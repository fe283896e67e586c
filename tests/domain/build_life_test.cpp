#include "domain/build_life.hpp"

#include "domain/build_summary.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace slipway;
using domain::may_follow;
namespace status = domain::build_status;

TEST_CASE("a build goes through its life as the table says") {
  const std::vector<std::pair<std::string_view, std::string_view>> allowed{
    {status::queued, status::queued},
    {status::queued, status::running},
    {status::queued, status::failed},
    {status::queued, status::cancelled},
    {status::running, status::running},
    {status::running, status::queued},
    {status::running, status::pushed},
    {status::running, status::failed},
    {status::running, status::cancelled},
    {status::pushed, status::pushed},
    {status::pushed, status::released},
    {status::pushed, status::failed},
    {status::pushed, status::cancelled}};
  for (const auto from : status::all) {
    for (const auto to : status::all) {
      const bool listed =
        std::find(allowed.begin(), allowed.end(), std::pair{from, to}) != allowed.end();
      INFO(from << " to " << to);
      CHECK(may_follow(from, to) == listed);
    }
  }
  CHECK_FALSE(may_follow(status::queued, "paused"));
}

TEST_CASE("the summary of a build is a table with a line per service") {
  messages::service_progress web;
  web.name = "web";
  web.image_bytes = 12'345'678;
  web.started = 1'000;
  web.ended = 4'400;
  web.cached = true;
  messages::service_progress database;
  database.name = "database";
  database.image_bytes = 900;
  database.ended = 125'000;
  const std::vector all{web, database};
  CHECK(
    domain::build_summary(all)
    == std::vector<std::string>{
      "SERVICE   SIZE     TIME",
      "web       12.3 MB  3.4 s      from cache",
      "database  0.9 kB   2 min 5 s"});
}
