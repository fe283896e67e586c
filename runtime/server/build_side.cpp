#include "runtime/server/build_side.hpp"

#include "actors/make_builds.hpp"
#include "domain/numbers.hpp"
#include "runtime/builder_supervisor.hpp"
#include "runtime/bus.hpp"
#include "runtime/clock.hpp"
#include "runtime/curve.hpp"
#include "runtime/server/builder_office.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace slipway::runtime {
namespace {

using domain::numbers::get;
using messages::as_text;
using messages::field;
using messages::result;

class side final : public build_side {
public:
  side(const serve_config& o, parts p) : o_(o), p_(std::move(p)) {}
  ~side() override { stop(); }

  result<void> open();

  std::vector<gateways::route> routes() override { return gateway_->routes(); }
  actors::builds& builds() override { return *builds_; }
  [[nodiscard]] std::string endpoint() const override { return bus_->endpoint(); }
  [[nodiscard]] std::string public_key() const override { return keys_.public_key; }
  void committed(std::span<const messages::log_record> records) override;
  void stop() override;

private:
  [[nodiscard]] std::shared_ptr<actors::build_world> make_world();
  [[nodiscard]] result<std::string> mint(
    std::int64_t build,
    const std::vector<std::string>& push,
    const std::vector<std::string>& pull);
  result<void> open_bus();
  void start_embedded();
  void admit_workers();

  serve_config o_;
  parts p_;
  curve_keys keys_;
  std::unique_ptr<storage::build_logs> logs_;
  std::unique_ptr<gateways::builder::source_intake> intake_;
  std::unique_ptr<bus_server> bus_;
  std::unique_ptr<actors::builds> builds_;
  std::unique_ptr<gateways::builder::builder_gateway> gateway_;
  std::unique_ptr<builder_supervisor> embedded_;
  std::mutex workers_mutex_;
  std::map<std::string, std::string> workers_;  ///< keys by name, as admitted
};

result<void> side::open() {
  auto keys = builder_keys(o_.data_dir);
  if (!keys) {
    return tl::unexpected(keys.error());
  }
  keys_ = std::move(*keys);
  auto logs = storage::open_build_logs({o_.data_dir + "/builds/logs"});
  if (!logs) {
    return tl::unexpected(logs.error());
  }
  logs_ = std::move(*logs);
  gateways::builder::source_intake::options sources;
  sources.folder = o_.data_dir + "/builds/sources";
  sources.room = p_.disk;
  auto intake = gateways::builder::source_intake::open(std::move(sources));
  if (!intake) {
    return tl::unexpected(intake.error());
  }
  intake_ = std::move(*intake);
  // The bus and the builds call each other: words can only come once workers are admitted, when both are there.
  if (auto opened = open_bus(); !opened) {
    return opened;
  }
  builds_ = actors::make_builds(p_.system, make_world(), p_.world->journal);
  gateway_ = std::make_unique<gateways::builder::builder_gateway>(
    p_.services,
    gateways::builder::builder_gateway::parts{*builds_, *logs_, *intake_, p_.tickets});
  admit_workers();
  start_embedded();
  return {};
}

std::shared_ptr<actors::build_world> side::make_world() {
  auto w = std::make_shared<actors::build_world>();
  w->model = p_.world->model;
  w->store = p_.world->store;
  w->directory = p_.world->directory;
  w->logs = logs_.get();
  w->now = now_ms;
  w->steady_ms = steady_ms;
  w->send = [this](const std::string& worker, std::string sealed) {
    return bus_->send(worker, std::move(sealed));
  };
  w->mint_token = [this](auto build, const auto& push, const auto& pull) {
    return mint(build, push, pull);
  };
  w->ref_of = p_.ref_of;
  w->limits = {o_.build_seconds, o_.build_memory_bytes, o_.build_output_bytes};
  w->plain_http = p_.services->api_url.starts_with("http://");
  w->registry_ca = p_.registry_ca;
  return w;
}

result<std::string> side::mint(
  std::int64_t build,
  const std::vector<std::string>& push,
  const std::vector<std::string>& pull) {
  std::vector<gateways::token_access> access;
  for (const auto& repository : push) {
    access.push_back({repository, "", {"pull", "push"}});
  }
  for (const auto& repository : pull) {
    access.push_back({repository, "", {"pull"}});
  }
  gateways::token_bearer bearer;
  bearer.build = build;
  return p_.tokens.mint("build " + std::to_string(build), access, bearer);
}

result<void> side::open_bus() {
  bus_server::callbacks callbacks;
  callbacks.on_up = [](const std::string&) {};
  callbacks.on_down = [this](const std::string& worker) { builds_->worker_down(worker); };
  callbacks.on_message = [this](const std::string& worker, messages::envelope word) {
    builds_->worker_said(worker, std::move(word));
  };
  bus_ = std::make_unique<bus_server>(
    bus_server::options{o_.builder_endpoint, keys_},
    std::move(callbacks));
  return bus_->start();
}

void side::start_embedded() {
  if (o_.builder_engine == "none") {
    return;
  }
  builder_supervisor::options options;
  options.engine = o_.builder_engine;
  options.core = bus_->endpoint();
  options.server_key = keys_.public_key;
  options.slots = static_cast<std::uint32_t>(o_.builder_slots);
  options.work_dir = o_.data_dir + "/builds/work";
  options.open_network = o_.builder_open_network;
  options.log_level = o_.log_level;
  options.log_format = o_.log_format;
  embedded_ = std::make_unique<builder_supervisor>(
    std::move(options),
    [this](const std::string& name, const std::string& key) { bus_->allow(name, key); });
  embedded_->start();
}

/// The bus lets in whom the rows name, and nobody whom they name no more.
void side::admit_workers() {
  // Held while the rows are read: who reads them last decides.
  const std::lock_guard lock(workers_mutex_);
  std::map<std::string, std::string> wanted;
  const auto& b = get().builder;
  p_.world->store.rows->view()->scan(b.resource, 0, [&](const messages::row& r) {
    wanted[as_text(field(r, b.name))] = as_text(field(r, b.public_key));
    return true;
  });
  for (const auto& [name, key] : workers_) {
    if (!wanted.contains(name)) {
      bus_->forbid(name);
    }
  }
  for (const auto& [name, key] : wanted) {
    const auto known = workers_.find(name);
    if (known == workers_.end() || known->second != key) {
      bus_->allow(name, key);
    }
  }
  workers_ = std::move(wanted);
}

void side::committed(std::span<const messages::log_record> records) {
  const bool changed = std::any_of(records.begin(), records.end(), [](const auto& r) {
    return std::any_of(r.commit.events.begin(), r.commit.events.end(), [](const auto& e) {
      return e.resource == get().builder.resource;
    });
  });
  if (changed && bus_) {
    admit_workers();
  }
}

void side::stop() {
  if (intake_) {
    intake_->stop();
  }
  if (embedded_) {
    embedded_->stop();
    embedded_.reset();
  }
  if (bus_) {
    bus_->stop();
  }
  builds_.reset();
}

}  // namespace

result<std::unique_ptr<build_side>> build_side::open(const serve_config& o, parts p) {
  auto made = std::make_unique<side>(o, std::move(p));
  if (auto opened = made->open(); !opened) {
    return tl::unexpected(opened.error());
  }
  return made;
}

}  // namespace slipway::runtime
