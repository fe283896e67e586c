#include "domain/balena_settings.hpp"

#include "domain/compose.hpp"
#include "domain/dockerignore.hpp"
#include "domain/yaml_tree.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace slipway::domain {

namespace {

constexpr std::array<std::string_view, 6> settings_names{
  "balena.yml",
  "balena.yaml",
  "balena.json",
  "resin.yml",
  "resin.yaml",
  "resin.json"};
constexpr std::array<std::string_view, 3> registry_names{
  "registry-secrets.json",
  "registry-secrets.yml",
  "registry-secrets.yaml"};
constexpr std::array<std::string_view, 6> hub_names{
  "index.docker.io",
  "idx.docker.io",
  "docker.io",
  "cloud.docker.com",
  "hub.docker.com",
  "docker.com"};
constexpr std::string_view hub_key = "https://index.docker.io/v1/";

bool is_map(const yaml_node& n) {
  return n.type == yaml_node::kind::map;
}
bool is_text(const yaml_node* n) {
  return n != nullptr && n->type == yaml_node::kind::scalar && !n->is_null();
}

/// Names are told in errors: no longer than that.
std::string in_quotes(std::string_view name) {
  return "\"" + std::string(name.substr(0, 80)) + "\"";
}

class reader {
public:
  reader(const project_files& files, file_notes& notes) : files_(files), notes_(notes) {}

  balena_settings read() {
    const auto balena = files_.list(".balena");
    const bool resin = !files_.list(".resin").empty();
    // Clients that are given registry secrets put them into .balena, whatever the project has.
    const bool only_secrets = std::all_of(balena.begin(), balena.end(), [](std::string_view name) {
      return std::find(registry_names.begin(), registry_names.end(), name) != registry_names.end();
    });
    if (resin && !only_secrets) {
      notes_.fault(".resin", 1, "a project has .balena or .resin, not both");
      return std::move(out_);
    }
    folder_ = resin ? ".resin" : ".balena";
    with_first_of(settings_names, [this](const yaml_node& root) { read_settings(root); });
    folder_ = balena.empty() ? ".resin" : ".balena";
    with_first_of(registry_names, [this](const yaml_node& root) { read_registries(root); });
    return std::move(out_);
  }

private:
  /// With the first of the candidates that the folder has.
  template <class Names, class F>
  void with_first_of(const Names& candidates, F&& use) {
    const auto names = files_.list(folder_);
    const auto* const it =
      std::find_if(candidates.begin(), candidates.end(), [&](std::string_view name) {
        return std::binary_search(names.begin(), names.end(), name);
      });
    if (it != candidates.end()) {
      with_tree(*it, use);
    }
  }

  template <class F>
  void with_tree(std::string_view name, F&& use) {
    file_ = folder_ + "/" + std::string(name);
    const auto text = files_.read(file_);
    if (!text) {
      notes_.fault(messages::with_context(file_ + ":1", text.error()));
      return;
    }
    const auto tree = name.ends_with(".json") ? parse_json_tree(text->value_or(""), file_)
                                              : parse_yaml(text->value_or(""), file_);
    if (!tree) {
      notes_.fault(tree.error());
    } else if (is_map(*tree)) {
      use(*tree);
    } else if (!tree->is_null()) {
      notes_.fault(file_, tree->line, "must be a map");
    }
  }

  void read_settings(const yaml_node& root) {
    for (const auto& [key, value] : root.members) {
      if (key == "build-variables") {
        by_service(value, key, [this](const std::string& service, const yaml_node& n) {
          read_variables(service, n);
        });
      } else if (key == "build-secrets") {
        by_service(value, key, [this](const std::string& service, const yaml_node& n) {
          read_secrets(service, n);
        });
      } else {
        notes_.warn(file_, value.line, in_quotes(key) + " is not supported and left out");
      }
    }
  }

  /// `global` and `services`, each of whose members is read by `use` with the service's name, "" for global.
  template <class F>
  void by_service(const yaml_node& node, const std::string& what, F&& use) {
    if (node.is_null()) {
      return;
    }
    if (!is_map(node)) {
      notes_.fault(file_, node.line, what + " must be a map with global and services");
      return;
    }
    for (const auto& [key, value] : node.members) {
      if (value.is_null()) {
        continue;
      }
      if (key == "global") {
        use({}, value);
      } else if (key == "services" && is_map(value)) {
        for (const auto& [service, its] : value.members) {
          use(service, its);
        }
      } else {
        notes_.fault(file_, value.line, what + ": global and services are expected");
      }
    }
  }

