#pragma once

#include "cli/progress.hpp"
#include "cli/project.hpp"
#include "runtime/container_engine.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace slipway::cli {

/// One service on its way from source to the registry.
struct service_job {
  messages::service_plan service;
  // Made here:
  std::string local_image;  ///< what the engine calls it
  std::string build_log;
  std::int64_t size_bytes = 0;
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;
  // On the server:
  std::int64_t image = 0;
  std::string location;  ///< registry/v2/hash
  std::string digest;
  bool finished = false;  ///< its image row says success
};

/// How images are made.
struct image_options {
  std::string temp_folder;
  bool no_cache = false;
};

/// Builds, pulls and pushes with the local engine and tells the board. Each call ends soon after `interrupted` is set.
class image_maker {
public:
  image_maker(
    runtime::container_engine& engine,
    progress_board& board,
    const std::atomic<bool>& interrupted,
    image_options options)
    : engine_(engine), board_(board), interrupted_(interrupted), options_(std::move(options)) {}

  /// Builds the service, or pulls the image that it names unless the engine has it.
  [[nodiscard]] messages::result<void> make(const project& p, service_job& job);
  /// Pushes to `job.location`, a few times if need be; fills `job.digest`.
  [[nodiscard]] messages::result<void> push(
    service_job& job,
    const runtime::registry_access& access);

private:
  [[nodiscard]] messages::result<void> build(const project& p, service_job& job);
  [[nodiscard]] messages::result<void> take_ready(const project& p, service_job& job);
  [[nodiscard]] messages::result<void> measure(service_job& job);
  [[nodiscard]] bool hear(service_job& job, std::string_view text);
  void show(const service_job& job, phase at);
  /// A sink that sums the layers of a pull or push for the board.
  [[nodiscard]] runtime::progress_sink layers_of(const service_job& job, phase at);

  runtime::container_engine& engine_;
  progress_board& board_;
  const std::atomic<bool>& interrupted_;
  image_options options_;
  // Of the build that runs:
  std::string partial_line_;
  std::int64_t step_ = 0;
  std::int64_t steps_ = 0;
};

}  // namespace slipway::cli
