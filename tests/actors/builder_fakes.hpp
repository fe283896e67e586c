#pragma once

#include "actors/build_job.hpp"
#include "actors/build_worker.hpp"
#include "actors/service_builder.hpp"
#include "tests/support/actor_world.hpp"
#include "tests/support/temp_folder.hpp"

#include <caf/send.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// A build worker with an engine, a core and a source that are not there.
namespace slipway::tests {

using messages::errc;

/// What the fake engine holds and is told to do; all its connections share it.
struct engine_model {
  std::vector<std::string> calls;
  std::map<std::string, std::string> images;  ///< id by reference
  std::vector<std::string> networks;
  std::vector<runtime::engine_container> containers;
  std::vector<std::string> output{"Step 1/1 : FROM busybox\n", " ---> 12ab\n"};
  std::vector<runtime::build_request> builds;
  std::vector<std::string> context;  ///< of the last build
  std::deque<messages::error> build_errors;
  std::deque<messages::error> push_errors;
  std::deque<messages::error> version_errors;
  runtime::engine_version version{.version = "fake", .arch = "amd64"};
  std::map<std::string, std::string>
    seen;                           ///< files of volumes in the last build, with their modes
  std::vector<std::string> tokens;  ///< pushes came with
  int cancels = 0;
  int made = 0;
};

class fake_engine final : public actors::builder_engine {
public:
  explicit fake_engine(std::shared_ptr<engine_model> m) : m_(std::move(m)) {}

