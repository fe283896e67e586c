#include "runtime/metrics.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace slipway::runtime;

namespace {

bool shows(const std::string& line) {
  return metrics::metrics_text().find(line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("counters, gauges and histograms are shown in the text format") {
  const auto c = metrics::make_counter("test_requests_total", "Requests.", {{"code", "200"}});
  c.add();
  c.add(2);
  CHECK(shows("# HELP test_requests_total Requests."));
  CHECK(shows("# TYPE test_requests_total counter"));
  CHECK(shows("test_requests_total{code=\"200\"} 3"));

  const auto g = metrics::make_gauge("test_open", "Open.");
  g.set(5);
  g.add(-2);
  CHECK(shows("test_open 3"));

  const auto h = metrics::make_histogram("test_wait_seconds", "Waits.", {0.5, 1});
  h.observe(0.25);
  h.observe(2);
  CHECK(shows("test_wait_seconds_bucket{le=\"0.5\"} 1"));
  CHECK(shows("test_wait_seconds_bucket{le=\"+Inf\"} 2"));
  CHECK(shows("test_wait_seconds_count 2"));
}

TEST_CASE("the same name and labels are the same metric") {
  metrics::make_counter("test_same_total", "Same.", {{"a", "1"}}).add();
  metrics::make_counter("test_same_total", "Same.", {{"a", "1"}}).add();
  metrics::make_counter("test_same_total", "Same.", {{"a", "2"}}).add();
  CHECK(shows("test_same_total{a=\"1\"} 2"));
  CHECK(shows("test_same_total{a=\"2\"} 1"));
}

TEST_CASE("threads may count and read at once") {
  const auto c = metrics::make_counter("test_threads_total", "Threads.");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        c.add();
      }
      (void)metrics::metrics_text();
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  CHECK(shows("test_threads_total 4000"));
}

TEST_CASE("a label's value cannot break the format") {
  metrics::make_counter("test_escape_total", "Escapes.", {{"v", "a\"b\nc"}}).add();
  CHECK(shows("test_escape_total{v=\"a\\\"b\\nc\"} 1"));
}

TEST_CASE("the process shows its own memory") {
  CHECK(metrics::metrics_text().find("process_resident_memory_bytes ") != std::string::npos);
}
