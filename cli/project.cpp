#include "cli/project.hpp"

#include "cli/settings.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

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

messages::result<std::optional<std::string>> text_in(const fs::path& file) {
  // What is there and cannot be read must not be taken for absent: a .dockerignore keeps things from being sent.
  std::error_code failed;
  const bool is_file = fs::exists(file, failed) && fs::is_regular_file(file, failed);
  if (!is_file && !failed) {
    return std::nullopt;
  }
  return read_small_file(file.string()).map([](std::string text) {
    return std::optional(std::move(text));
  });
}

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored)) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

messages::result<project> read_project(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return fail(errc::not_found, path.string() + " does not exist");
  }
  project p;
  p.folder = path;
  if (!fs::is_directory(path, ignored)) {
    p.folder = fs::absolute(path).parent_path();
    p.compose_file = path.filename().string();
  }
  p.name = image_name_of(p.folder);
  domain::project_target anything;
  anything.device_known = false;
  return plan_for(p, std::move(anything)).map([&] { return std::move(p); });
}

messages::result<void> plan_for(project& p, domain::project_target target) {
  target.compose_file = p.compose_file;
  target.multi_dockerignore = true;
  auto plan = domain::plan_project(
    {[&p](std::string_view path) { return text_in(p.folder / path); },
     [&p](std::string_view folder) { return files_in(p.folder / folder); }},
    target);
  if (!plan) {
    return plan.error().code == errc::not_found
             ? tl::unexpected(messages::with_context(p.folder.string(), plan.error()))
             : tl::unexpected(plan.error());
  }
  if (!plan->secrets.empty()) {
    return fail(
      errc::unsupported,
      "build secrets (.balena/secrets) need an engine that mounts folders into a build, which "
      "deploy does not ask of yours");
  }
  p.plan = std::move(*plan);
  return {};
}

}  // namespace slipway::cli
