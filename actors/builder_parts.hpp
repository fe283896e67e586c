#pragma once

#include "actors/build_networks.hpp"
#include "actors/builder_engine.hpp"
#include "messages/build_bus.hpp"
#include "storage/source_tree.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/make_message.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What the actors of a build worker share, and what they tell each other. In-process only.
namespace slipway::actors {

/// Repository of the images that are kept as cache: `slipway.build/<fleet>/<service>:<architecture>`.
constexpr const char* builder_cache = "slipway.build/";
/// Images that a worker keeps as cache; past it the oldest go.
constexpr std::size_t builder_cache_images_max = 256;

/// What the core was asked for and did not send is asked for again after this: words may be lost.
constexpr std::int64_t ask_again_ms = 15'000;

struct builder_parts {
  std::string work_dir;        ///< its own; emptied at start
  std::string secrets_prefix;  ///< of folders for the time of a build, in memory if possible
  std::string native_arch;     ///< the engine's own slug
  /// Null: builds are not kept from the host and from each other.
  std::shared_ptr<build_networks> networks;
  std::function<std::unique_ptr<builder_engine>()> connect;
  std::function<messages::result<std::unique_ptr<storage::source_tree>>(const std::string& file)>
    open_source;
  /// Puts the rules in place that networks `swb*` are under; asked before each build. Blocks.
  std::function<messages::result<void>()> guard_networks;
  /// Makes the engine trust an authority for a registry.
  std::function<messages::result<void>(const std::string& registry, const std::string& pem)> trust;
  std::function<std::int64_t()> now_ms;
  std::function<std::int64_t()> steady_ms;
};

/// How others end an actor's blocking work: seen between calls and inside of streams.
struct stop_switch {
  std::atomic<bool> stopped{false};
  std::shared_ptr<builder_engine> engine;

  /// Again and again until the work is over: a call that begins at this moment does not see an earlier one.
  void stop() {
    stopped = true;
    engine->cancel();
  }
};

/// One build at one worker. `serial` is the worker's number for it: late words of an earlier try have another.
struct build_task {
  std::uint64_t serial = 0;
  messages::run_build order;
  std::string source_file;
  build_network network;  ///< without a name: the engine's usual
};

using begin_atom = caf::atom_constant<caf::atom("begin")>;
using close_atom = caf::atom_constant<caf::atom("close")>;
using again_atom = caf::atom_constant<caf::atom("again")>;
using halt_atom = caf::atom_constant<caf::atom("halt")>;
using up_atom = caf::atom_constant<caf::atom("up")>;
using down_atom = caf::atom_constant<caf::atom("down")>;
using tick_atom = caf::atom_constant<caf::atom("tick")>;

// From the core.

struct core_word {
  messages::envelope word;
};
struct part_arrived {
  messages::source_part part;
};
struct token_arrived {
  std::string token;  ///< "" = refused
};

// To the worker.

/// The source is here and the network stands, or why not.
struct job_ready {
  std::uint64_t serial = 0;
  std::string error;
  bool may_retry = false;
};
/// Nothing of the build is left.
struct job_closed {
  std::uint64_t serial = 0;
};
struct source_wanted {
  std::uint64_t serial = 0;
  std::uint64_t offset = 0;
};
struct token_wanted {
  std::uint64_t serial = 0;
  std::string service;
};
struct service_said {
  std::uint64_t serial = 0;
  std::string service;
  std::vector<messages::output_line> lines;
};
struct service_moved {
  std::uint64_t serial = 0;
  messages::service_progress progress;
  bool may_retry = false;  ///< of a failure
};

/// Fetches the source of one build, makes its network, and clears up after it. Detached: disk and engine.
using build_job_actor = caf::typed_actor<
  caf::reacts_to<begin_atom>,
  caf::reacts_to<part_arrived>,
  // Connected anew: what was asked for may be lost.
  caf::reacts_to<up_atom>,
  // Clear up; true = images that are no cache any more may go too.
  caf::reacts_to<close_atom, bool>,
  // From itself.
  caf::reacts_to<again_atom>,
  caf::reacts_to<tick_atom>>;

/// Builds, tags and pushes one service. Detached: the engine's calls block.
using service_builder_actor = caf::typed_actor<
  caf::reacts_to<begin_atom>,
  caf::reacts_to<token_arrived>,
  // Ends while it waits; its stop switch ends it while it works.
  caf::reacts_to<halt_atom>,
  // From itself.
  caf::reacts_to<again_atom>>;

/// Takes builds from the core and runs them within its slots. Never blocks.
using build_worker_actor = caf::typed_actor<
  caf::reacts_to<up_atom>,
  caf::reacts_to<down_atom>,
  caf::reacts_to<core_word>,
  caf::reacts_to<tick_atom>,
  // Ends all builds as ones to try again; answers when nothing of them is left.
  caf::replies_to<halt_atom>::with<bool>,
  caf::reacts_to<job_ready>,
  caf::reacts_to<job_closed>,
  caf::reacts_to<source_wanted>,
  caf::reacts_to<token_wanted>,
  caf::reacts_to<service_said>,
  caf::reacts_to<service_moved>>;

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::core_word)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::part_arrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::token_arrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::job_ready)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::job_closed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::source_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::token_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::service_said)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::service_moved)
