#pragma once

#include "actors/builder_parts.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace slipway::actors {

/// An engine that does not answer is waited for: one that restarts costs no build.
constexpr int engine_tries_max = 30;
constexpr auto engine_pause = std::chrono::seconds{1};

/// Removes the names that an earlier life gave images for a push; they are in its work folder.
void clear_names(builder_engine& engine, const std::string& work_dir);
/// Keeps the newest `count` images of the cache.
void trim_cache(builder_engine& engine, std::size_t count);

struct build_job_state {
  static inline const char* name = "build_job";
  ~build_job_state();

  void start();
  void part(const messages::source_part& p);
  void up();
  void close(bool alone);
  void again();
  void tick();

  build_job_actor::stateful_pointer<build_job_state> self = nullptr;
  build_worker_actor worker;
  std::shared_ptr<const builder_parts> parts;
  std::shared_ptr<const build_task> task;
  std::shared_ptr<stop_switch> stop;

private:
  void ask_more();
  void prepare();
  messages::result<void> make_ready();
  void note_names();
  void clear_up();
  void remove_old_caches();
  void ready();
  void failed(const messages::error& e, bool may_retry);

  int file_ = -1;
  std::uint64_t asked_ = 0;                         ///< all before it was asked for
  std::map<std::uint64_t, std::uint64_t> missing_;  ///< asked for and not here: offset, bytes
  bool silence_ = true;                             ///< nothing came since the last tick
  int tries_ = 0;
  bool closing_ = false;
  bool alone_ = false;
  std::map<std::string, std::string> caches_;  ///< image by cache reference, as the build began
};

build_job_actor::behavior_type build_job(
  build_job_actor::stateful_pointer<build_job_state> self,
  build_worker_actor worker,
  std::shared_ptr<const builder_parts> parts,
  std::shared_ptr<const build_task> task,
  std::shared_ptr<stop_switch> stop);

}  // namespace slipway::actors
