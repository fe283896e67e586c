#include "domain/dockerignore.hpp"
#include "domain/project_plan.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

using namespace slipway;

namespace {

/// `=== path` lines begin a file each.
std::map<std::string, std::string> split(std::string_view text) {
  std::map<std::string, std::string> files;
  std::string path = "docker-compose.yml";
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    if (line.starts_with("=== ") && line.ends_with('\n')) {
      path = line.substr(4, line.size() - 5);
    } else {
      files[path] += line;
    }
  }
  return files;
}

}  // namespace

/// Whatever a project's files hold: no crash, an error says something, and a plan keeps to its rules and limits.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto files = split({reinterpret_cast<const char*>(data), size});
  domain::project_target target;
  target.device_type = "raspberrypi4-64";
  target.architecture = "aarch64";
  target.fleet = "boats";
  target.multi_dockerignore = size % 2 == 0;
  const auto p = domain::plan_project(
    {[&](std::string_view path) -> messages::result<std::optional<std::string>> {
       const auto it = files.find(std::string(path));
       return it == files.end() ? std::nullopt : std::optional(it->second);
     },
     [&](std::string_view folder) {
       std::set<std::string> names;
       const auto prefix = folder.empty() ? std::string{} : std::string(folder) + "/";
       for (const auto& [path, text] : files) {
         if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos) {
           names.insert(path.substr(prefix.size()));
         }
       }
       return std::vector(names.begin(), names.end());
     }},
    target);
  if (!p) {
    SLIPWAY_ASSERT(!p.error().detail.empty());
    return 0;
  }
  SLIPWAY_ASSERT(!p->services.empty() && p->composition.size() <= domain::composition_bytes_max);
  for (const auto& s : p->services) {
    SLIPWAY_ASSERT(s.image.empty() != s.dockerfile.empty());
    SLIPWAY_ASSERT(s.context.find("..") == std::string::npos || s.context.find("../") != 0);
    (void)domain::context_filter(s)("some/path/to.o");
  }
  for (const auto& s : p->secrets) {
    SLIPWAY_ASSERT(
      s.source.starts_with(".balena/secrets/") || s.source.starts_with(".resin/secrets/"));
  }
  return 0;
}
