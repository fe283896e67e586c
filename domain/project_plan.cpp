#include "domain/project_plan.hpp"

#include "domain/balena_settings.hpp"
#include "domain/compose.hpp"
#include "domain/contract.hpp"
#include "domain/dockerignore.hpp"
#include "domain/file_notes.hpp"
#include "domain/project_templates.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <map>

namespace slipway::domain {

using messages::errc;
using messages::fail;

namespace {

bool contains(const std::vector<std::string>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

std::string joined(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

std::size_t bytes_of(const messages::service_plan& s) {
  std::size_t n = s.dockerfile_text.size() + s.dockerignore.size() + s.contract.size();
  for (const auto* pairs : {&s.args, &s.labels}) {
    for (const auto& p : *pairs) {
      n += p.name.size() + p.value.size();
    }
  }
  return n;
}

class planner {
public:
  planner(const project_files& files, const project_target& target)
    : files_(files), target_(target) {}

  messages::result<messages::build_plan> plan() {
    const auto composition = find_composition();
    if (!composition) {
      return tl::unexpected(composition.error());
    }
    check_services(*composition);
    settings_ = read_balena_settings(files_, notes_);
    root_ignore_ = read_ignore("");
    for (const auto& service : composition->services) {
      plan_service(service);
    }
    warn_of_unknown_services();
    out_.composition = messages::dump_json(composition->json);
    read_contract();
    out_.registries = std::move(settings_.registries);
    out_.secrets = std::move(settings_.secrets);
    check_sizes();
    if (!notes_.good()) {
      return tl::unexpected(notes_.error());
    }
    out_.warnings = notes_.take_warnings();
    return std::move(out_);
  }

private:
  /// Asked often, of a few folders that may be huge.
  const std::vector<std::string>& names_in(const std::string& folder) {
    const auto it = listed_.find(folder);
    return it != listed_.end() ? it->second
                               : listed_.emplace(folder, files_.list(folder)).first->second;
  }

  // The composition.

  messages::result<composition> find_composition() {
    if (!target_.compose_file.empty()) {
      file_ = target_.compose_file;
      return read_composition();
    }
    const auto& names = names_in("");
    for (const auto* name : {"docker-compose.yml", "docker-compose.yaml"}) {
      if (contains(names, name)) {
        file_ = name;
        return read_composition();
      }
    }
    const bool has_dockerfile = std::any_of(names.begin(), names.end(), [](const auto& name) {
      return name == "Dockerfile" || name.starts_with("Dockerfile.");
    });
    if (has_dockerfile || !target_.dockerfile_path.empty()) {
      return lone_dockerfile();
    }
    if (contains(names, "package.json")) {
      return fail(
        errc::invalid_argument,
        "package.json:1: projects of a package.json alone are not supported: add a Dockerfile");
    }
    return fail(errc::not_found, "the project holds neither docker-compose.yml nor a Dockerfile");
  }

  messages::result<composition> read_composition() {
    const auto text = files_.read(file_);
    if (!text) {
      return tl::unexpected(messages::with_context(file_ + ":1", text.error()));
    }
    if (!*text) {
      return fail(errc::not_found, file_ + " does not exist");
    }
    auto c = parse_compose(**text, file_);
    if (c) {
      notes_.warn(std::move(c->warnings));
      if (!target_.dockerfile_path.empty()) {
        notes_.warn(file_, 1, "the Dockerfile asked for is not used: this file names them");
      }
    }
    return c;
  }

  messages::result<composition> lone_dockerfile() {
    file_ = target_.dockerfile_path.empty() ? "Dockerfile" : target_.dockerfile_path;
    if (!inside_project(file_)) {
      return fail(errc::invalid_argument, "the Dockerfile must be a path inside the project");
    }
    auto c = default_composition();
    c.services.front().build->dockerfile = normal_path(target_.dockerfile_path);
    c.services.front().line = 1;
    return c;
  }

  void check_services(const composition& c) {
    if (!target_.multicontainer && c.services.size() > 1) {
      notes_.fault(
        file_,
        c.services[1].line,
        "the fleet's type runs one service, the project has several");
    }
  }

  // Services.

  void fault(const compose_service& s, const std::string& what) {
    notes_.fault(file_, s.line, "service \"" + s.name + "\": " + what);
  }

  /// nullopt when there is none, or after telling that it cannot be had.
  std::optional<std::string> read(const std::string& path, std::size_t bytes_max) {
    auto text = files_.read(path);
    if (!text) {
      notes_.fault(messages::with_context(path + ":1", text.error()));
      return std::nullopt;
    }
    if (*text && (*text)->size() > bytes_max) {
      notes_.too_large(path, 1, "larger than " + std::to_string(bytes_max / 1024) + " KiB");
      return std::nullopt;
    }
    return std::move(*text);
  }

  void plan_service(const compose_service& s) {
    messages::service_plan p;
    p.name = s.name;
    for (const auto& [name, value] : s.labels) {
      p.labels.push_back({name, value});
    }
    if (s.build) {
      p.context = normal_path(s.build->context);
      p.target = s.build->target;
      if (target_.device_known) {
        plan_dockerfile(s, p);
      }
      plan_args(*s.build, p);
      plan_ignore(p);
      plan_contract(p);
    } else {
      p.image = s.image;
      p.project_type = "external service";
    }
    out_.services.push_back(std::move(p));
  }

  void plan_dockerfile(const compose_service& s, messages::service_plan& p) {
    const auto exists = [&](std::string_view path) {
      const auto whole = joined(p.context, path);
      const auto slash = whole.rfind('/');
      return slash == std::string::npos
               ? contains(names_in(""), whole)
               : contains(names_in(whole.substr(0, slash)), whole.substr(slash + 1));
    };
    const auto chosen = choose_dockerfile(
      exists,
      normal_path(s.build->dockerfile),
      target_.device_type,
      target_.architecture);
    if (!chosen) {
      fault(s, joined(p.context, chosen.error().detail));
      return;
    }
    p.dockerfile = *chosen;
    p.project_type = project_type(*chosen, target_.device_type, target_.architecture);
    auto text = read(joined(p.context, *chosen), dockerfile_bytes_max);
    p.dockerfile_text = text ? std::move(*text) : std::string{};
    if (is_template(*chosen, target_.device_type, target_.architecture)) {
      p.dockerfile_text = fill_template(p.dockerfile_text, variables_for(s.name));
    }
  }

  [[nodiscard]] template_variables variables_for(std::string_view service) const {
    return {
      {"BALENA_MACHINE_NAME", target_.device_type},
      {"RESIN_MACHINE_NAME", target_.device_type},
      {"BALENA_ARCH", target_.architecture},
      {"RESIN_ARCH", target_.architecture},
      {"BALENA_APP_NAME", target_.fleet},
      {"RESIN_APP_NAME", target_.fleet},
      {"BALENA_RELEASE_HASH", target_.release},
      {"RESIN_RELEASE_HASH", target_.release},
      {"BALENA_SERVICE_NAME", service},
      {"RESIN_SERVICE_NAME", service},
    };
  }

  /// The nearer to the service, the stronger: fleet, compose file, settings of all services, settings of this one.
  void plan_args(const compose_build& build, messages::service_plan& p) const {
    build_variables all;
    for (const auto& [name, value] : target_.variables) {
      all[name] = value;
    }
    for (const auto& [name, value] : build.args) {
      all[name] = value;
    }
    for (const auto& [name, value] : settings_.variables) {
      all[name] = value;
    }
    if (const auto it = settings_.service_variables.find(p.name);
        it != settings_.service_variables.end()) {
      for (const auto& [name, value] : it->second) {
        all[name] = value;
      }
    }
    for (auto& [name, value] : all) {
      p.args.push_back({name, value});
    }
  }

  // What is ignored.

  std::string read_ignore(const std::string& folder) {
    if (target_.filtered) {
      return {};
    }
    const auto path = joined(folder, ".dockerignore");
    auto text = read(path, dockerignore_bytes_max);
    if (!text) {
      return {};
    }
    const dockerignore rules(*text);
    if (rules.rules() > dockerignore_rules_max || rules.longest() > glob_characters_max) {
      notes_.too_large(path, 1, "more than 1,000 rules, or one longer than 256 characters");
    }
    return std::move(*text);
  }

  void plan_ignore(messages::service_plan& p) {
    if (target_.multi_dockerignore && !p.context.empty()) {
      p.dockerignore = read_ignore(p.context);
      p.dockerignore_folder = p.context;
      return;
    }
    p.dockerignore = root_ignore_;
    if (!target_.filtered && !p.context.empty() && contains(names_in(p.context), ".dockerignore")) {
      notes_.warn(
        joined(p.context, ".dockerignore"),
        1,
        "not used: without --multi-dockerignore only the project's own .dockerignore is");
    }
  }

  // Contracts and the whole.

  void plan_contract(messages::service_plan& p) {
    for (const auto* name : {"contract.yml", "contract.yaml"}) {
      const auto path = joined(p.context, name);
      const auto text = read(path, composition_bytes_max);
      if (!text) {
        continue;
      }
      if (!p.contract.empty()) {
        notes_.fault(path, 1, "a service has contract.yml or contract.yaml, not both");
        return;
      }
      p.contract = messages::dump_json(read_service_contract(*text, path, notes_));
    }
  }

  void read_contract() {
    if (const auto text = read("balena.yml", composition_bytes_max)) {
      const auto contract = read_release_contract(*text, "balena.yml", notes_);
      out_.contract = messages::dump_json(contract.json);
      out_.semver = contract.semver;
    }
  }

  void warn_of_unknown_services() {
    const auto known = [&](const std::string& name) {
      return name.empty()
             || std::any_of(out_.services.begin(), out_.services.end(), [&](const auto& s) {
                  return s.name == name;
                });
    };
    const auto warn = [&](const std::string& name) {
      if (!known(name)) {
        notes_.warn(".balena", 1, "there is no service \"" + name.substr(0, 80) + "\"");
      }
    };
    for (const auto& [service, variables] : settings_.service_variables) {
      warn(service);
    }
    for (const auto& secret : settings_.secrets) {
      warn(secret.service);
    }
  }

  void check_sizes() {
    if (std::max(out_.composition.size(), out_.contract.size()) > composition_bytes_max) {
      notes_.too_large(file_, 1, "the composition or the contract is larger than 1 MB as JSON");
    }
    std::size_t all = out_.composition.size() + out_.contract.size();
    for (const auto& s : out_.services) {
      all += bytes_of(s);
    }
    if (all > plan_bytes_max) {
      notes_.too_large(
        file_,
        1,
        "Dockerfiles, .dockerignores, arguments and labels are together larger than 4 MiB");
    }
  }

  const project_files& files_;
  const project_target& target_;
  file_notes notes_;
  std::map<std::string, std::vector<std::string>> listed_;
  std::string file_;  ///< that names the services
  balena_settings settings_;
  std::string root_ignore_;
  messages::build_plan out_;
};

}  // namespace

messages::result<messages::build_plan> plan_project(
  const project_files& files,
  const project_target& target) {
  return planner(files, target).plan();
}

}  // namespace slipway::domain
