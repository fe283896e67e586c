#include "gateways/git/library.hpp"

#include "runtime/assert.hpp"

namespace slipway::gateways::git {

void prepare_library() {
  static const bool ready = [] {
    SLIPWAY_ASSERT(git_libgit2_init() > 0);
    for (const auto level :
         {GIT_CONFIG_LEVEL_PROGRAMDATA,
          GIT_CONFIG_LEVEL_SYSTEM,
          GIT_CONFIG_LEVEL_XDG,
          GIT_CONFIG_LEVEL_GLOBAL}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    // The server's folders may belong to whoever the operator likes.
    git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    // A HEAD that a power cut empties is no repository any more.
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
    return true;
  }();
  (void)ready;
}

messages::error library_error(std::string_view what) {
  const auto* last = git_error_last();
  const std::string text = last != nullptr && last->message != nullptr ? last->message : "failed";
  return {messages::errc::io_failed, std::string(what) + ": " + text};
}

messages::result<repository_handle> open_repository(const std::string& path) {
  prepare_library();
  git_repository* opened = nullptr;
  const int failed = git_repository_open_bare(&opened, path.c_str());
  if (failed == GIT_ENOTFOUND) {
    return messages::fail(messages::errc::not_found, "there is no such repository");
  }
  if (failed != 0) {
    auto e = library_error("repository");
    e.code = messages::errc::corrupt;
    return tl::unexpected(std::move(e));
  }
  return repository_handle(opened);
}

}  // namespace slipway::gateways::git
