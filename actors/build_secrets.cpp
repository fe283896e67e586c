#include "actors/build_secrets.hpp"

#include "domain/dockerfile_runs.hpp"
#include "runtime/crypto.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

namespace slipway::actors {

using messages::build_secret;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr const char* secrets_place = "/run/secrets";
constexpr std::size_t random_hex_characters = 16;

result<std::string> content_of(const build_secret& s, const storage::source_tree& tree) {
  auto text = tree.read(s.source);
  if (!text) {
    return tl::unexpected(messages::with_context(s.source, text.error()));
  }
  if (!*text) {
    return fail(errc::not_found, s.source + " is not in the project");
  }
  return std::move(**text);
}

messages::error failed_at(const build_secret& s) {
  const auto why = errno;
  return {
    why == ENOSPC ? errc::disk_full : errc::io_failed,
    "the build secret " + s.name + " cannot be written: " + std::strerror(why)};
}

/// Makes the folders above `path` that are missing below `top`, for nobody else.
bool make_folders(const std::string& top, const std::string& path) {
  for (auto slash = path.find('/', top.size() + 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) {
      return false;
    }
  }
  return true;
}

bool write_private(const std::string& path, std::string_view bytes) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  bool good = file >= 0;
  while (good && !bytes.empty()) {
    const auto n = ::write(file, bytes.data(), bytes.size());
    good = n >= 0 || errno == EINTR;
    bytes.remove_prefix(static_cast<std::size_t>(n > 0 ? n : 0));
  }
  const auto why = errno;
  if (file >= 0) {
    ::close(file);
  }
  errno = why;
  return good;
}

/// balena-engine mounts folders of its machine into steps.
result<secret_folder> as_volume(
  const std::vector<build_secret>& secrets,
  const storage::source_tree& tree,
  const std::string& prefix,
  const secret_build& build) {
  const auto path = prefix + runtime::random_hex(random_hex_characters);
  if (::mkdir(path.c_str(), 0700) != 0) {
    return tl::unexpected(failed_at(secrets.front()));
  }
  secret_folder out(path);
  for (const auto& s : secrets) {
    const auto content = content_of(s, tree);
    if (!content) {
      return tl::unexpected(content.error());
    }
    const auto file = path + "/" + s.name;
    if (!make_folders(path, file) || !write_private(file, *content)) {
      return tl::unexpected(failed_at(s));
    }
  }
  build.request.volumes.push_back(path + ":" + secrets_place + ":ro");
  return out;
}

/// Names become words of a Dockerfile.
bool is_plain(const std::string& name) {
  return name.find_first_not_of(
           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@+")
         == std::string::npos;
}

/// podman takes files out of the context, and gives them to the steps that name them. Each does.
result<secret_folder> as_mounts(
  const std::vector<build_secret>& secrets,
  const storage::source_tree& tree,
  const secret_build& build) {
  const auto unique = ".slipway-" + runtime::random_hex(random_hex_characters) + "-";
  std::string flags;
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    const auto& s = secrets[i];
    if (!is_plain(s.name)) {
      return fail(
        errc::invalid_argument,
        "build secret " + s.name
          + ": podman takes names of letters, digits and ._-/@+ only; give it another dest");
    }
    auto content = content_of(s, tree);
    if (!content) {
      return tl::unexpected(content.error());
    }
    const auto id = std::to_string(i);
    // The words are the same for the same project: they are part of what a cached layer is found by.
    flags += std::string(flags.empty() ? "" : " ") + "--mount=type=secret,id=slipway" + id
             + ",target=" + secrets_place + "/" + s.name;
    build.request.secrets.push_back("id=slipway" + id + ",src=" + unique + id);
    build.context.replaced.emplace_back(unique + id, std::move(*content));
  }
  build.dockerfile = domain::with_run_flags(build.dockerfile, flags);
  return secret_folder{};
}

}  // namespace

secret_folder::~secret_folder() {
  if (!path_.empty()) {
    std::error_code ignored;  // the next start removes what is left
    std::filesystem::remove_all(path_, ignored);
  }
}

std::vector<build_secret> secrets_of(
  const std::vector<build_secret>& all,
  const std::string& service) {
  std::map<std::string, build_secret> by_name;
  for (const auto& s : all) {
    if (s.service == service) {
      by_name.insert_or_assign(s.name, s);
    } else if (s.service.empty()) {
      by_name.emplace(s.name, s);
    }
  }
  std::vector<build_secret> out;
  for (auto& [name, s] : by_name) {
    out.push_back(std::move(s));
  }
  return out;
}

result<secret_folder> show_secrets(
  const std::vector<build_secret>& secrets,
  const runtime::engine_version& engine,
  const storage::source_tree& tree,
  const std::string& prefix,
  const secret_build& build) {
  if (secrets.empty()) {
    return secret_folder{};
  }
  if (engine.balena) {
    return as_volume(secrets, tree, prefix, build);
  }
  if (engine.podman) {
    return as_mounts(secrets, tree, build);
  }
  return fail(
    errc::unsupported,
    "build secrets (.balena/secrets) need an engine that shows files to build steps, as "
    "balena-engine "
    "and podman can; the engine of this worker cannot");
}

}  // namespace slipway::actors
