#include "cli/build_context.hpp"

#include "cli/source_files.hpp"
#include "cli/tar_stream.hpp"
#include "domain/dockerignore.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace slipway::cli {

using messages::errc;
using messages::fail;
namespace fs = std::filesystem;

namespace {

messages::result<void> write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail(errno == ENOSPC ? errc::disk_full : errc::io_failed, std::strerror(errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

/// What goes along of a service's context. A deploy is planned with each service's own `.dockerignore`, so both have the same paths.
class context_rule {
public:
  explicit context_rule(const messages::service_plan& service)
    : service_(service), rules_(service.dockerignore) {}

  walk_choice operator()(const std::string& path, bool is_folder) const {
    if (path == ".git" || is_private(path)) {
      return {};
    }
    const auto& dockerfile = service_.dockerfile;
    const bool needed =
      path == dockerfile || path == ".dockerignore" || dockerfile.starts_with(path + "/");
    const bool excluded = !needed && rules_.excludes(path);
    return {!excluded, is_folder && (!excluded || rules_.may_come_back_below(path)), excluded};
  }

private:
  /// At the root of the project: what only its builds know.
  [[nodiscard]] bool is_private(const std::string& path) const {
    return service_.context.empty() && (path == ".balena" || path == ".resin");
  }

  const messages::service_plan& service_;
  domain::dockerignore rules_;
};

}  // namespace

messages::result<build_context> build_context::pack(
  const fs::path& project,
  const messages::service_plan& service,
  const std::string& temp_folder) {
  const auto folder = (project / service.context).lexically_normal();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(errc::not_found, folder.string() + " is not a folder");
  }
  if (!fs::is_regular_file(folder / service.dockerfile, ignored)) {
    return fail(errc::not_found, (folder / service.dockerfile).string() + " does not exist");
  }
  const int descriptor = ::open(temp_folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return fail(errc::io_failed, temp_folder + ": " + std::strerror(errno));
  }
  build_context context(descriptor);
  auto paths = walk(folder, context_rule(service));
  if (!paths) {
    return tl::unexpected(paths.error());
  }
  context.files_ = paths->size();
  tar_stream tar(folder, std::move(*paths), tar_stream::packing::plain);
  tar.replace(service.dockerfile, service.dockerfile_text);
  std::array<char, 65536> buffer{};
  std::ptrdiff_t n = 0;
  while ((n = tar.read(buffer.data(), buffer.size())) > 0) {
    const auto kept = write_all(descriptor, {buffer.data(), static_cast<std::size_t>(n)});
    if (!kept) {
      return tl::unexpected(messages::with_context("the build context", kept.error()));
    }
  }
  if (n < 0) {
    return tl::unexpected(*tar.failure());
  }
  context.bytes_ = ::lseek(descriptor, 0, SEEK_END);
  ::lseek(descriptor, 0, SEEK_SET);
  return context;
}

build_context::build_context(build_context&& other) noexcept
  : descriptor_(std::exchange(other.descriptor_, -1)), files_(other.files_), bytes_(other.bytes_) {}

build_context::~build_context() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::ptrdiff_t build_context::read(char* to, std::size_t size) {
  ssize_t n = 0;
  do {
    n = ::read(descriptor_, to, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace slipway::cli
