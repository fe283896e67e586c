#pragma once

#include "messages/build.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace slipway::cli {

/// A folder as the tar that an engine builds from, in a nameless temporary file.
class build_context {
public:
  /// Of a service of the project in `folder`: its Dockerfile with the text that the plan gives it, and what the `.dockerignore` of the
  /// plan leaves. `.git` and the project's `.balena` never go along. Owners become 0, links stay links.
  /// Errors: not_found (no folder or no Dockerfile), io_failed, disk_full.
  [[nodiscard]] static messages::result<build_context> pack(
    const std::filesystem::path& project,
    const messages::service_plan& service,
    const std::string& temp_folder);

  build_context(build_context&& other) noexcept;
  build_context& operator=(build_context&&) = delete;
  build_context(const build_context&) = delete;
  build_context& operator=(const build_context&) = delete;
  ~build_context();

  [[nodiscard]] std::size_t files() const { return files_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  /// The next bytes of the tar, 0 at the end, -1 on a read error.
  [[nodiscard]] std::ptrdiff_t read(char* to, std::size_t size);

private:
  explicit build_context(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
  std::size_t files_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace slipway::cli
