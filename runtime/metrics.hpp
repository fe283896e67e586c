#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Numbers that the process shows to Prometheus. Keep a handle where it is used: looking one up takes a lock, using it does not.
namespace slipway::runtime::metrics {

using labels = std::map<std::string, std::string>;

/// Only grows. Names end in `_total`.
class counter {
public:
  void add(double n = 1) const;

private:
  friend counter make_counter(std::string_view, std::string_view, const labels&);
  void* impl_ = nullptr;
};

class gauge {
public:
  void set(double value) const;
  void add(double n) const;

private:
  friend gauge make_gauge(std::string_view, std::string_view, const labels&);
  void* impl_ = nullptr;
};

/// Counts by size; names end in their unit, `_seconds` or `_bytes`.
class histogram {
public:
  void observe(double value) const;

private:
  friend histogram
  make_histogram(std::string_view, std::string_view, const std::vector<double>&, const labels&);
  void* impl_ = nullptr;
};

/// The same name and labels give the same metric, for the life of the process. A name must be `[a-z_][a-z0-9_]*`, and keep its kind;
/// both are our own mistakes and end the process. Label values must come from a small fixed set, never from clients.
[[nodiscard]] counter
make_counter(std::string_view name, std::string_view help, const labels& l = {});
[[nodiscard]] gauge make_gauge(std::string_view name, std::string_view help, const labels& l = {});
[[nodiscard]] histogram make_histogram(
  std::string_view name,
  std::string_view help,
  const std::vector<double>& bounds,
  const labels& l = {});

/// From 0.5 ms to 10 s.
[[nodiscard]] const std::vector<double>& latency_bounds();

/// All metrics in the text format of Prometheus (version 0.0.4), with the process's own memory, CPU time and descriptors.
[[nodiscard]] std::string metrics_text();

}  // namespace slipway::runtime::metrics
