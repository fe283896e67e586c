#pragma once

#include "runtime/container_engine.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace slipway::test {

/// A container engine for one test program: the one that SLIPWAY_TEST_ENGINE names, else a dockerd of its own in a temporary folder,
/// stopped at the end. The constructor throws when none can be had: a test without its engine fails, it is never skipped.
/// Needs root, as dockerd does. Say ENGINE where the test is added.
class engine_fixture {
public:
  enum class kind { dockerd, podman };
  explicit engine_fixture(kind which = kind::dockerd);
  ~engine_fixture();
  engine_fixture(const engine_fixture&) = delete;
  engine_fixture& operator=(const engine_fixture&) = delete;

  /// `unix:///...`
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] runtime::container_engine client() const {
    return runtime::container_engine(endpoint_);
  }
  /// SIGKILL, as a crash; only of an engine of its own.
  void kill();
  /// Starts it again on what it left.
  void restart();
  /// An image with a static busybox (`/bin/sh`, `/bin/sleep`, `/bin/httpd`, ...), made here, FROM scratch.
  static constexpr const char* base_image = "slipway-test/busybox:1";

private:
  void start(kind which);
  void launch(kind which);
  void stop() noexcept;
  void make_base_image();

  std::string endpoint_;
  std::filesystem::path folder_;
  pid_t pid_ = -1;
  kind kind_ = kind::dockerd;
};

}  // namespace slipway::test
