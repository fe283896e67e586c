#pragma once

#include "actors/builder_engine.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace slipway::actors {

/// The label of all that a worker leaves in its engine while it builds; its value is the worker's.
constexpr const char* builder_label = "io.slipway.builder";

/// A network of the engine that is one build's alone.
struct build_network {
  std::string name;
  std::string bridge;       ///< the host's device of it
  bool made_ahead = false;  ///< it should stand already
};

/// The networks of one worker's builds. One is made ahead of the next build, since that takes longer than many a build does.
/// Thread-safe. What takes an engine blocks and has the engine's errors.
class build_networks {
public:
  template <class T>
  using result = messages::result<T>;

  /// `builder_id` names what is this worker's own in the engine.
  explicit build_networks(std::string builder_id) : id_(std::move(builder_id)) {}

  /// A network that no other build gets: the one made ahead, if there is one. Does not block.
  [[nodiscard]] build_network reserve();
  /// Makes it stand.
  [[nodiscard]] result<void> make(builder_engine& engine, const build_network& n) const;
  /// Removes it with the containers in it.
  [[nodiscard]] static result<void> remove(builder_engine& engine, const build_network& n);
  /// For the next build, unless there is one. Whatever fails only makes that build slower.
  void make_ahead(builder_engine& engine);
  /// Removes all networks of this worker, of earlier lives too, with the containers in them. To be called while nothing is built;
  /// `for_good` = none is made ahead any more.
  [[nodiscard]] result<void> clear(builder_engine& engine, bool for_good = false);

private:
  [[nodiscard]] build_network fresh() const;
  [[nodiscard]] std::string label() const { return std::string(builder_label) + "=" + id_; }

  std::string id_;
  std::mutex making_;  ///< held while one is made ahead, and before `mutex_`
  bool closed_ = false;
  std::mutex mutex_;
  std::optional<build_network> ahead_;
};

}  // namespace slipway::actors
