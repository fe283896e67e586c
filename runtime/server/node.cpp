#include "runtime/server/node.hpp"

#include "actors/blob_keepers.hpp"
#include "actors/entity.hpp"
#include "actors/notifier.hpp"
#include "actors/uploads.hpp"
#include "domain/effects.hpp"
#include "domain/resource_model.hpp"
#include "gateways/assets/asset_links.hpp"
#include "gateways/assets/asset_store.hpp"
#include "gateways/registry/mirrors.hpp"
#include "gateways/registry/registry.hpp"
#include "gateways/registry/token.hpp"
#include "gateways/registry/token_endpoint.hpp"
#include "gateways/registry/upgrade.hpp"
#include "gateways/router.hpp"
#include "gateways/services.hpp"
#include "messages/json.hpp"
#include "runtime/certificate_keeper.hpp"
#include "runtime/change_clock.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/curve.hpp"
#include "runtime/directory.hpp"
#include "runtime/edge_supervisor.hpp"
#include "runtime/log.hpp"
#include "runtime/server/admin_server.hpp"
#include "runtime/server/bootstrap.hpp"
#include "runtime/server/build_side.hpp"
#include "runtime/server/device_logging.hpp"
#include "runtime/server/git_side.hpp"
#include "runtime/server/node_metrics.hpp"
#include "runtime/server/registry_rights.hpp"
#include "runtime/server/storage_limits.hpp"
#include "storage/embedded_store.hpp"
#include "storage/file_blob_store.hpp"
#include "storage/repository_store.hpp"

#include <boost/asio/steady_timer.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <utility>

namespace slipway::runtime {

namespace fs = std::filesystem;
using messages::entity_kind;
using messages::result;

namespace {

constexpr auto sweep_interval = std::chrono::seconds{5};
/// Ten thousand devices may each hold a log stream open.
constexpr std::size_t connections_max = 16'384;

struct actor_config : caf::actor_system_config {
  explicit actor_config(int threads) {
    add_message_types<caf::id_block::slipway>();
    // `sharing` wakes an idle worker at once; requests wait on wake-ups.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", static_cast<std::size_t>(threads));
  }
};

/// Host and port of an http or https URL.
std::string authority_of(const std::string& url) {
  const auto begin = url.find("://") + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

/// What caches must forget once these commits are durable.
actors::committed_hook forget_hook(
  std::shared_ptr<const domain::schema> model,
  std::shared_ptr<change_clock> targets,
  std::shared_ptr<change_clock> credentials,
  device_logging* logs,
  gateways::asset_store& assets,
  const std::atomic<build_side*>& building) {
  return [=, &assets, &building](std::span<const messages::log_record> records) {
    node_metrics::committed(records);
    for (const auto& r : records) {
      if (domain::affects_target(*model, r.commit)) {
        targets->advance(r.commit.entity);
      }
      if (domain::affects_assets(r.commit)) {
        assets.rows_changed();
      }
      if (domain::affects_credentials(r.commit)) {
        credentials->advance(r.commit.entity);
        if (r.commit.entity.kind != entity_kind::user && domain::affects_roles(r.commit)) {
          credentials->advance(gateways::authenticator::everybody);
        }
      }
    }
    logs->committed(records);
    if (auto* side = building.load()) {
      side->committed(records);
    }
  };
}

}  // namespace

struct node::impl {
  serve_config o;
  std::string generated_password;
  std::shared_ptr<const domain::schema> model = domain::resource_model();
  std::shared_ptr<change_clock> target_changes = std::make_shared<change_clock>();
  std::shared_ptr<change_clock> credential_changes = std::make_shared<change_clock>();
  storage::store store;
  std::unique_ptr<storage::file_blob_store> blobs;
  std::unique_ptr<storage::file_blob_store> asset_blobs;
  std::unique_ptr<gateways::asset_store> assets;
  std::unique_ptr<storage::repository_store> repositories;
  std::unique_ptr<storage::linked_blobs> links;
  std::unique_ptr<device_logging> logs;
  directory entities;
  std::optional<actor_config> config;
  std::optional<caf::actor_system> system;
  actors::journal_actor journal;
  std::shared_ptr<actors::world> world;
  std::unique_ptr<actors::uploads> uploads;
  std::unique_ptr<actors::blob_keepers> keepers;
  std::unique_ptr<storage_limits> limits;
  std::unique_ptr<gateways::token_authority> tokens;
  std::unique_ptr<gateways::token_endpoint> token_endpoint;
  std::unique_ptr<gateways::mirrors> mirrors;
  std::unique_ptr<gateways::registry> registry;
  std::shared_ptr<gateways::services> services;
  std::unique_ptr<git_side> git;
  std::unique_ptr<build_side> building;
  std::atomic<build_side*> hears_of_workers = nullptr;
  std::unique_ptr<gateways::router> router;
  std::unique_ptr<certificate_keeper> certificates;  ///< with TLS only
  std::unique_ptr<http_server> http;
  std::unique_ptr<edge_supervisor> edge;
  caf::actor notifier;
  std::unique_ptr<boost::asio::steady_timer> sweeper;
  std::unique_ptr<admin_socket> admin;

