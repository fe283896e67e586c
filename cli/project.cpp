#include "cli/project.hpp"

#include "cli/settings.hpp"
#include "domain/contract.hpp"

#include <algorithm>
#include <cctype>

namespace slipway::cli {

using messages::errc;
using messages::fail;
namespace fs = std::filesystem;

namespace {

std::string image_name_of(const fs::path& folder) {
  std::string name;
  for (const char c : fs::absolute(folder).lexically_normal().filename().string()) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::isalnum(static_cast<unsigned char>(lower)) != 0) {
      name += lower;
    }
  }
  return name.empty() ? "project" : name;
}

/// The release's contract, balena-api.md 6.5.
messages::result<void> read_contract(project& p) {
  const auto file = p.folder / "balena.yml";
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    return {};
  }
  const auto text = read_small_file(file.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  domain::file_notes notes;
  auto contract = domain::read_release_contract(*text, "balena.yml", notes);
  if (!notes.good()) {
    return tl::unexpected(notes.error());
  }
  p.contract = std::move(contract.json);
  p.semver = std::move(contract.semver);
  return {};
}

messages::result<project> read_compose(project p, const fs::path& file) {
  const auto text = read_small_file(file.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto composition = domain::parse_compose(*text, file.filename().string());
  if (!composition) {
    return tl::unexpected(composition.error());
  }
  p.composition = std::move(*composition);
  return p;
}

}  // namespace

messages::result<project> read_project(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return fail(errc::not_found, path.string() + " does not exist");
  }
  project p;
  const bool is_file = !fs::is_directory(path, ignored);
  p.folder = is_file ? fs::absolute(path).parent_path() : path;
  p.name = image_name_of(p.folder);
  if (auto read = read_contract(p); !read) {
    return tl::unexpected(read.error());
  }
  if (is_file) {
    return read_compose(std::move(p), path);
  }
  for (const auto* name : {"docker-compose.yml", "docker-compose.yaml"}) {
    if (fs::exists(path / name, ignored)) {
      return read_compose(std::move(p), path / name);
    }
  }
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    const auto name = entry.path().filename().string();
    if (name == "Dockerfile" || name.starts_with("Dockerfile.")) {
      p.composition = domain::default_composition();
      return p;
    }
  }
  return fail(
    errc::not_found,
    path.string() + " holds neither docker-compose.yml nor a Dockerfile");
}

}  // namespace slipway::cli
