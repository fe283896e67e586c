#include "cli/source_files.hpp"

#include "cli/settings.hpp"
#include "domain/dockerignore.hpp"
#include "domain/yaml_tree.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace slipway::cli {

using domain::dockerignore;
using messages::errc;
using messages::fail;
namespace fs = std::filesystem;

namespace {

constexpr std::array compose_names{"docker-compose.yml", "docker-compose.yaml"};
constexpr std::array project_folders{".balena", ".resin"};

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool is_dockerfile(std::string_view name) {
  return name == "Dockerfile" || name.starts_with("Dockerfile.");
}

bool is_compose_file(std::string_view path) {
  return std::find(compose_names.begin(), compose_names.end(), path) != compose_names.end();
}

/// `./a/` as `a`, the root as ""; nullopt when it leads out of the folder.
std::optional<std::string> inside(const std::string& path) {
  auto normal = fs::path(path).lexically_normal().generic_string();
  while (normal.ends_with('/')) {
    normal.pop_back();
  }
  if (normal.starts_with('/') || normal == ".." || normal.starts_with("../")) {
    return std::nullopt;
  }
  return normal == "." ? "" : normal;
}

messages::result<std::vector<fs::directory_entry>> read_folder(const fs::path& folder) {
  std::vector<fs::directory_entry> entries;
  std::error_code failed;
  for (fs::directory_iterator i(folder, failed); !failed && i != fs::directory_iterator();) {
    entries.push_back(*i);
    i.increment(failed);
  }
  if (failed) {
    return fail(errc::io_failed, folder.string() + " cannot be read: " + failed.message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

messages::result<void> walk_into(
  const fs::path& folder,
  const std::string& below,
  bool may_be_closed,
  const walk_rule& rule,
  std::vector<std::string>& out) {
  const auto entries = read_folder(below.empty() ? folder : folder / below);
  if (!entries) {
    return may_be_closed ? messages::result<void>{} : tl::unexpected(entries.error());
  }
  for (const auto& entry : *entries) {
    const auto name = entry.path().filename().string();
    const auto path = below.empty() ? name : below + "/" + name;
    // In this order: asked for a folder, a link is followed, and one in a circle is an error.
    std::error_code ignored;
    const bool is_folder = !entry.is_symlink(ignored) && entry.is_directory(ignored);
    const auto choice = rule(path, is_folder);
    if (choice.take) {
      out.push_back(path);
    }
    if (!choice.enter || !is_folder) {
      continue;
    }
    if (auto walked = walk_into(folder, path, choice.may_be_closed, rule, out); !walked) {
      return walked;
    }
  }
  return {};
}

/// Where the services of a project are built, as far as its compose file can be read: the builder tells what is wrong with it.
struct service_places {
  std::vector<std::string> contexts;     ///< "" = the root
  std::vector<std::string> dockerfiles;  ///< those that have another name or place than usual
};

void add_place(const domain::yaml_node& service, service_places& out) {
  const auto* build = service.find("build");
  if (build == nullptr) {
    return;
  }
  const bool is_map = build->type == domain::yaml_node::kind::map;
  const auto* context = is_map ? build->find("context") : build;
  const auto folder = inside(context != nullptr ? context->text : ".");
  if (!folder) {
    return;
  }
  out.contexts.push_back(*folder);
  const auto* dockerfile = is_map ? build->find("dockerfile") : nullptr;
  if (dockerfile != nullptr) {
    if (auto file = inside((fs::path(*folder) / dockerfile->text).string())) {
      out.dockerfiles.push_back(std::move(*file));
    }
  }
}

messages::result<service_places> read_places(const fs::path& folder) {
  service_places out;
  for (const auto* name : compose_names) {
    std::error_code ignored;
    if (!fs::is_regular_file(folder / name, ignored)) {
      continue;
    }
    const auto tree =
      read_small_file((folder / name).string()).and_then([&](const std::string& text) {
        return domain::parse_yaml(text, name);
      });
    if (!tree) {
      return tl::unexpected(tree.error());
    }
    if (const auto* services = tree->find("services"); services != nullptr) {
      for (const auto& service : services->members) {
        add_place(service.value, out);
      }
    }
    break;
  }
  return out;
}

messages::result<dockerignore> read_rules(const fs::path& folder) {
  const auto file = folder / ".dockerignore";
  std::error_code failed;
  // What is there and cannot be read must not be taken for no rules: they keep things from being sent.
  if (!fs::exists(file, failed) && !failed) {
    return dockerignore();
  }
  return read_small_file(file.string()).map([](const std::string& text) {
    return dockerignore(text);
  });
}

/// The choice for each path of a project.
class source_rules {
public:
  messages::result<void> read(const fs::path& folder, const source_options& options) {
    auto places = read_places(folder);
    if (!places && options.multi_dockerignore) {
      return tl::unexpected(places.error());
    }
    if (places) {
      places_ = std::move(*places);
    }
    if (!options.dockerfile.empty()) {
      places_.dockerfiles.push_back(options.dockerfile);
    }
    auto rules = read_rules(folder);
    if (!rules) {
      return tl::unexpected(rules.error());
    }
    root_ = std::move(*rules);
    for (const auto& context : options.multi_dockerignore ? places_.contexts : root_only) {
      if (!context.empty()) {
        auto own = read_rules(folder / context);
        if (!own) {
          return tl::unexpected(own.error());
        }
        own_[context] = std::move(*own);
      }
    }
    return {};
  }

  [[nodiscard]] walk_choice choose(const std::string& path, bool is_folder) const {
    if (last_part(path) == ".git") {
      return {};
    }
    const auto& [rules, relative] = ruling(path);
    const bool excluded = !relative.empty() && rules.excludes(relative) && !always(path);
    const bool leads = leads_to_service(path);
    return {
      !excluded || (!is_folder && is_needed(path)),
      !excluded || leads || rules.may_come_back_below(relative),
      excluded && !leads};
  }

private:
  static inline const std::vector<std::string> root_only;

  /// Whose rules hold for a path, and what it is called there; "" for the folder of a service itself.
  [[nodiscard]] std::pair<const dockerignore&, std::string> ruling(const std::string& path) const {
    const std::pair<const std::string, dockerignore>* nearest = nullptr;
    for (const auto& own : own_) {
      const bool holds = path == own.first || is_below(path, own.first);
      if (holds && (nearest == nullptr || own.first.size() > nearest->first.size())) {
        nearest = &own;
      }
    }
    if (nearest == nullptr) {
      return {root_, path};
    }
    return {
      nearest->second,
      path == nearest->first ? std::string() : path.substr(nearest->first.size() + 1)};
  }

  static bool always(const std::string& path) {
    return std::any_of(project_folders.begin(), project_folders.end(), [&](const char* folder) {
      return path == folder || is_below(path, folder);
    });
  }

  [[nodiscard]] bool is_needed(const std::string& path) const {
    const auto name = last_part(path);
    return name == ".dockerignore" || is_dockerfile(name) || is_compose_file(path)
           || std::any_of(
             places_.dockerfiles.begin(),
             places_.dockerfiles.end(),
             [&](const auto& d) { return path == d || path.starts_with(d + "."); });
  }

  [[nodiscard]] bool leads_to_service(const std::string& path) const {
    const auto leads = [&](const std::string& to) { return to == path || is_below(to, path); };
    return std::any_of(places_.contexts.begin(), places_.contexts.end(), leads)
           || std::any_of(places_.dockerfiles.begin(), places_.dockerfiles.end(), leads);
  }

  service_places places_;
  dockerignore root_;
  std::map<std::string, dockerignore> own_;  ///< by the service's folder
};

/// Something in the root says how to build.
messages::result<void> check_project(const fs::path& folder, const std::string& dockerfile) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(errc::not_found, folder.string() + " is not a folder");
  }
  const auto place = dockerfile.empty() ? folder : (folder / dockerfile).parent_path();
  const auto name = last_part(dockerfile);
  const auto entries = read_folder(place);
  if (!entries && fs::is_directory(place, ignored)) {
    return tl::unexpected(entries.error());
  }
  for (const auto& entry : entries.value_or(std::vector<fs::directory_entry>())) {
    const auto found = entry.path().filename().string();
    const bool fits = name.empty() ? is_dockerfile(found) || is_compose_file(found)
                                   : found == name || found.starts_with(name + ".");
    if (fits && !entry.is_directory(ignored)) {
      return {};
    }
  }
  return fail(
    errc::not_found,
    dockerfile.empty() ? folder.string() + " holds neither docker-compose.yml nor a Dockerfile"
                       : (folder / dockerfile).string() + " does not exist");
}

}  // namespace

messages::result<std::vector<std::string>> walk(const fs::path& folder, const walk_rule& rule) {
  std::vector<std::string> paths;
  return walk_into(folder, "", false, rule, paths).map([&] { return std::move(paths); });
}

messages::result<std::vector<std::string>> source_files(
  const fs::path& folder,
  const source_options& options) {
  auto normal = options;
  if (!options.dockerfile.empty()) {
    const auto file = inside(options.dockerfile);
    if (!file || file->empty()) {
      return fail(
        errc::invalid_argument,
        options.dockerfile + " is not in the project: name the Dockerfile from its root on");
    }
    normal.dockerfile = *file;
  }
  source_rules rules;
  return check_project(folder, normal.dockerfile)
    .and_then([&] { return rules.read(folder, normal); })
    .and_then([&] {
      return walk(folder, [&](const std::string& path, bool is_folder) {
        return rules.choose(path, is_folder);
      });
    });
}

std::int64_t bytes_of(const fs::path& folder, const std::vector<std::string>& paths) {
  std::int64_t sum = 0;
  for (const auto& path : paths) {
    struct stat s {};
    if (::lstat((folder / path).c_str(), &s) == 0 && S_ISREG(s.st_mode)) {
      sum += s.st_size;
    }
  }
  return sum;
}

}  // namespace slipway::cli