  result<void> open_stores();
  result<void> start_actors();
  result<void> start_registry();
  result<void> start_building();
  result<void> start_git();
  result<void> open_certificates();
  result<void> open_http();
  result<void> start_overlay();
  void sweep_later();
  void stop();
};

result<void> node::impl::open_stores() {
  std::error_code failed;
  fs::create_directories(o.data_dir, failed);
  if (failed) {
    return messages::fail(
      messages::errc::io_failed,
      "cannot create " + o.data_dir + ": " + failed.message());
  }
  fs::permissions(o.data_dir, fs::perms::owner_all, failed);
  fs::create_directories(o.data_dir + "/keys", failed);
  auto opened = storage::open_embedded({o.data_dir + "/store", nullptr, model});
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  store = std::move(*opened);
  auto first = bootstrap(*model, store, o.admin_file);
  if (!first) {
    return tl::unexpected(first.error());
  }
  generated_password = first->generated_password;
  storage::file_blob_options blob_options;
  blob_options.root = o.data_dir + "/registry";
  auto files = storage::open_file_blobs(blob_options);
  if (!files) {
    return tl::unexpected(files.error());
  }
  blobs = std::move(*files);
  // Uploads of assets end with the process that began them: what is left of them goes at once.
  blob_options.root = o.data_dir + "/assets";
  blob_options.upload_idle_ms_max = -1;
  auto asset_files = storage::open_file_blobs(blob_options);
  if (!asset_files) {
    return tl::unexpected(asset_files.error());
  }
  asset_blobs = std::move(*asset_files);
  assets = std::make_unique<gateways::asset_store>(*asset_blobs);
  auto repos = storage::open_repository_store(o.data_dir + "/repositories");
  if (!repos) {
    return tl::unexpected(repos.error());
  }
  repositories = std::move(*repos);
  links = std::make_unique<storage::linked_blobs>(*blobs, *repositories);
  if (auto upgraded = gateways::upgrade_repositories(*blobs, *repositories, now_ms()); !upgraded) {
    return upgraded;
  }
  auto device_logs = device_logging::open(o);
  if (!device_logs) {
    return tl::unexpected(device_logs.error());
  }
  logs = std::move(*device_logs);
  auto git_folder = git_side::open(o);
  if (!git_folder) {
    return tl::unexpected(git_folder.error());
  }
  git = std::move(*git_folder);
  return {};
}

result<void> node::impl::start_actors() {
  config.emplace(o.scheduler_threads);
  system.emplace(*config);
  journal = actors::spawn_journal(
    *system,
    store.log,
    forget_hook(model, target_changes, credential_changes, logs.get(), *assets, hears_of_workers));
  world = std::make_shared<actors::world>();
  world->model = model;
  world->store = store;
  world->journal = journal;
  world->directory = &entities;
  world->now = now_ms;
  world->random_hex = random_hex;
  for (const auto kind :
       {entity_kind::catalog,
        entity_kind::user,
        entity_kind::organization,
        entity_kind::fleet,
        entity_kind::device}) {
    entities.add(kind, [this](messages::entity_ref ref) {
      return actors::spawn_entity(*system, ref, world);
    });
  }
  auto session_key = load_or_make_secret(o.data_dir + "/keys/session");
  if (!session_key) {
    return tl::unexpected(session_key.error());
  }
  services = std::make_shared<gateways::services>();
  services->model = model;
  services->store = store;
  services->ask = std::make_shared<gateways::asker>(*system, entities);
  services->authenticator =
    std::make_shared<gateways::authenticator>(store.rows, credential_changes, *session_key, now_ms);
  services->target_changes = target_changes;
  services->slow = std::make_shared<boost::asio::thread_pool>(1);
  services->now = now_ms;
  logs->start(*system, store.rows);
  services->logs = logs->hub();
  return {};
}

result<void> node::impl::start_registry() {
  gateways::token_authority::options token_options;
  token_options.key_file = o.data_dir + "/keys/registry.pem";
  token_options.issuer = services->api_url;
  token_options.service = services->registry_host;
  token_options.now_ms = now_ms;
  auto authority = gateways::token_authority::open(token_options);
  if (!authority) {
    return tl::unexpected(authority.error());
  }
  tokens = std::move(*authority);
  token_endpoint = std::make_unique<gateways::token_endpoint>(
    *tokens,
    registry_identify(services),
    registry_authorize(services));
  uploads = actors::make_uploads(*system, *blobs, *repositories, {}, now_ms);
  actors::keeper_options keeper_options;
  keeper_options.collection.grace_ms = o.registry_grace_seconds * 1000;
  keeper_options.scrub_bytes_per_second = o.registry_scrub_bytes_per_second;
  keepers = actors::start_blob_keepers(
    *system,
    {*blobs, *repositories, *links, registry_users(services), now_ms},
    keeper_options);
  gateways::registry_options registry_options;
  // A pusher that was told "it is here" has most of the grace period left.
  registry_options.touch_every_ms =
    std::min(registry_options.touch_every_ms, keeper_options.collection.grace_ms / 24);
  registry_options.service = services->registry_host;
  registry_options.realm = services->api_url + "/auth/v1/token";
  registry_options.now_ms = now_ms;
  registry_options.may_list = registry_listing(services);
  limits = std::make_unique<storage_limits>(
    services,
    *repositories,
    storage_limits::options{o.data_dir, o.registry_free_bytes, o.organization_storage_bytes});
  registry_options.disk = [l = limits.get()] { return l->disk(); };
  registry_options.quota = limits.get();
  if (!o.registry_mirrors.empty()) {
    auto table = gateways::load_mirrors(o.registry_mirrors);
    if (!table) {
      return tl::unexpected(table.error());
    }
    gateways::mirrors::options upstream;
    upstream.table = std::move(*table);
    upstream.now_ms = now_ms;
    upstream.disk = registry_options.disk;
    mirrors = std::make_unique<gateways::mirrors>(
      gateways::mirrors::parts{*blobs, *repositories, *links},
      std::move(upstream));
  }
  registry = gateways::make_registry(
    {*blobs, *repositories, *links, *uploads, *tokens, mirrors.get(), registry_still_may(services)},
    registry_options);
  return {};
}

result<void> node::impl::start_building() {
  build_side::parts parts{
    services,
    world,
    *system,
    *tokens,
    git->tickets(),
    [g = &git->repositories()](std::int64_t fleet, const std::string& ref) {
      return g->ref_of(fleet, ref);
    },
    [l = limits.get()] { return l->disk(); },
    [s = services.get()] { return s->root_ca ? s->root_ca() : std::string(); }};
  auto opened = build_side::open(o, std::move(parts));
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  building = std::move(*opened);
  hears_of_workers = building.get();
  return {};
}

result<void> node::impl::start_git() {
  return git->prepare(
    services,
    {o.http.host, http->port()},
    [l = limits.get()] { return l->disk(); },
    [b = building.get()](std::int64_t release) {
      b->builds().settle(release, [](const result<std::string>&) {});
    });
}

result<void> node::impl::open_certificates() {
  if (!o.https) {
    return {};
  }
  certificate_keeper::options options;
  options.domain = o.domain;
  options.files = o.certificates;
  options.root_file = o.tls_ca;
  options.own_folder = o.data_dir + "/keys/ca";
  auto opened = certificate_keeper::open(std::move(options), now_ms());
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  certificates = std::move(*opened);
  services->root_ca = [c = certificates.get()] { return c->root(); };
  return {};
}

result<void> node::impl::open_http() {
  http_server::options options;
  options.address = o.http.host;
  options.port = o.http.port;
  options.threads = o.http_threads;
  options.limits.connections_max = connections_max;
  if (certificates) {
    options.tls = {o.https->host, o.https->port, certificates->context()};
  }
  auto opened = http_server::open(options);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  http = std::move(*opened);
  const auto address = o.http.host + ":" + std::to_string(http->port());
  const auto number = certificates ? http->tls_port_number() : http->port();
  const bool usual = number == (certificates ? 443 : 80);
  const auto port = usual ? "" : ":" + std::to_string(number);
  const std::string scheme = certificates ? "https://" : "http://";
  services->registry_host = !o.domain.empty()      ? "registry2." + o.domain + port
                            : o.public_url.empty() ? address
                                                   : authority_of(o.public_url);
  if (
    services->registry_host.starts_with("0.0.0.0:")
    || services->registry_host.starts_with("[::]:")) {
    log::warn(
      "images are named after an address that reaches nobody: give --public-url or --domain",
      {{"address", services->registry_host}});
  }
  services->api_url = !o.public_url.empty() ? o.public_url
                      : o.domain.empty()    ? scheme + address
                                            : scheme + "api." + o.domain + port;
  services->device_urls_base = "devices." + (o.domain.empty() ? o.http.host : o.domain);
  world->registry_host = services->registry_host;
  services->asset_links = std::make_shared<gateways::asset_links>(
    services->api_url,
    hmac_sha256_hex(services->authenticator->session_key(), "links to release assets"),
    now_ms);
  return {};
}

/// Presence goes to the device's entity like any command; nobody waits for the answer.
void deliver_presence(
  directory& entities,
  std::int64_t edge,
  const std::vector<messages::presence_entry>& entries) {
  for (const auto& e : entries) {
    messages::set_presence word;
    word.edge = edge;
    word.epoch = e.epoch;
    word.online = e.online;
    word.time = e.time;
    entities.send(
      nullptr,
      {entity_kind::device, e.device},
      caf::make_message(std::uint64_t{0}, word));
  }
}

result<void> node::impl::start_overlay() {
  auto keys = load_or_make_curve_keys(o.data_dir + "/keys/overlay");
  if (!keys) {
    return tl::unexpected(keys.error());
  }
  services->overlay_server_key = keys->public_key;
  edge_supervisor::options options;
  options.arguments = {"edge", o.log_level, o.log_format};
  options.endpoint = o.overlay_endpoint;
  options.keys = *keys;
  for (const auto& d : actors::online_devices(*store.rows)) {
    options.known_online.push_back({d.device, d.edge, d.epoch});
  }
  edge_supervisor::callbacks callbacks;
  callbacks.devices = [rows = store.rows] { return actors::admitted_devices(*rows); };
  callbacks.on_presence =
    [this](std::int64_t number, const std::vector<messages::presence_entry>& entries) {
      deliver_presence(entities, number, entries);
    };
  callbacks.on_counters = node_metrics::edge;
  callbacks.on_alarm = [](const messages::edge_alarm& a) {
    log::warn("overlay alarm", {{"what", messages::dump_json(nlohmann::json(a))}});
  };
  edge = std::make_unique<edge_supervisor>(std::move(options), std::move(callbacks));
  actors::overlay_port port;
  port.admit = [e = edge.get()](std::vector<messages::admitted_device> d) {
    e->admit(std::move(d));
  };
  port.revoke = [e = edge.get()](std::vector<std::int64_t> d) { e->revoke(std::move(d)); };
  port.notify = [e = edge.get()](messages::send_notice n) { e->notify(std::move(n)); };
  port.now = now_ms;
  services->overlay_endpoint =
    [e = edge.get(), told = o.overlay_public, bind = o.overlay_endpoint] {
      const auto bound = e->endpoint();  // "" until the edge has joined
      return !told.empty() ? told : !bound.empty() ? bound : bind;
    };
  services->call_device =
    [e = edge.get()](std::int64_t device, messages::call request, call_done done) {
      e->call(device, std::move(request), std::move(done));
    };
  notifier = actors::spawn_notifier(*system, journal, store, std::move(port));
  return edge->start();
}

/// Every few seconds, on the slow pool.
void node::impl::sweep_later() {
  sweeper->expires_after(sweep_interval);
  sweeper->async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) {
      router->sweep();
      git->sweep();
      if (certificates) {
        certificates->refresh(now_ms());
      }
      sweep_later();
    }
  });
}

