#pragma once

#include "actors/build_secrets.hpp"
#include "actors/builder_parts.hpp"
#include "domain/build_output.hpp"

#include <memory>
#include <string>
#include <vector>

namespace slipway::actors {

constexpr int push_attempts_max = 3;
/// Between two attempts to push; doubles.
constexpr auto push_pause = std::chrono::seconds{2};
/// A progress line at most so often.
constexpr std::int64_t progress_every_ms = 500;
/// Of a service's output, kept with its image.
constexpr std::size_t service_log_bytes_max = 64U * 1024;

/// Where an image stays as cache of the next build of the same service.
[[nodiscard]] std::string cache_reference(
  const messages::run_build& order,
  const std::string& service);
/// Who may push and pull at an image's registry. `token` "" = anonymous.
[[nodiscard]] runtime::registry_access access_of(
  const messages::run_build& order,
  std::string token);

struct service_builder_state {
  static inline const char* name = "service_builder";

  void start();
  void token(const std::string& text);
  void halt();
  void again();

  service_builder_actor::stateful_pointer<service_builder_state> self = nullptr;
  build_worker_actor worker;
  std::shared_ptr<const builder_parts> parts;
  std::shared_ptr<const build_task> task;
  messages::service_plan plan;
  messages::image_place place;
  std::shared_ptr<stop_switch> stop;
  messages::service_progress progress;
  bool previous_here = false;  ///< the image before was fetched: it is the cache

private:
  enum class awaits { nothing, pull_token, push_token };

  void produce();
  messages::result<runtime::engine_image> pull_image();
  messages::result<runtime::engine_image> build_image();
  messages::result<secret_folder> give_secrets(
    const storage::source_tree& tree,
    const secret_build& build);
  void pull_previous(const std::string& token);
  void push(const std::string& token);
  void ask_token(awaits what);
  void pushed(const std::string& digest);
  void fail(const messages::error& e, bool of_engine);
  void over(std::string status, std::string error, bool may_retry);
  void tell();
  void say(std::string text, bool replace, bool error = false);
  runtime::progress_sink meter(std::string what);

  awaits awaiting_ = awaits::nothing;
  int attempts_ = 0;
  bool metered_ = false;  ///< the last line was one of progress
  std::int64_t metered_at_ = 0;
};

service_builder_actor::behavior_type service_builder(
  service_builder_actor::stateful_pointer<service_builder_state> self,
  build_worker_actor worker,
  std::shared_ptr<const builder_parts> parts,
  std::shared_ptr<const build_task> task,
  std::size_t index,
  std::shared_ptr<stop_switch> stop);

}  // namespace slipway::actors
