#include "gateways/git/repository_usage.hpp"

#include "gateways/git/library.hpp"

#include <filesystem>
#include <system_error>

namespace slipway::gateways::git {

namespace fs = std::filesystem;

namespace {

/// Files and folders come and go while it looks: what is gone counts nothing, and the rest is looked at all the same.
void add(repository_usage& to, const fs::path& folder, bool refs) {
  std::error_code failed;
  fs::directory_iterator it(folder, failed);
  for (; !failed && it != fs::directory_iterator(); it.increment(failed)) {
    std::error_code gone;
    const auto kind = it->symlink_status(gone).type();
    if (kind == fs::file_type::directory) {
      add(to, it->path(), refs);
    } else if (kind == fs::file_type::regular) {
      const auto size = it->file_size(gone);
      to.bytes += gone ? 0 : size;
      to.packs += it->path().extension() == ".pack" ? 1U : 0U;
      to.loose_refs += refs ? 1U : 0U;
    }
  }
}

}  // namespace

repository_usage usage_of(const std::string& repository) {
  repository_usage all;
  repository_usage refs;
  add(all, repository, false);
  add(refs, repository + "/refs", true);
  all.loose_refs = refs.loose_refs;
  return all;
}

messages::result<std::size_t> count_refs(const std::string& repository) {
  const auto opened = open_repository(repository);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  std::size_t count = 0;
  const auto one = [](const char*, void* n) {
    ++*static_cast<std::size_t*>(n);
    return 0;
  };
  if (git_reference_foreach_name(opened->get(), one, &count) != 0) {
    return tl::unexpected(library_error("refs"));
  }
  return count;
}

}  // namespace slipway::gateways::git