  void read_variables(const std::string& service, const yaml_node& node) {
    auto& to = service.empty() ? out_.variables : out_.service_variables[service];
    if (is_map(node)) {
      for (const auto& [name, value] : node.members) {
        add_variable(to, value, name, is_text(&value), value.text);
      }
      return;
    }
    if (node.type != yaml_node::kind::list) {
      notes_.fault(file_, node.line, "build-variables must be lists of NAME=value, or maps");
      return;
    }
    for (const auto& item : node.items) {
      const auto equals = item.text.find('=');
      const bool good = is_text(&item) && equals != std::string::npos;
      add_variable(
        to,
        item,
        item.text.substr(0, equals),
        good,
        good ? item.text.substr(equals + 1) : "");
    }
  }

  void add_variable(
    build_variables& to,
    const yaml_node& where,
    const std::string& name,
    bool good,
    std::string value) {
    if (!good || name.empty() || name.find_first_of(" \t\r\n=") != std::string::npos) {
      notes_.fault(file_, where.line, "build-variables: each is NAME=value");
      return;
    }
    to[name] = std::move(value);
  }

  void read_secrets(const std::string& service, const yaml_node& node) {
    if (node.type != yaml_node::kind::list) {
      notes_.fault(file_, node.line, "build-secrets must be lists of source and dest");
      return;
    }
    for (const auto& item : node.items) {
      if (secrets_seen_++ == build_secrets_max) {
        notes_.too_large(file_, item.line, "more than 100 build secrets");
        return;
      }
      const auto* source = item.find("source");
      const auto* dest = item.find("dest");
      if (!is_text(source) || !is_text(dest)) {
        notes_.fault(file_, item.line, "build-secrets: each has a source and a dest");
      } else if (!inside_project(source->text) || !inside_project(dest->text)) {
        notes_.fault(file_, item.line, "build-secrets: source and dest must be paths without ..");
      } else {
        add_secret(service, item, normal_path(source->text), normal_path(dest->text));
      }
    }
  }

  void add_secret(
    const std::string& service,
    const yaml_node& where,
    const std::string& source,
    const std::string& dest) {
    const auto path = folder_ + "/secrets/" + source;
    const auto slash = path.rfind('/');
    const auto names = files_.list(path.substr(0, slash));
    if (dest.empty() || !std::binary_search(names.begin(), names.end(), path.substr(slash + 1))) {
      notes_.fault(file_, where.line, "build-secrets: " + path.substr(0, 200) + " does not exist");
    } else {
      out_.secrets.push_back({service, path, dest});
    }
  }

  void read_registries(const yaml_node& root) {
    for (const auto& [name, value] : root.members) {
      const auto* username = value.find("username");
      const auto* password = value.find("password");
      auto host = registry_key(name);
      if (!is_text(username) || !is_text(password)) {
        notes_.fault(file_, value.line, in_quotes(name) + " needs username and password");
      } else if (
        host.empty() || host.size() > 255 || username->text.size() > registry_username_bytes_max
        || password->text.size() > registry_password_bytes_max) {
        notes_.fault(
          file_,
          value.line,
          in_quotes(name) + " is not a registry, or its values are too long");
      } else if (out_.registries.size() == registry_secrets_max) {
        notes_.too_large(file_, value.line, "more than 64 registries");
        return;
      } else {
        add_registry({std::move(host), username->text, password->text}, name);
      }
    }
  }

  /// What is written under the hub's own key comes before its other names.
  void add_registry(messages::registry_secret secret, const std::string& written) {
    const auto it =
      std::find_if(out_.registries.begin(), out_.registries.end(), [&](const auto& r) {
        return r.host == secret.host;
      });
    if (it == out_.registries.end()) {
      out_.registries.push_back(std::move(secret));
    } else if (written == secret.host) {
      *it = std::move(secret);
    }
  }

  const project_files& files_;
  file_notes& notes_;
  std::string folder_;
  std::string file_;
  std::size_t secrets_seen_ = 0;
  balena_settings out_;
};

}  // namespace

balena_settings read_balena_settings(const project_files& files, file_notes& notes) {
  return reader(files, notes).read();
}

std::string registry_key(std::string_view written) {
  if (written.empty()) {
    return std::string(hub_key);
  }
  for (const std::string_view scheme : {"https://", "http://"}) {
    written.remove_prefix(written.starts_with(scheme) ? scheme.size() : 0);
  }
  const auto host = written.substr(0, written.find('/'));
  if (std::find(hub_names.begin(), hub_names.end(), host) != hub_names.end()) {
    return std::string(hub_key);
  }
  const bool good =
    std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 127; });
  return good ? std::string(host) : std::string{};
}

}  // namespace slipway::domain
