#include "runtime/metrics.hpp"

#include "runtime/assert.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace slipway::runtime::metrics {

namespace {

prometheus::Registry& registry() {
  // Never destroyed: handles in other static objects may outlive it.
  static auto* one = new prometheus::Registry(prometheus::Registry::InsertBehavior::Merge);
  return *one;
}

std::string checked(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  SLIPWAY_ASSERT(!name.empty() && std::all_of(name.begin(), name.end(), good));
  SLIPWAY_ASSERT(name.front() < '0' || name.front() > '9');
  return std::string(name);
}

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  double pages_total = 0;
  double pages = 0;
  in >> pages_total >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

double open_descriptors() {
  std::error_code ec;
  double n = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", ec);
       !ec && it != std::filesystem::directory_iterator();
       it.increment(ec)) {
    ++n;
  }
  return n;
}

void observe_process() {
  static const auto memory = make_gauge("process_resident_memory_bytes", "Resident memory.");
  static const auto cpu = make_gauge("process_cpu_seconds_total", "User and system CPU time.");
  static const auto descriptors = make_gauge("process_open_fds", "Open file descriptors.");
  memory.set(resident_bytes());
  cpu.set(cpu_seconds());
  descriptors.set(open_descriptors());
}

}  // namespace

void counter::add(double n) const {
  static_cast<prometheus::Counter*>(impl_)->Increment(n);
}

void gauge::set(double value) const {
  static_cast<prometheus::Gauge*>(impl_)->Set(value);
}

void gauge::add(double n) const {
  static_cast<prometheus::Gauge*>(impl_)->Increment(n);
}

void histogram::observe(double value) const {
  static_cast<prometheus::Histogram*>(impl_)->Observe(value);
}

counter make_counter(std::string_view name, std::string_view help, const labels& l) {
  counter c;
  c.impl_ = &prometheus::BuildCounter()
               .Name(checked(name))
               .Help(std::string(help))
               .Register(registry())
               .Add(l);
  return c;
}

gauge make_gauge(std::string_view name, std::string_view help, const labels& l) {
  gauge g;
  g.impl_ = &prometheus::BuildGauge()
               .Name(checked(name))
               .Help(std::string(help))
               .Register(registry())
               .Add(l);
  return g;
}

histogram make_histogram(
  std::string_view name,
  std::string_view help,
  const std::vector<double>& bounds,
  const labels& l) {
  histogram h;
  h.impl_ = &prometheus::BuildHistogram()
               .Name(checked(name))
               .Help(std::string(help))
               .Register(registry())
               .Add(l, prometheus::Histogram::BucketBoundaries(bounds.begin(), bounds.end()));
  return h;
}

const std::vector<double>& latency_bounds() {
  static const std::vector<double>
    bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return bounds;
}

std::string metrics_text() {
  observe_process();
  return prometheus::TextSerializer().Serialize(registry().Collect());
}

}  // namespace slipway::runtime::metrics
