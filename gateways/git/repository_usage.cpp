#include "gateways/git/repository_usage.hpp"

#include "gateways/git/library.hpp"

#include <filesystem>
#include <system_error>

namespace slipway::gateways::git {

namespace fs = std::filesystem;

repository_usage usage_of(const std::string& repository) {
  repository_usage out;
  const auto refs = repository + "/refs/";
  std::error_code failed;
  fs::recursive_directory_iterator it(
    repository,
    fs::directory_options::skip_permission_denied,
    failed);
  // Files come and go while it looks.
  for (; !failed && it != fs::recursive_directory_iterator(); it.increment(failed)) {
    std::error_code gone;
    if (it->is_regular_file(gone)) {
      const auto size = it->file_size(gone);
      out.bytes += gone ? 0 : size;
      out.packs += it->path().extension() == ".pack" ? 1U : 0U;
      out.loose_refs += it->path().native().starts_with(refs) ? 1U : 0U;
    }
  }
  return out;
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
