#pragma once

#include "messages/build.hpp"
#include "messages/error.hpp"
#include "runtime/container_engine.hpp"
#include "storage/source_tree.hpp"

#include <string>
#include <utility>
#include <vector>

namespace slipway::actors {

/// A folder with secrets that goes with its owner.
class secret_folder {
public:
  secret_folder() = default;
  explicit secret_folder(std::string path) : path_(std::move(path)) {}
  ~secret_folder();
  secret_folder(secret_folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  secret_folder& operator=(secret_folder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }

private:
  std::string path_;
};

/// Those of the service, sorted by name; its own before those of all.
[[nodiscard]] std::vector<messages::build_secret> secrets_of(
  const std::vector<messages::build_secret>& all,
  const std::string& service);

/// What of a build is told to the engine, before and after secrets are in it.
struct secret_build {
  runtime::build_request& request;
  std::string& dockerfile;  ///< its text
  storage::source_tree::context& context;
};

/// Lets the steps of a build see secrets below /run/secrets, as the engine can (ADR 97). What is answered must outlive the build.
/// `prefix` begins the paths of folders for secrets. Errors: unsupported (the engine cannot), invalid_argument (a name that the engine cannot be
/// told), not_found, too_large, disk_full, io_failed.
[[nodiscard]] messages::result<secret_folder> show_secrets(
  const std::vector<messages::build_secret>& secrets,
  const runtime::engine_version& engine,
  const storage::source_tree& tree,
  const std::string& prefix,
  const secret_build& build);

}  // namespace slipway::actors
