#pragma once

#include "messages/error.hpp"

#include <git2.h>

#include <memory>
#include <string>

/// libgit2 as the rest of this folder uses it: prepared once, its objects owned.
namespace slipway::gateways::git {

template <class T, void (*Free)(T*)>
struct freed_by {
  void operator()(T* p) const { Free(p); }
};
using repository_handle =
  std::unique_ptr<git_repository, freed_by<git_repository, git_repository_free>>;
using odb_handle = std::unique_ptr<git_odb, freed_by<git_odb, git_odb_free>>;
using odb_object_handle =
  std::unique_ptr<git_odb_object, freed_by<git_odb_object, git_odb_object_free>>;
using object_handle = std::unique_ptr<git_object, freed_by<git_object, git_object_free>>;
using tree_handle = std::unique_ptr<git_tree, freed_by<git_tree, git_tree_free>>;
using reference_handle =
  std::unique_ptr<git_reference, freed_by<git_reference, git_reference_free>>;

/// Must have been called before anything else of libgit2; any thread, as often as one likes. No configuration of the machine or of a
/// user is read, and nothing is hashed again that was checked when it came in.
void prepare_library();

/// What the last call of libgit2 on this thread complained of.
[[nodiscard]] messages::error library_error(std::string_view what);

/// Opens a bare repository. Errors: not_found, corrupt.
[[nodiscard]] messages::result<repository_handle> open_repository(const std::string& path);

}  // namespace slipway::gateways::git
