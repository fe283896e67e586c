#pragma once

#include "gateways/git/repository_usage.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways::git {

/// Bare repositories, one per fleet, as folders `<row of the fleet>.git`: a fleet that changes its name keeps its repository, and no row's
/// number is ever given again (docs/protocols/git.md). Safe from any thread.
class repositories {
public:
  /// Makes the folder, and the hooks in it that all repositories share. Errors: io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<repositories>> open(std::string folder);

  [[nodiscard]] std::string path(std::int64_t fleet) const;
  [[nodiscard]] std::string hooks() const { return folder_ + "/hooks"; }

  /// Makes the repository when there is none, and points its HEAD (head.hpp). Errors: io_failed, disk_full, corrupt.
  [[nodiscard]] messages::result<void> prepare(
    std::int64_t fleet,
    std::span<const std::string> release_refs);
  /// What is at a ref: 40 hex, nothing when there is no such ref or repository. Errors: corrupt, io_failed.
  [[nodiscard]] messages::result<std::optional<std::string>> ref_of(
    std::int64_t fleet,
    std::string_view ref) const;

  [[nodiscard]] repository_usage used(std::int64_t fleet) const { return usage_of(path(fleet)); }

  /// Fleets that have one.
  [[nodiscard]] std::vector<std::int64_t> list() const;
  /// Takes it away; who reads it then gets errors.
  void remove(std::int64_t fleet);

  /// Around each program that writes. What killed ones left, half-received objects and locks of refs, goes once the last of a repository is
  /// over.
  void writing_began(std::int64_t fleet);
  void writing_ended(std::int64_t fleet);

private:
  explicit repositories(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] messages::result<void> start();
  [[nodiscard]] messages::result<void> make(std::int64_t fleet, const std::string& head);
  void clear_left(std::int64_t fleet) const;

  std::string folder_;
  std::mutex mutex_;
  std::map<std::int64_t, int> writers_;  ///< under way
};

}  // namespace slipway::gateways::git
