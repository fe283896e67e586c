// The registry alone: benchmarks and tests start it. Every client gets every repository, unless --deny NAME refuses one;
// `org/fleet` is an alias of `app`. --upload-seconds N forgets uploads that nobody goes on with after so long.

#include "actors/uploads.hpp"
#include "gateways/registry/mirrors.hpp"
#include "gateways/registry/registry.hpp"
#include "gateways/registry/token_endpoint.hpp"
#include "runtime/clock.hpp"
#include "runtime/log.hpp"
#include "storage/file_blob_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace slipway;

namespace {

struct settings {
  std::string folder;
  std::uint16_t port = 0;
  std::string deny;
  int upload_seconds = 0;  ///< 0 = as slipwayd does
  std::string mirrors;     ///< as `slipwayd serve --registry-mirrors` takes it
};

settings read_arguments(int argc, char** argv) {
  settings s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--data-dir") {
      s.folder = argv[i + 1];
    } else if (name == "--port") {
      s.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    } else if (name == "--deny") {
      s.deny = argv[i + 1];
    } else if (name == "--upload-seconds") {
      s.upload_seconds = std::atoi(argv[i + 1]);
    } else if (name == "--mirrors") {
      s.mirrors = argv[i + 1];
    }
  }
  return s;
}

template <class T>
T or_die(messages::result<T> r) {
  if (!r) {
    std::fprintf(stderr, "registry_server: %s\n", r.error().detail.c_str());
    std::exit(2);
  }
  return std::move(*r);
}

actors::upload_limits limits_of(const settings& s) {
  actors::upload_limits limits;
  if (s.upload_seconds > 0) {
    limits.idle_max = limits.expiry = limits.sweep_every = std::chrono::seconds(s.upload_seconds);
  }
  return limits;
}

gateways::authorize allow_all_but(std::string denied) {
  return [denied = std::move(denied)](
           const messages::requester&,
           const gateways::scope& s) -> messages::result<gateways::granted> {
    if (s.name == "org/fleet") {
      return gateways::granted{"app", s.name, {"pull"}};
    }
    return gateways::granted{s.name, "", s.name == denied ? std::vector<std::string>{} : s.actions};
  };
}

/// `bad` is the one secret that nobody has.
messages::result<gateways::identity> anybody(const gateways::credentials& c) {
  if (c.secret == "bad") {
    return messages::fail(messages::errc::unauthorized, "wrong secret");
  }
  return gateways::identity{{}, c.user, {}};
}

}  // namespace

int main(int argc, char** argv) {
  const auto s = read_arguments(argc, argv);
  runtime::log::init("registry_server", runtime::log::level::warn, runtime::log::format::text);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  const auto blobs = or_die(storage::open_file_blobs({s.folder + "/blobs"}));
  const auto repositories = or_die(storage::open_repository_store(s.folder + "/registry"));
  storage::linked_blobs links(*blobs, *repositories);
  caf::actor_system_config config;
  // CAF's default scheduler polls: over 1 % of a core while nothing happens.
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system(config);
  const auto uploads =
    actors::make_uploads(system, *blobs, *repositories, limits_of(s), runtime::now_ms);
  gateways::token_authority::options keys;
  keys.key_file = s.folder + "/registry-key.pem";
  keys.issuer = "registry_server";
  keys.service = "registry_server";
  keys.now_ms = runtime::now_ms;
  const auto tokens = or_die(gateways::token_authority::open(std::move(keys)));
  gateways::registry_options options;
  options.service = "registry_server";
  options.now_ms = runtime::now_ms;
  gateways::mirrors::options upstream;
  upstream.now_ms = runtime::now_ms;
  upstream.tag_ms = 0;
  if (!s.mirrors.empty()) {
    upstream.table = or_die(gateways::load_mirrors(s.mirrors));
  }
  gateways::mirrors mirrors({*blobs, *repositories, links}, std::move(upstream));
  const auto registry =
    gateways::make_registry({*blobs, *repositories, links, *uploads, *tokens, &mirrors}, options);
  gateways::token_endpoint token(*tokens, anybody, allow_all_but(s.deny));

  runtime::http_server::options http;
  http.port = s.port;
  const auto server = or_die(runtime::http_server::open(http));
  server->start([&](runtime::exchange& x) -> runtime::awaitable<void> {
    if (x.head().path == "/auth/v1/token") {
      return token.handle(x);
    }
    return registry->handle(x);
  });
  std::printf("%d\n", server->port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
  server->stop(2000);
  registry->stop();
  return 0;
}
