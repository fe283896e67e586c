#pragma once

#include "messages/fields.hpp"
#include "messages/requester.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// What a project is built into, and the life of one build (docs/protocols/builder.md).
namespace slipway::messages {

/// An argument or a label.
struct name_value {
  std::string name;
  std::string value;
  SLIPWAY_FIELDS(name, value)
  friend bool operator==(const name_value&, const name_value&) = default;
};

/// How one service of a project becomes an image. Everything that files of the project decide is decided in it.
struct service_plan {
  std::string name;
  std::string image;       ///< reference to pull; "" = it is built
  std::string context;     ///< folder in the source, "" = its root
  std::string dockerfile;  ///< path within the context
  std::string
    dockerfile_text;         ///< as it is to be built, template variables filled in; "" for `image`
  std::string target;        ///< stage, "" = the last
  std::string project_type;  ///< as an image row says it
  std::vector<name_value> args;
  std::vector<name_value> labels;
  /// Text of the `.dockerignore` that rules the context; domain/dockerignore.hpp reads it.
  std::string dockerignore;
  std::string contract;  ///< JSON, "" = none
  std::string
    dockerignore_folder;  ///< what its paths are relative to: the context or a folder above it
  SLIPWAY_FIELDS(
    name,
    image,
    context,
    dockerfile,
    dockerfile_text,
    target,
    project_type,
    args,
    labels,
    dockerignore,
    contract,
    dockerignore_folder)
  friend bool operator==(const service_plan&, const service_plan&) = default;
};

/// A registry that base images are pulled from. A secret: never logged, never in an image.
struct registry_secret {
  std::string
    host;  ///< host[:port]; the public hub is `https://index.docker.io/v1/`, as engines call it
  std::string username;
  std::string password;
  SLIPWAY_FIELDS(host, username, password)
  friend bool operator==(const registry_secret&, const registry_secret&) = default;
};

/// A file that builds see below /run/secrets and images do not hold.
struct build_secret {
  std::string service;  ///< "" = all
  std::string source;   ///< path in the source
  std::string name;     ///< path below /run/secrets
  SLIPWAY_FIELDS(service, source, name)
  friend bool operator==(const build_secret&, const build_secret&) = default;
};

/// What a whole project is built into.
struct build_plan {
  std::vector<service_plan> services;
  std::string composition;  ///< JSON, as a release carries it
  std::string contract;     ///< JSON, "" = none
  std::string semver;       ///< of the contract, "" = none
  std::vector<registry_secret> registries;
  std::vector<build_secret> secrets;
  std::vector<std::string> warnings;  ///< `file:line: text`
  SLIPWAY_FIELDS(services, composition, contract, semver, registries, secrets, warnings)
  friend bool operator==(const build_plan&, const build_plan&) = default;
};

/// Creates a release with its services, images and labels, and the build that is to fill them, in the receiving fleet. All or nothing.
/// Answers with the build's row.
struct start_build {
  requester by;
  std::string commit;  ///< of the release
  std::string source;  ///< push, git or url
  std::string ref;     ///< of a git push, "" = none
  bool draft = false;
  build_plan plan;  ///< without secrets
  SLIPWAY_FIELDS(by, commit, source, ref, draft, plan)
};

/// How far one service of a build is.
struct service_progress {
  std::string name;
  std::string status;  ///< building, built, pushing, success, failed, cancelled
  std::string content_hash;
  std::int64_t image_bytes = 0;
  std::int64_t started = 0;  ///< ms
  std::int64_t ended = 0;    ///< ms, 0 = not yet
  std::string error;
  bool cached = false;    ///< every step came from the cache
  std::string build_log;  ///< its last part, at the end only
  SLIPWAY_FIELDS(name, status, content_hash, image_bytes, started, ended, error, cached, build_log)
  friend bool operator==(const service_progress&, const service_progress&) = default;
};

/// Moves a build of the receiving fleet on (domain/build_life.hpp), and the rows of its release with it. Answers with the build's row.
struct advance_build {
  std::int64_t build = 0;
  std::string status;        ///< "" = as it is
  std::string worker;        ///< "" = as it is
  std::int64_t attempt = 0;  ///< 0 = as it is
  std::string error;
  std::vector<service_progress> services;  ///< those that changed
  std::string log;                         ///< end of the whole output, when the build ends
  SLIPWAY_FIELDS(build, status, worker, attempt, error, services, log)
};

}  // namespace slipway::messages
