#include "tests/support/tar.hpp"

#include "runtime/assert.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>

namespace slipway::test {

std::string make_tar(const std::map<std::string, std::string>& files) {
  std::string out;
  auto* a = ::archive_write_new();
  ::archive_write_set_format_ustar(a);
  const auto append = [](archive*, void* user, const void* bytes, std::size_t n) -> la_ssize_t {
    static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
    return static_cast<la_ssize_t>(n);
  };
  SLIPWAY_ASSERT(::archive_write_open(a, &out, nullptr, append, nullptr) == ARCHIVE_OK);
  for (const auto& [path, content] : files) {
    auto* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, path.c_str());
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    ::archive_entry_set_filetype(entry, AE_IFREG);
    ::archive_entry_set_perm(entry, path.starts_with("bin/") ? 0755 : 0644);
    SLIPWAY_ASSERT(::archive_write_header(a, entry) == ARCHIVE_OK);
    ::archive_write_data(a, content.data(), content.size());
    ::archive_entry_free(entry);
  }
  ::archive_write_close(a);
  ::archive_write_free(a);
  return out;
}

runtime::tar_source source_of(const std::string& bytes) {
  return [rest = std::string_view(bytes)](char* out, std::size_t n) mutable -> std::ptrdiff_t {
    n = rest.copy(out, n);
    rest.remove_prefix(n);
    return static_cast<std::ptrdiff_t>(n);
  };
}

}  // namespace slipway::test
