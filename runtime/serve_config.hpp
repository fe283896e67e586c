#pragma once

#include "runtime/config.hpp"

namespace slipway::runtime {

/// Settings of `slipwayd serve`.
struct serve_config {
  std::string data_dir;
  listen_address http;
  std::string overlay_endpoint;         ///< ZeroMQ endpoint that the edge binds
  std::string domain;                   ///< lower case; "" = routed by path on a plain address
  std::optional<listen_address> https;  ///< only with a domain; none = no TLS
  /// Chain and key of each certificate; empty = an own authority.
  std::vector<std::pair<std::string, std::string>> certificates;
  std::string tls_ca;  ///< root of the given certificates that clients must be told; "" = none
  std::string
    public_url;  ///< how clients reach the HTTP port; "" = the address as bound, or api.<domain>
  std::string overlay_public;  ///< endpoint that devices are told; "" = as the edge bound it
  int http_threads = 0;        ///< never 0 once loaded
  int scheduler_threads = 0;   ///< never 0 once loaded
  std::string log_level;       ///< debug, info, warn, error
  std::string log_format;      ///< text, json
  // What is kept of each device's log.
  std::int64_t log_retention_bytes = 0;
  std::int64_t log_retention_lines = 0;
  std::int64_t log_retention_hours = 0;
  // Of the image registry.
  std::int64_t registry_grace_seconds = 0;           ///< before garbage goes
  std::int64_t registry_scrub_bytes_per_second = 0;  ///< 0 = no scrubbing by itself
  std::int64_t registry_free_bytes = 0;              ///< of the disk; with less, nothing is pushed
  std::int64_t organization_storage_bytes =
    0;  ///< an organization's images, unless it has a limit of its own; 0 = no limit
  std::string
    admin_file;  ///< holds `name:password` of the first administrator; "" = made up and printed once
  std::string registry_mirrors;  ///< file of registries elsewhere; "" = none
  std::string registration;      ///< closed, invite, open
  // Of the git server.
  std::optional<listen_address> ssh;  ///< none = no SSH
  std::int64_t git_repository_bytes = 0;
  std::int64_t git_push_bytes = 0;
  // Builds.
  std::string
    builder_engine;  ///< socket of the engine that builds here, `none` = builds nothing itself
  std::string builder_endpoint;     ///< ZeroMQ endpoint where build workers join
  std::uint32_t builder_slots = 0;  ///< services the own worker builds at a time, 0 = one per core
  bool builder_open_network = false;    ///< its builds may reach this machine and each other
  std::int64_t build_seconds = 0;       ///< a build may take
  std::int64_t build_memory_bytes = 0;  ///< each of its containers may take, 0 = no limit
  std::int64_t build_output_bytes = 0;  ///< it may print
};

/// Either a configuration, or a text to print and a status to exit with.
struct serve_outcome {
  std::optional<serve_config> config = {};
  std::string text = {};
  int exit_code = 0;
};

[[nodiscard]] const command_settings& serve_settings();
[[nodiscard]] serve_outcome load_serve_config(
  const std::vector<std::string>& arguments,
  const environment& env);

}  // namespace slipway::runtime
