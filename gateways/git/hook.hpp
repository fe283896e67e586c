#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways::git {

/// One line that git gives its hooks: `<old> <new> <ref>`.
struct ref_change {
  std::string before;  ///< 40 hex, zeros = it is new
  std::string after;   ///< zeros = it goes
  std::string ref;

  [[nodiscard]] bool removes() const;
};
/// Nothing when a line is malformed or there are too many.
[[nodiscard]] std::optional<std::vector<ref_change>> parse_changes(std::string_view text);

/// Why a repository does not take these, "" = it does: what it takes with what was received for this push and others under way, and how many refs
/// it has. Whoever only removes may.
[[nodiscard]] std::string full_by(
  const std::vector<ref_change>& changes,
  const std::string& repository,
  std::uint64_t bytes_max);

/// What a push asks for: at most one build.
struct push_plan {
  std::optional<ref_change> build;
  std::string refusal;             ///< why the push is refused; "" = it is not
  std::vector<std::string> notes;  ///< for the pusher
};
/// `release_refs` in order of preference, `head` the ref that HEAD names.
[[nodiscard]] push_plan plan_push(
  const std::vector<ref_change>& changes,
  const std::vector<std::string>& release_refs,
  std::string_view head);

/// What the two hooks work with: from the environment that the server (SLIPWAY_...) and git (GIT_...) gave them.
struct hook_context {
  std::string url;
  std::string api;
  std::string ticket;
  std::vector<std::string> release_refs;
  std::string repository;
  std::uint64_t repository_bytes_max = UINT64_MAX;
  std::string quarantine;
  std::string changes;  ///< what git wrote to their standard input
  std::function<void(std::string_view)> print;
};
/// Exit codes.
[[nodiscard]] int pre_receive(const hook_context& c);
[[nodiscard]] int post_receive(const hook_context& c);

}  // namespace slipway::gateways::git
