#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace slipway::cli {

/// What becomes of a path while a folder is walked.
struct walk_choice {
  bool take = false;           ///< it goes along
  bool enter = false;          ///< what it holds is looked at; means nothing for files
  bool may_be_closed = false;  ///< entered only if it can be read; else that it cannot is an error
};
using walk_rule = std::function<walk_choice(const std::string& path, bool is_folder)>;

/// Paths of a folder, relative to it, parents before children, always in the same order. Links are not followed.
/// Errors: io_failed, with the path of what cannot be read.
messages::result<std::vector<std::string>> walk(
  const std::filesystem::path& folder,
  const walk_rule& rule);

struct source_options {
  std::string dockerfile;  ///< relative to the folder, "" = by the rules
  bool multi_dockerignore =
    false;  ///< a service's folder has its own `.dockerignore`; the root's does not count there
};

/// What of a project goes to a builder: all but `.git` and what `.dockerignore` says; Dockerfiles, compose files, `.dockerignore`s and
/// `.balena` in any case (balena-api.md 5.2). Folders that are ignored are not looked into.
/// Errors: not_found (no folder, nothing in it that can be built), invalid_argument, io_failed.
messages::result<std::vector<std::string>> source_files(
  const std::filesystem::path& folder,
  const source_options& options);

/// Sum of the sizes of what is there, for a progress bar.
std::int64_t bytes_of(const std::filesystem::path& folder, const std::vector<std::string>& paths);

}  // namespace slipway::cli
