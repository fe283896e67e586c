#pragma once

#include "fanout_shared.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace slipway::bench {

/// A real `slipwayd serve` in a temporary folder, with a fleet of the given devices, driven over HTTP as any client would.
/// Throws std::runtime_error when something is not answered as it should be.
class core_side {
public:
  /// Starts it and registers the devices; `contest` learns where the overlay is.
  core_side(const std::string& program, const std::vector<bench_device>& devices, contest& c);
  ~core_side();
  core_side(const core_side&) = delete;
  core_side& operator=(const core_side&) = delete;

  [[nodiscard]] pid_t server() const { return server_; }
  [[nodiscard]] pid_t edge() const { return edge_; }
  [[nodiscard]] double registered_per_second() const { return registered_per_second_; }
  /// How many devices the server takes for online.
  [[nodiscard]] int online();
  /// Everything of the next release but its last step.
  void prepare_release();
  /// The step that makes the release the fleet's target; returns when it was answered, ns.
  std::int64_t finish_release();

private:
  void start(const std::string& program);
  void make_fleet();
  void enrol(const std::vector<bench_device>& devices);
  void find_overlay(contest& c);

  std::string folder_;
  std::string base_;
  pid_t server_ = -1;
  pid_t edge_ = -1;
  double registered_per_second_ = 0;
  std::int64_t fleet_ = 0;
  std::int64_t release_ = 0;
  std::string token_;
  std::string provisioning_key_;
  std::vector<std::int64_t> services_;
};

}  // namespace slipway::bench