  void cancel() override { ++m_->cancels; }
  result<runtime::engine_version> version() override {
    if (auto e = next(m_->version_errors)) {
      return tl::unexpected(*e);
    }
    return m_->version;
  }
  result<runtime::engine_image> build(
    const runtime::build_request& request,
    const runtime::tar_source& context,
    const runtime::text_sink& output,
    const runtime::progress_sink&) override {
    m_->builds.push_back(request);
    std::string bytes;
    char buffer[64];
    for (auto n = context(buffer, sizeof buffer); n > 0; n = context(buffer, sizeof buffer)) {
      bytes.append(buffer, static_cast<std::size_t>(n));
    }
    m_->context.push_back(bytes);
    look_into(request.volumes);
    for (const auto& text : m_->output) {
      if (!output(text)) {
        return messages::fail(errc::io_failed, "given up");
      }
    }
    if (auto e = next(m_->build_errors)) {
      return tl::unexpected(*e);
    }
    return make("built");
  }
  result<runtime::engine_image> pull(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink&) override {
    m_->calls.push_back("pull " + std::string(reference) + " " + access.username);
    auto image = make("pulled");
    m_->images[std::string(reference)] = image.id;
    return image;
  }
  result<std::string> push(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink&) override {
    m_->calls.push_back("push " + std::string(reference));
    m_->tokens.push_back(access.registry_token);
    if (auto e = next(m_->push_errors)) {
      return tl::unexpected(*e);
    }
    return "sha256:of-" + std::string(reference);
  }
  result<void> tag(std::string_view reference, std::string_view repository, std::string_view tag)
    override {
    m_->images[std::string(repository) + ":" + std::string(tag)] = reference;
    return {};
  }
  result<runtime::engine_image> inspect_image(std::string_view reference) override {
    const auto it = m_->images.find(std::string(reference));
    if (it == m_->images.end()) {
      return messages::fail(errc::not_found, "no such image");
    }
    return runtime::engine_image{.id = it->second};
  }
  result<std::vector<runtime::engine_image>> images() override {
    std::vector<runtime::engine_image> out;
    for (const auto& [reference, id] : m_->images) {
      out.push_back({.id = id, .repo_tags = {reference}, .created = std::stoll(id.substr(6))});
    }
    return out;
  }
  result<void> remove_image(std::string_view reference) override {
    m_->calls.push_back("rmi " + std::string(reference));
    m_->images.erase(std::string(reference));
    return {};
  }
  result<std::vector<runtime::engine_container>> containers() override { return m_->containers; }
  result<void> remove_container(std::string_view id) override {
    std::erase_if(m_->containers, [&](const auto& c) { return c.id == id; });
    return {};
  }
  result<std::vector<runtime::engine_network>> networks(const std::string& label) override {
    m_->calls.push_back("networks " + label);
    std::vector<runtime::engine_network> out;
    for (const auto& n : m_->networks) {
      out.push_back({.name = n});
    }
    return out;
  }
  result<std::string> create_network(const nlohmann::json& config) override {
    m_->networks.push_back(config.at("Name").get<std::string>());
    m_->calls.push_back(
      "bridge " + config.at("Options").at("com.docker.network.bridge.name").get<std::string>());
    return "id";
  }
  result<void> remove_network(std::string_view name) override {
    std::erase(m_->networks, std::string(name));
    return {};
  }

private:
  void look_into(const std::vector<std::string>& volumes) {
    namespace fs = std::filesystem;
    m_->seen.clear();
    for (const auto& v : volumes) {
      const auto folder = v.substr(0, v.find(':'));
      for (const auto& e : fs::recursive_directory_iterator(folder)) {
        std::ifstream in(e.path());
        std::string text;
        std::getline(in, text);
        const auto mode = static_cast<int>(e.status().permissions());
        m_->seen[fs::relative(e.path(), folder)] =
          std::to_string(mode / 64) + std::to_string(mode % 64) + " " + text;
      }
    }
  }
  static std::optional<messages::error> next(std::deque<messages::error>& errors) {
    if (errors.empty()) {
      return std::nullopt;
    }
    auto e = errors.front();
    errors.pop_front();
    return e;
  }
  runtime::engine_image make(const std::string&) const {
    return {.id = "image-" + std::to_string(++m_->made), .size_bytes = 1'000};
  }

  std::shared_ptr<engine_model> m_;
};

/// Streams what the Dockerfile became and what was left out of three paths.
class fake_tree final : public storage::source_tree {
public:
  std::size_t entries() const override { return 3; }
  std::uint64_t bytes() const override { return 3; }
  messages::result<std::optional<std::string>> read(std::string_view path) const override {
    return path.ends_with("/missing") ? std::nullopt : std::optional("of " + std::string(path));
  }
  std::vector<std::string> list(std::string_view) const override { return {}; }
  storage::byte_source stream(context c) const override {
    std::string text = c.folder + "|";
    for (const auto* path : {"Dockerfile", "src", "src/a.o"}) {
      text += c.excludes(path) ? "" : std::string(path) + "|";
    }
    for (const auto& [path, content] : c.replaced) {
      text += path + "=" + content;
    }
    return [text, at = std::size_t{0}](char* buffer, std::size_t size) mutable {
      const auto n = std::min(size, text.size() - at);
      std::copy_n(text.data() + at, n, buffer);
      at += n;
      return static_cast<std::ptrdiff_t>(n);
    };
  }
};

/// A builder of one service that works until it is stopped.
struct busy_state {
  static inline const char* name = "busy_builder";
};

class worker_world {
public:
  explicit worker_world(std::uint32_t slots = 2) {
    parts->networks = std::make_shared<actors::build_networks>("0a1b2c3d");
    parts->work_dir = folder.path();
    parts->secrets_prefix = secrets.path() + "/";
    parts->native_arch = "amd64";
    parts->connect = [m = engine] { return std::make_unique<fake_engine>(m); };
    parts->open_source = [](const std::string&) {
      return messages::result<std::unique_ptr<storage::source_tree>>(std::make_unique<fake_tree>());
    };
    parts->guard_networks = [this]() -> messages::result<void> {
      ++guards;
      return {};
    };
    parts->trust = [this](const std::string& registry, const std::string&) {
      trusted.push_back(registry);
      return messages::result<void>{};
    };
    parts->now_ms = [this] { return world.now().count(); };
    parts->steady_ms = [this] { return world.now().count(); };
    actors::worker_options o;
    o.name = "w";
    o.architectures = {"amd64", "i386"};
    o.slots = slots;
    o.engine = "fake";
    o.send = [this](std::string sealed) {
      if (!connected) {
        return false;
      }
      auto all = messages::unpack_envelopes(sealed, 16);
      for (auto& e : *all) {
        if (e.type == messages::build_ended::type) {
          engine->calls.emplace_back("the core hears of the end");
        }
        sent.push_back(std::move(e));
      }
      return true;
    };
    auto& system = world.system();
    const auto p = std::shared_ptr<const actors::builder_parts>(parts);
    o.spawn_job = [&system, p](const auto& by, auto task, auto stop) {
      return system.spawn(actors::build_job, by, p, std::move(task), std::move(stop));
    };
    o.spawn_service = [this, &system, p](const auto& by, auto task, std::size_t index, auto stop) {
      ++started;
      return busy
               ? system.spawn(busy_builder, by, task, index)
               : system
                   .spawn(actors::service_builder, by, p, std::move(task), index, std::move(stop));
    };
    worker = system.spawn(actors::build_worker, p, std::move(o));
  }
  ~worker_world() {
    caf::anon_send_exit(worker, caf::exit_reason::kill);
    world.run();
  }

