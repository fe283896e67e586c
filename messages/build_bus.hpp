#pragma once

#include "messages/build.hpp"
#include "messages/envelope.hpp"
#include "messages/fields.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// What the core and a build worker tell each other over the bus (docs/protocols/builder.md). Builds are named by their row; `attempt`
/// tells a late word of an earlier try.
namespace slipway::messages {

/// Parts of a source that one answer holds at most, and that a worker has asked for and not got.
constexpr std::size_t source_part_bytes_max = 1U << 20U;
constexpr std::size_t source_parts_in_flight_max = 8;
/// A worker that was not heard of for so long has lost its builds.
constexpr std::int64_t worker_lease_ms = 20'000;
constexpr std::int64_t worker_beat_ms = 5'000;

// Worker to core.

/// First message on each new connection. Builds that are not in `builds` are lost to this worker.
struct worker_joined {
  static constexpr message_type type = message_type::worker_joined;
  static constexpr std::uint8_t version = 1;
  std::string name;
  std::vector<std::string> architectures;  ///< slugs it can build for, its own first
  std::uint32_t slots = 1;                 ///< services it builds at a time
  std::string engine;                      ///< version, for people
  std::vector<std::int64_t> builds;        ///< that it works on
  SLIPWAY_FIELDS(name, architectures, slots, engine, builds)
  friend bool operator==(const worker_joined&, const worker_joined&) = default;
};

/// Renews the leases of its builds.
struct worker_beat {
  static constexpr message_type type = message_type::worker_beat;
  static constexpr std::uint8_t version = 1;
  std::vector<std::int64_t> builds;
  SLIPWAY_FIELDS(builds)
  friend bool operator==(const worker_beat&, const worker_beat&) = default;
};

struct get_source {
  static constexpr message_type type = message_type::get_source;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::uint64_t offset = 0;
  SLIPWAY_FIELDS(build, offset)
  friend bool operator==(const get_source&, const get_source&) = default;
};

/// Asks for a short-lived token: to push the images of a build, and to pull those of the fleet's release before it.
struct get_push_token {
  static constexpr message_type type = message_type::get_push_token;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::string service;
  SLIPWAY_FIELDS(build, service)
  friend bool operator==(const get_push_token&, const get_push_token&) = default;
};

/// One line of output, or a rewrite of the line before.
struct output_line {
  std::string service;  ///< "" = of the whole build
  std::string text;     ///< without line end, UTF-8
  bool replace = false;
  bool error = false;
  SLIPWAY_FIELDS(service, text, replace, error)
  friend bool operator==(const output_line&, const output_line&) = default;
};

struct build_output {
  static constexpr message_type type = message_type::build_output;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::int64_t attempt = 0;
  std::vector<output_line> lines;
  SLIPWAY_FIELDS(build, attempt, lines)
  friend bool operator==(const build_output&, const build_output&) = default;
};

struct service_changed {
  static constexpr message_type type = message_type::service_changed;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::int64_t attempt = 0;
  service_progress service;
  SLIPWAY_FIELDS(build, attempt, service)
  friend bool operator==(const service_changed&, const service_changed&) = default;
};

/// The worker's last word on a build. With an empty `error` every image is in the registry.
struct build_ended {
  static constexpr message_type type = message_type::build_ended;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::int64_t attempt = 0;
  std::string error;
  bool cancelled = false;
  bool may_retry = false;  ///< the worker or its engine failed, not the project
  SLIPWAY_FIELDS(build, attempt, error, cancelled, may_retry)
  friend bool operator==(const build_ended&, const build_ended&) = default;
};

// Core to worker.

/// Where one service's image goes, and where the one before it is.
struct image_place {
  std::string service;
  std::string location;  ///< `registry/v2/hash`
  std::string previous;  ///< `registry/v2/hash@sha256:...` of the fleet's last release, "" = none
  SLIPWAY_FIELDS(service, location, previous)
  friend bool operator==(const image_place&, const image_place&) = default;
};

struct build_limits {
  std::int64_t seconds_max = 3600;
  std::int64_t memory_bytes_max = 0;  ///< of one build container, 0 = no limit
  std::int64_t output_bytes_max = 16 << 20;
  SLIPWAY_FIELDS(seconds_max, memory_bytes_max, output_bytes_max)
  friend bool operator==(const build_limits&, const build_limits&) = default;
};

struct run_build {
  static constexpr message_type type = message_type::run_build;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::int64_t attempt = 0;
  std::int64_t organization = 0;  ///< builds of different ones do not see each other
  std::string architecture;
  bool no_cache = false;
  std::uint64_t source_bytes = 0;  ///< of the tar
  build_plan plan;
  std::vector<image_place> images;
  build_limits limits;
  bool plain_http = false;  ///< the registry has no TLS
  std::string registry_ca;  ///< PEM of our own authority, "" = none
  std::int64_t fleet = 0;   ///< builds of one share a cache
  SLIPWAY_FIELDS(
    build,
    attempt,
    organization,
    architecture,
    no_cache,
    source_bytes,
    plan,
    images,
    limits,
    plain_http,
    registry_ca,
    fleet)
  friend bool operator==(const run_build&, const run_build&) = default;
};

/// Ends a build; the worker answers with build_ended. Also the answer to the word of a build that the worker should not have.
struct cancel_build {
  static constexpr message_type type = message_type::cancel_build;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  SLIPWAY_FIELDS(build)
  friend bool operator==(const cancel_build&, const cancel_build&) = default;
};

struct source_part {
  static constexpr message_type type = message_type::source_part;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::uint64_t offset = 0;
  std::vector<char> bytes;  ///< empty = there is no such source any more
  SLIPWAY_FIELDS(build, offset, bytes)
  friend bool operator==(const source_part&, const source_part&) = default;
};

struct push_token {
  static constexpr message_type type = message_type::push_token;
  static constexpr std::uint8_t version = 1;
  std::int64_t build = 0;
  std::string service;
  std::string token;  ///< "" = refused
  SLIPWAY_FIELDS(build, service, token)
  friend bool operator==(const push_token&, const push_token&) = default;
};

}  // namespace slipway::messages
