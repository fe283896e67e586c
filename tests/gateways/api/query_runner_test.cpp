#include "gateways/api/query_runner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <future>
#include <thread>
#include <vector>

using namespace slipway;
using namespace slipway::gateways;
using api::query_budget;
using api::query_runner;
using messages::errc;
using messages::result;

namespace {

/// Answers of queries that were started together, each by an actor, in the order of their starts.
struct world {
  boost::asio::io_context loop;
  query_runner queries;
  std::vector<std::optional<result<int>>> answers;

  void start(std::int64_t actor, query_runner::query<int> q) {
    const auto place = answers.size();
    answers.emplace_back();
    boost::asio::co_spawn(
      loop,
      queries.run(actor, std::move(q)),
      [this, place](const std::exception_ptr& failed, result<int> answer) {
        REQUIRE(failed == nullptr);
        answers[place] = std::move(answer);
      });
  }
  [[nodiscard]] errc refused(std::size_t place) const {
    const auto& answer = answers[place];
    return answer && !*answer ? answer->error().code : errc::none;
  }
};

/// Too costly for the small budget; with the large one it waits for `gate`.
query_runner::query<int> expensive(const std::shared_future<void>& gate) {
  return [gate](const query_budget& budget, odata::statistics& stats) -> result<int> {
    if (budget.rows_max < query_runner::apart.rows_max) {
      stats.too_costly = true;
      return messages::fail(errc::invalid_argument, "too many rows");
    }
    gate.wait();
    return 7;
  };
}

}  // namespace

TEST_CASE("a cheap query runs once, in the thread that asks") {
  world w;
  int runs = 0;
  std::thread::id where;
  w.start(1, [&](const query_budget&, odata::statistics&) -> result<int> {
    ++runs;
    where = std::this_thread::get_id();
    return 3;
  });
  w.loop.run();
  CHECK(w.answers[0].value().value() == 3);
  CHECK(runs == 1);
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("a query that is wrong is not tried twice") {
  world w;
  int runs = 0;
  w.start(1, [&](const query_budget&, odata::statistics&) -> result<int> {
    ++runs;
    return messages::fail(errc::invalid_argument, "no such field");
  });
  w.loop.run();
  CHECK(w.refused(0) == errc::invalid_argument);
  CHECK(runs == 1);
}

TEST_CASE("an expensive query runs elsewhere while cheap ones are answered") {
  world w;
  std::promise<void> gate;
  w.start(1, expensive(gate.get_future().share()));
  w.start(1, [](const query_budget&, odata::statistics&) -> result<int> { return 3; });
  while (!w.answers[1]) {
    w.loop.run_one();
  }
  CHECK_FALSE(w.answers[0]);
  gate.set_value();
  w.loop.run();
  CHECK(w.answers[0].value().value() == 7);
}

TEST_CASE("one requester's expensive queries are few, and others are not held up by them") {
  world w;
  std::promise<void> gate;
  const auto shared = gate.get_future().share();
  for (int i = 0; i <= query_runner::of_one_max; ++i) {
    w.start(1, expensive(shared));
  }
  w.start(2, expensive(shared));
  while (!w.answers[query_runner::of_one_max]) {
    w.loop.run_one();
  }
  CHECK(w.refused(query_runner::of_one_max) == errc::too_many_requests);
  gate.set_value();
  w.loop.run();
  CHECK(w.answers.back().value().value() == 7);
  CHECK(w.answers.front().value().value() == 7);
}

TEST_CASE("beyond so many expensive queries of all requesters the next is put off") {
  world w;
  std::promise<void> gate;
  const auto shared = gate.get_future().share();
  for (int i = 0; i < query_runner::of_all_max; ++i) {
    w.start(100 + i, expensive(shared));
  }
  w.start(1, expensive(shared));
  while (!w.answers.back()) {
    w.loop.run_one();
  }
  CHECK(w.refused(w.answers.size() - 1) == errc::unavailable);
  gate.set_value();
  w.loop.run();
  for (std::size_t i = 0; i + 1 < w.answers.size(); ++i) {
    CHECK(w.answers[i].value().value() == 7);
  }
}