void node::impl::stop() {
  constexpr int grace_ms = 3000;
  logs->close();
  admin.reset();
  if (http) {
    http->stop(grace_ms);
  }
  // Pools of theirs tell requests in the server's queues what these wait for, so they end before it is gone.
  if (router) {
    router->stop();
  }
  if (registry) {
    registry->stop();
  }
  hears_of_workers = nullptr;
  git->stop();
  if (building) {
    building->stop();
  }
  if (notifier) {
    // It calls the supervisor, so it ends first.
    caf::scoped_actor self(*system);
    caf::anon_send_exit(notifier, caf::exit_reason::user_shutdown);
    self->wait_for(notifier);
    notifier = nullptr;
  }
  if (edge) {
    edge->stop();
  }
  if (services && services->slow) {
    services->slow->stop();
    services->slow->join();
  }
  sweeper.reset();
  services->slow.reset();  // with what waited in its queue
  if (system) {
    logs->stop(*system);
  }
  keepers.reset();
  uploads.reset();
  entities.stop();
  services->ask.reset();
  if (system) {
    // The journal last: what entities sent it is written before it goes.
    caf::scoped_actor self(*system);
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
    self->wait_for(journal);
  }
  world.reset();
  journal = nullptr;
}

node::node(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

node::~node() {
  impl_->stop();
}

result<std::unique_ptr<node>> node::start(const serve_config& config) {
  auto i = std::make_unique<impl>();
  i->o = config;
  for (const auto step :
       {&impl::open_stores,
        &impl::start_actors,
        &impl::open_certificates,
        &impl::open_http,
        &impl::start_registry,
        &impl::start_building,
        &impl::start_git,
        &impl::start_overlay}) {
    if (auto ok = ((*i).*step)(); !ok) {
      if (i->services) {
        i->stop();
      }
      return tl::unexpected(ok.error());
    }
  }
  gateways::router::parts parts;
  parts.assets = i->assets.get();
  parts.registry = [r = i->registry.get()](exchange& x) { return r->handle(x); };
  parts.registry_token = [t = i->token_endpoint.get()](exchange& x) { return t->handle(x); };
  parts.builder = i->building->routes();
  parts.git = [g = i->git.get()](exchange& x, std::string_view path) { return g->handle(x, path); };
  parts.metrics = [n = i.get()] {
    n->logs->measure();
    return node_metrics::text(*n->http, n->entities);
  };
  parts.health = [e = i->edge.get()] {
    return e->pid() > 0
             ? result<void>{}
             : messages::fail(messages::errc::unavailable, "the overlay's edge is not running");
  };
  parts.https_port = i->http->tls_port_number();
  parts.registration = config.registration == "open"     ? gateways::registration_mode::open
                       : config.registration == "invite" ? gateways::registration_mode::invite
                                                         : gateways::registration_mode::closed;
  i->router = std::make_unique<gateways::router>(i->services, std::move(parts), config.domain);
  i->sweeper = std::make_unique<boost::asio::steady_timer>(i->services->slow->get_executor());
  i->sweep_later();
  auto admin = serve_admin(
    config.data_dir,
    i->services,
    [r = i->router.get()](const auto& user) { r->unlock(user); },
    {*i->keepers, *i->limits});
  if (!admin) {
    i->stop();
    return tl::unexpected(admin.error());
  }
  i->admin = std::move(*admin);
  i->git->start();
  i->http->start([r = i->router.get()](exchange& x) { return r->handle(x); });
  return std::unique_ptr<node>(new node(std::move(i)));
}

std::uint16_t node::http_port() const {
  return impl_->http->port();
}

std::uint16_t node::https_port() const {
  return impl_->http->tls_port_number();
}

std::string node::overlay_endpoint() const {
  return impl_->services->overlay_endpoint();
}

std::string node::ssh_address() const {
  return impl_->git->ssh_address();
}

const std::string& node::generated_password() const {
  return impl_->generated_password;
}

}  // namespace slipway::runtime
