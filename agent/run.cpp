#include "agent/run.hpp"

#include "agent/device_config.hpp"
#include "agent/posix/docker_host.hpp"
#include "agent/posix/docker_output.hpp"
#include "agent/posix/files.hpp"
#include "agent/posix/host.hpp"
#include "agent/posix/host_commands.hpp"
#include "agent/posix/http.hpp"
#include "agent/posix/lock_files.hpp"
#include "agent/posix/log_queue.hpp"
#include "agent/supervisor.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/engine_trust.hpp"
#include "runtime/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <thread>

namespace slipway::agent {
namespace {

namespace fs = std::filesystem;

/// The overlay link behind the interface that the link actor wants.
class overlay_adapter : public overlay_port {
public:
  overlay_adapter(link_options options, link_callbacks callbacks)
    : link_(std::move(options), std::move(callbacks)) {}
  messages::result<void> start() override { return link_.start(); }
  void ack(std::uint64_t notice) override { link_.ack(notice); }
  void answer(std::uint64_t epoch, messages::call_answer answer) override {
    link_.answer(epoch, std::move(answer));
  }

private:
  overlay_link link_;
};

int unusable(const std::string& why) {
  std::fprintf(stderr, "slipway-agent: %s\n", why.c_str());
  return 2;
}

/// Two agents on one state folder would undo each other's work. Held until the process ends.
bool lock_folder(const fs::path& folder) {
  const int fd = ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

runtime::http_client::options client_options(const device_config& config) {
  runtime::http_client::options o;
  o.ca_pem = config.root_ca();
  o.user_agent = std::string("Supervisor/") + reported_supervisor_version
                 + " (slipway-agent/" SLIPWAY_VERSION ")";
  return o;
}

std::vector<std::string> words_of(const nlohmann::json& list) {
  std::vector<std::string> out;
  for (const auto& word : list.is_array() ? list : nlohmann::json::array()) {
    if (word.is_string()) {
      out.push_back(word.get<std::string>());
    }
  }
  return out;
}

host_command_settings commands_of(const device_config& config) {
  host_command_settings s;
  const auto commands = config.value("hostCommands");
  if (commands.is_object()) {
    s.reboot = words_of(commands.value("reboot", nlohmann::json()));
    s.shutdown = words_of(commands.value("shutdown", nlohmann::json()));
  }
  s.led_file = config.text("ledFile");
  return s;
}

/// Everything the actors use, in one place that outlives them.
struct installation {
  fs::path state_folder;
  posix_files state_files;
  state_store store{state_files};
  device_config config;
  posix_host host;
  posix_http provision_http{client_options(config)};
  posix_http poll_http{client_options(config)};
  posix_http report_http{client_options(config)};
  posix_http local_http{client_options(config)};
  platform_api provision_api;
  platform_api poll_api;
  platform_api report_api;
  platform_api local_api;
  lock_files locks;
  host_commands commands;
  posix_http log_http{client_options(config)};
  platform_api log_api;
  docker_host engine;
  docker_host fetch_engine;
  docker_output output;
  std::unique_ptr<log_queue> logs;
  provisioning work;

  installation(const run_options& o, device_config c)
    : state_folder(o.state_folder),
      state_files(state_folder),
      config(std::move(c)),
      host(state_folder),
      provision_api(provision_http, config.api_endpoint()),
      poll_api(poll_http, config.api_endpoint()),
      report_api(report_http, config.api_endpoint()),
      local_api(local_http, config.api_endpoint()),
      locks(o.lock_folder),
      commands(commands_of(config)),
      log_api(log_http, config.api_endpoint()),
      engine(o.engine),
      fetch_engine(o.engine),
      output(o.engine),
      work(config, provision_api, store, key_of(), host.facts()) {
    engine.set_locks(&locks);
  }

  [[nodiscard]] key_maker key_of() const {
    return [folder = state_folder](const std::string& uuid) {
      return runtime::load_or_make_curve_keys(folder / ("overlay-" + uuid + ".key"));
    };
  }
};

std::string hash_text(std::string_view text) {
  return runtime::sha256_hex(text);
}

std::uint64_t random_upto(std::uint64_t n) {
  return n == 0 ? 0 : runtime::random_u64() % (n + 1);
}

std::function<std::unique_ptr<overlay_port>(const std::string&, link_callbacks)> make_overlay(
  const installation& i) {
  const auto endpoint = i.config.text("overlayEndpoint");
  const auto server_key = i.config.text("overlayServerKey");
  if (endpoint.empty() || server_key.empty()) {
    return {};
  }
  return [endpoint, server_key, keys = i.key_of()](const std::string& uuid, link_callbacks c) {
    link_options o;
    o.endpoint = endpoint;
    o.server_key = server_key;
    o.uuid = uuid;
    o.agent_version = SLIPWAY_VERSION;
    if (const auto pair = keys(uuid)) {
      o.keys = *pair;
    }
    return std::unique_ptr<overlay_port>(new overlay_adapter(std::move(o), std::move(c)));
  };
}

agent_world make_world(installation& i) {
  agent_world w;
  w.config = &i.config;
  w.work = &i.work;
  w.store = &i.store;
  w.host = &i.host;
  w.engine = &i.engine;
  w.fetch_engine = &i.fetch_engine;
  w.poll_api = &i.poll_api;
  w.report_api = &i.report_api;
  w.local_api = &i.local_api;
  w.locks = &i.locks;
  w.control = &i.commands;
  if (i.logs) {
    w.log_api = &i.log_api;
    w.log_output = &i.output;
    w.log_queue = i.logs.get();
  }
  w.identity_known = [&i,
                      endpoint = i.config.api_endpoint(),
                      registry = i.config.text("registryEndpoint")](const registered& m) {
    i.engine.set_identity(m.uuid, {endpoint, registry, m.device_key});
    i.fetch_engine.set_identity(m.uuid, {endpoint, registry, m.device_key});
    i.output.set_identity(m.uuid);
  };
  w.cancel_calls = [&i] {
    i.provision_http.cancel();
    i.poll_http.cancel();
    i.report_http.cancel();
    i.local_http.cancel();
    i.log_http.cancel();
    i.output.cancel();
    i.engine.cancel();
    i.fetch_engine.cancel();
  };
  w.overlay = make_overlay(i);
  w.now = [] { return milliseconds(runtime::steady_ms()); };
  w.random = random_upto;
  w.new_secret = [] { return runtime::random_token(32); };
  w.wall_ms = runtime::now_ms;
  return w;
}

agent_settings make_settings(const run_options& o, installation& i) {
  agent_settings s;
  const auto facts = i.host.facts();
  s.device.device_type = i.config.text("deviceType");
  s.device.device_arch = facts.arch;
  s.device.os_version = facts.os_version;
  s.device.hash = hash_text;
  if (const auto ms = i.config.number("appUpdatePollInterval"); ms > 0) {
    s.poll_interval = std::clamp(milliseconds(ms), poll_interval_min, poll_interval_max);
  }
  if (o.poll_interval_ms > 0) {
    s.poll_interval = milliseconds(o.poll_interval_ms);
    s.poll_interval_is_fixed = true;
  }
  if (const auto ms = i.config.number("bootstrapRetryDelay"); ms > 0) {
    s.provision_retry = milliseconds(ms);
  }
  s.report_gap = milliseconds(o.report_gap_ms);
  return s;
}

/// A platform with an authority of its own: the engine pulls from its registry, so it must trust it too.
void make_engine_trust(const run_options& o, const device_config& config) {
  const auto root = config.root_ca();
  const auto registry = config.text("registryEndpoint");
  if (root.empty() || registry.empty() || o.engine_certificates.empty()) {
    return;
  }
  if (const auto ok = runtime::trust_registry(o.engine_certificates, registry, root); !ok) {
    runtime::log::warn(
      "the engine cannot be told to trust the registry; if it does not already, pulls fail",
      {{"registry", registry}, {"error", ok.error().detail}});
  }
}

/// Waits for SIGTERM or SIGINT, then stops the actors.
void stop_on_signal(caf::actor_system& system, const caf::actor& top, const sigset_t& signals) {
  int signal = 0;
  ::sigwait(&signals, &signal);
  runtime::log::info("stopping; containers go on");
  caf::scoped_actor self(system);
  self->send_exit(top, caf::exit_reason::user_shutdown);
  self->wait_for(top);
}

}  // namespace

int run_agent(const run_options& options) {
  const fs::path config_file(options.config_file);
  std::error_code problem;
  fs::create_directories(options.state_folder, problem);
  if (problem) {
    return unusable("--state-dir " + options.state_folder + ": " + problem.message());
  }
  if (!lock_folder(options.state_folder)) {
    return unusable("--state-dir " + options.state_folder + ": another agent uses it");
  }
  const auto folder = config_file.has_parent_path() ? config_file.parent_path() : fs::path(".");
  posix_files config_files(folder);
  auto config = device_config::load(config_files, config_file.filename().string());
  if (!config) {
    return unusable("--config " + options.config_file + ": " + config.error().detail);
  }
  make_engine_trust(options, *config);
  installation parts(options, std::move(*config));
  log_queue::options queue;
  queue.folder = fs::path(options.state_folder) / "logs";
  if (auto opened = log_queue::open(queue)) {
    parts.logs = std::move(*opened);
  } else {
    // The device works without; people must find out why they see nothing.
    runtime::log::error("no logs are shipped", {{"why", opened.error().detail}});
  }

  // Before any thread exists, so that all inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  caf::actor_system_config cfg;
  cfg.set("scheduler.policy", caf::atom("sharing"));
  cfg.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system system(cfg);
  runtime::log::info("agent started", {{"version", SLIPWAY_VERSION}, {"engine", options.engine}});
  const auto top = system.spawn(supervisor, make_world(parts), make_settings(options, parts));
  stop_on_signal(system, top, signals);
  return 0;
}

}  // namespace slipway::agent