  static actors::service_builder_actor::behavior_type busy_builder(
    actors::service_builder_actor::stateful_pointer<busy_state> self,
    actors::build_worker_actor worker,
    std::shared_ptr<const actors::build_task> task,
    std::size_t index) {
    return {
      [](actors::begin_atom) {},
      [](const actors::token_arrived&) {},
      [=](actors::halt_atom) {
        messages::service_progress p;
        p.name = task->order.plan.services[index].name;
        p.status = "cancelled";
        self->send(worker, actors::service_moved{task->serial, p, false});
        self->quit();
      },
      [](actors::again_atom) {},
    };
  }

  void up() {
    connected = true;
    caf::anon_send(worker, actors::up_atom::value);
    world.run();
  }
  void down() {
    connected = false;
    caf::anon_send(worker, actors::down_atom::value);
    world.run();
  }
  template <class T>
  void core(const T& m) {
    const auto sealed = messages::seal(m, 1, 0);
    caf::anon_send(worker, actors::core_word{*messages::unpack<messages::envelope>(sealed)});
    world.run();
  }
  /// All messages of a kind so far.
  template <class T>
  std::vector<T> said() const {
    std::vector<T> out;
    for (const auto& e : sent) {
      if (e.type == T::type) {
        out.push_back(*messages::open<T>(e));
      }
    }
    return out;
  }
  /// The source's one part.
  void give_source(std::int64_t build, std::size_t bytes = 3) {
    core(messages::source_part{build, 0, std::vector<char>(bytes, 'x')});
  }
  void give_token(std::int64_t build, const std::string& service, const std::string& text) {
    core(messages::push_token{build, service, text});
  }
  /// Statuses that a service went through.
  std::string life(const std::string& service) const {
    std::string out;
    for (const auto& m : said<messages::service_changed>()) {
      out += m.service.name == service ? m.service.status + " " : "";
    }
    return out;
  }
  std::string output() const {
    std::string out;
    for (const auto& m : said<messages::build_output>()) {
      for (const auto& l : m.lines) {
        out += l.service + ": " + l.text + (l.replace ? " (again)" : "") + (l.error ? " (!)" : "")
               + "\n";
      }
    }
    return out;
  }

  actor_world world;
  test::temp_folder folder;
  test::temp_folder secrets;
  std::shared_ptr<engine_model> engine = std::make_shared<engine_model>();
  std::shared_ptr<actors::builder_parts> parts = std::make_shared<actors::builder_parts>();
  actors::build_worker_actor worker;
  std::vector<messages::envelope> sent;
  std::vector<std::string> trusted;
  bool connected = false;
  bool busy = false;  ///< services are built for ever
  int started = 0;
  int guards = 0;
};

/// A build of services that are built from a Dockerfile each.
inline messages::run_build order_of(const std::vector<std::string>& services) {
  messages::run_build o;
  o.build = 7;
  o.attempt = 1;
  o.architecture = "amd64";
  o.source_bytes = 3;
  o.fleet = 65;
  o.plain_http = true;
  for (const auto& name : services) {
    messages::service_plan s;
    s.name = name;
    s.dockerfile = "Dockerfile";
    s.dockerfile_text = "FROM busybox\n";
    o.plan.services.push_back(s);
    o.images.push_back({name, "registry/v2/" + name, ""});
  }
  return o;
}

}  // namespace slipway::tests
