#include "runtime/server/builder_main.hpp"

#include "actors/build_job.hpp"
#include "actors/build_worker.hpp"
#include "runtime/build_architectures.hpp"
#include "runtime/build_network.hpp"
#include "runtime/builder_config.hpp"
#include "runtime/bus.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/engine_trust.hpp"
#include "runtime/log.hpp"
#include "runtime/memory_folder.hpp"
#include "runtime/server/child_start.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

namespace slipway::runtime {
namespace {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

constexpr int exit_no_engine = 1;
constexpr int exit_unusable = 2;
constexpr int engine_wait_ms = 30'000;
constexpr int clear_ms_max = 10'000;
constexpr auto halt_max = std::chrono::seconds{12};
constexpr std::size_t id_characters = 8;

/// The work folder, held by this process alone.
class work_folder {
public:
  /// Empties it of what an earlier life left, except its id. Errors: conflict (another worker has it), io_failed.
  static result<std::unique_ptr<work_folder>> open(const std::string& path) {
    std::error_code failed;
    fs::create_directories(path, failed);
    const int lock = ::open((path + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (lock < 0) {
      return fail(errc::io_failed, "work folder " + path + " cannot be used");
    }
    std::unique_ptr<work_folder> f(new work_folder(lock));
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
      return fail(errc::conflict, "another worker uses the work folder " + path);
    }
    fs::permissions(path, fs::perms::owner_all, failed);
    for (const auto& e : fs::directory_iterator(path, failed)) {
      if (e.path().filename().string().starts_with("source-")) {
        fs::remove(e.path(), failed);
      }
    }
    return f->read_id(path) ? result<std::unique_ptr<work_folder>>(std::move(f))
                            : fail(errc::io_failed, "work folder " + path + " cannot be written");
  }
  ~work_folder() { ::close(lock_); }
  work_folder(const work_folder&) = delete;
  work_folder& operator=(const work_folder&) = delete;

  [[nodiscard]] const std::string& id() const { return id_; }

private:
  explicit work_folder(int lock) : lock_(lock) {}

  bool read_id(const std::string& path) {
    const auto file = path + "/id";
    std::ifstream(file) >> id_;
    if (id_.size() == id_characters && id_.find_first_not_of("0123456789abcdef") == id_.npos) {
      return true;
    }
    id_ = random_hex(id_characters);
    std::ofstream out(file, std::ios::trunc);
    out << id_ << "\n";
    out.close();
    return static_cast<bool>(out);
  }

  int lock_;
  std::string id_;
};

int fail_start(const messages::error& e, int code) {
  log::error("the builder cannot start", {{"error", e.detail}});
  return code;
}

void init_builder_log(const builder_config& c) {
  const auto least = c.log_level == "debug"   ? log::level::debug
                     : c.log_level == "warn"  ? log::level::warn
                     : c.log_level == "error" ? log::level::error
                                              : log::level::info;
  log::init("slipwayd", least, c.log_format == "json" ? log::format::json : log::format::text);
}

/// Engines start beside us.
result<engine_version> wait_for_engine(const std::string& endpoint) {
  const auto engine = actors::connect_builder_engine(endpoint);
  const auto until = steady_ms() + engine_wait_ms;
  for (;;) {
    auto version = engine->version();
    if (version || version.error().code != errc::unavailable || steady_ms() > until) {
      return version;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
  }
}

/// What an earlier life left in the engine.
void clear_leftovers(const actors::builder_parts& parts) {
  const auto engine = parts.connect();
  // Containers whose connection just broke are being removed by the engine itself.
  const auto until = steady_ms() + clear_ms_max;
  const auto clear = [&] {
    return parts.networks ? parts.networks->clear(*engine) : result<void>{};
  };
  auto cleared = clear();
  while (!cleared && steady_ms() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds{250});
    cleared = clear();
  }
  if (!cleared) {
    log::warn("networks of earlier builds stay", {{"why", cleared.error().detail}});
  }
  actors::clear_names(*engine, parts.work_dir);
  actors::trim_cache(*engine, actors::builder_cache_images_max);
  if (parts.networks) {
    parts.networks->make_ahead(*engine);
  }
}

std::shared_ptr<actors::builder_parts> make_parts(
  const builder_config& c,
  const std::string& id,
  const std::string& secrets_prefix,
  const std::string& native_arch) {
  auto p = std::make_shared<actors::builder_parts>();
  p->work_dir = c.work_dir;
  p->secrets_prefix = secrets_prefix;
  p->native_arch = native_arch;
  if (!c.open_network) {
    p->networks = std::make_shared<actors::build_networks>(id);
  }
  p->connect = [endpoint = c.engine] { return actors::connect_builder_engine(endpoint); };
  p->open_source = [](const std::string& file) { return storage::source_tree::open(file); };
  p->guard_networks = [core = c.core] {
    return addresses_of_endpoint(core).and_then(guard_build_networks);
  };
  p->trust = [](const std::string& registry, const std::string& pem) -> result<void> {
    const auto done = trust_registry(engine_certificates, registry, pem);
    return done ? result<void>{} : tl::unexpected(done.error());
  };
  p->now_ms = now_ms;
  p->steady_ms = steady_ms;
  return p;
}

/// The rules as far as they can be told at the start. Each build puts them in place anew, and waits until the core's name has an answer.
result<void> guard_at_start(const builder_config& c) {
  const auto blocked = addresses_of_endpoint(c.core);
  if (!blocked) {
    log::warn(
      "no build begins before the core's name has an answer: builds are kept from its addresses",
      {{"why", blocked.error().detail}});
  }
  return guard_build_networks(blocked.value_or(std::vector<std::string>{}));
}

/// From the first connection to the signal.
int work(
  const builder_config& c,
  const sigset_t& signals,
  std::shared_ptr<const actors::builder_parts> parts,
  actors::worker_options options) {
  caf::actor_system_config actors_config;
  actors_config.set("scheduler.policy", caf::atom("sharing"));
  actors_config.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system system(actors_config);
  std::optional<bus_client> bus;
  options.send = [&bus](std::string m) { return bus->send(std::move(m)); };
  actors::use_detached_builders(system, parts, options);
  const auto worker = system.spawn(actors::build_worker, parts, std::move(options));
  bus.emplace(
    bus_client::options{c.core, c.server_key, {c.public_key, c.secret_key}, c.name},
    bus_client::callbacks{
      [&worker] {
        log::info("builder joined the core");
        caf::anon_send(worker, actors::up_atom::value);
      },
      [&worker] {
        log::warn("builder lost the core");
        caf::anon_send(worker, actors::down_atom::value);
      },
      [&worker](messages::envelope e) {
        caf::anon_send(worker, actors::core_word{std::move(e)});
      }});
  if (const auto started = bus->start(); !started) {
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    return fail_start(started.error(), exit_unusable);
  }
  int signal = 0;
  ::sigwait(&signals, &signal);
  log::info("builder stops", {{"signal", std::to_string(signal)}});
  {
    bool halted = false;
    caf::scoped_actor self(system);
    self->request(worker, halt_max, actors::halt_atom::value)
      .receive(
        [&](bool) { halted = true; },
        [](const caf::error&) {
          log::warn("builds are left to the next start, which clears them up");
        });
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    self->wait_for(worker);
    if (halted && parts->networks) {
      (void)parts->networks->clear(*parts->connect(), true);  // the next start tries again
    }
  }
  bus.reset();  // sends what it holds
  // Work that does not end keeps threads of its own; the engine ends it with the connection.
  ::_exit(0);
}

int run(const builder_config& c, const sigset_t& signals) {
  const auto folder = work_folder::open(c.work_dir);
  if (!folder) {
    return fail_start(folder.error(), exit_unusable);
  }
  const auto version = wait_for_engine(c.engine);
  if (!version) {
    return fail_start(version.error(), exit_no_engine);
  }
  const auto architectures = build_architectures(version->arch);
  if (architectures.empty()) {
    return fail_start(
      {errc::unsupported, "no devices run what this engine builds: " + version->arch},
      exit_unusable);
  }
  if (version->podman && !c.open_network) {
    return fail_start(
      {errc::unsupported,
       "podman runs build steps in this machine's own network, so they cannot be kept from it and "
       "from each other; give "
       "--build-network open to build nevertheless"},
      exit_unusable);
  }
  const auto& id = (*folder)->id();
  const auto secrets = memory_prefix(memory_folders(), "slipway-builder-" + id + "-", c.work_dir);
  const auto parts = make_parts(c, id, secrets, architectures.front());
  if (c.open_network) {
    log::warn("builds may reach this machine and each other: --build-network open");
  } else if (const auto guarded = guard_at_start(c); !guarded) {
    return fail_start(
      {guarded.error().code,
       "builds cannot be kept from this machine and each other: " + guarded.error().detail
         + "; give --build-network open to build nevertheless"},
      exit_unusable);
  }
  clear_leftovers(*parts);
  actors::worker_options options;
  options.name = c.name;
  options.architectures = architectures;
  options.slots = c.slots > 0 ? c.slots : std::max(1U, std::thread::hardware_concurrency());
  options.engine = version->version;
  std::string all;
  for (const auto& a : architectures) {
    all += (all.empty() ? "" : ",") + a;
  }
  log::info(
    "builder starts",
    {{"name", c.name},
     {"core", c.core},
     {"engine", version->version},
     {"slots", std::to_string(options.slots)},
     {"architectures", all}});
  return work(c, signals, parts, std::move(options));
}

}  // namespace

int builder_main(const std::vector<std::string>& arguments) {
  const auto signals = block_stop_signals();
  if (arguments == std::vector<std::string>{"--embedded"}) {
    const auto config = read_child_config<builder_config>();
    if (!config) {
      return fail_start(
        messages::with_context("configuration on standard input", config.error()),
        exit_unusable);
    }
    init_builder_log(*config);
    return run(*config, signals);
  }
  const auto loaded = load_builder_config(arguments, process_environment());
  if (!loaded.config) {
    std::fputs(loaded.text.c_str(), loaded.exit_code == 0 ? stdout : stderr);
    return loaded.exit_code;
  }
  init_builder_log(*loaded.config);
  return run(*loaded.config, signals);
}

}  // namespace slipway::runtime
