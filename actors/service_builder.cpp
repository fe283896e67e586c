#include "actors/service_builder.hpp"

#include "domain/dockerignore.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"
#include "runtime/registry_accesses.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace slipway::actors {

using messages::errc;
using messages::error;
using messages::result;
namespace log = runtime::log;

namespace {

/// As the engine names platforms, "" for what it builds anyway.
std::string platform_of(const std::string& architecture, const std::string& native) {
  static const std::map<std::string, std::string> table{
    {"amd64", "linux/amd64"},
    {"i386", "linux/386"},
    {"aarch64", "linux/arm64"},
    {"armv7hf", "linux/arm/v7"},
    {"rpi", "linux/arm/v6"}};
  const auto known = table.find(architecture);
  return architecture == native || known == table.end() ? "" : known->second;
}

/// What stays out of the context; all of it once the build is to stop.
std::function<bool(std::string_view)> exclusion(
  const messages::service_plan& plan,
  std::shared_ptr<const stop_switch> stop) {
  return [filter = domain::context_filter(plan), stop = std::move(stop)](std::string_view path) {
    return stop->stopped || filter(path);
  };
}

/// The worker or its engine failed, not the project.
bool of_engine(const error& e) {
  return e.code == errc::unavailable || e.code == errc::disk_full;
}

/// The registry, or the way to it, refuses: the same answer the next time. No right, no space for the organization, a wrong address.
bool is_refusal(const error& e) {
  switch (e.code) {
    case errc::unauthorized:
    case errc::not_found:
    case errc::invalid_argument:
      return true;
    default:
      return false;
  }
}

/// podman finds layers by the images of its own steps only, and takes no reference with a digest.
bool takes_cache_from(builder_engine& engine) {
  const auto version = engine.version();
  return version && !version->podman;
}

void keep_last(std::string& text, const std::string& line) {
  text += line + "\n";
  if (text.size() > service_log_bytes_max) {
    const auto cut = text.find('\n', text.size() - service_log_bytes_max);
    text.erase(0, cut == std::string::npos ? 0 : cut + 1);
  }
}

}  // namespace

std::string cache_reference(const messages::run_build& order, const std::string& service) {
  constexpr std::size_t name_characters = 24;
  return builder_cache + std::to_string(order.fleet) + "/"
         + runtime::sha256_hex(service).substr(0, name_characters) + ":" + order.architecture;
}

runtime::registry_access access_of(const messages::run_build& order, std::string token) {
  runtime::registry_access a;
  a.registry_token = std::move(token);
  a.plain_http = order.plain_http;
  return a;
}

void service_builder_state::tell() {
  self->send(worker, service_moved{task->serial, progress, false});
}

void service_builder_state::say(std::string text, bool replace, bool error) {
  keep_last(progress.build_log, text);
  self->send(
    worker,
    service_said{task->serial, plan.name, {{plan.name, std::move(text), replace, error}}});
}

void service_builder_state::over(std::string status, std::string error, bool may_retry) {
  progress.status = std::move(status);
  progress.error = std::move(error);
  progress.ended = parts->now_ms();
  self->send(worker, service_moved{task->serial, progress, may_retry});
  self->quit();
}

void service_builder_state::fail(const error& e, bool retry) {
  if (stop->stopped) {
    over("cancelled", "", false);
    return;
  }
  say(e.detail, false, true);
  over("failed", e.detail, retry);
}

/// Progress of a transfer as lines that rewrite each other.
runtime::progress_sink service_builder_state::meter(std::string what) {
  metered_ = false;
  return [this, what = std::move(what), m = std::make_shared<domain::transfer_meter>()](
           const runtime::transfer_progress& p) {
    const bool news = m->take(p.id, p.status, p.current_bytes, p.total_bytes);
    const auto now = parts->steady_ms();
    if (news && now - metered_at_ >= progress_every_ms) {
      metered_at_ = now;
      say(what + ": " + m->text(), std::exchange(metered_, true));
    }
    return !stop->stopped;
  };
}

void service_builder_state::start() {
  progress.name = plan.name;
  progress.status = "building";
  progress.started = parts->now_ms();
  tell();
  const bool cold = plan.image.empty() && !task->order.no_cache && !place.previous.empty()
                    && !stop->engine->inspect_image(cache_reference(task->order, plan.name));
  if (cold && takes_cache_from(*stop->engine)) {
    ask_token(awaits::pull_token);
  } else {
    produce();
  }
}

void service_builder_state::ask_token(awaits what) {
  if (stop->stopped) {
    over("cancelled", "", false);
    return;
  }
  awaiting_ = what;
  self->send(worker, token_wanted{task->serial, plan.name});
}

void service_builder_state::token(const std::string& text) {
  switch (std::exchange(awaiting_, awaits::nothing)) {
    case awaits::pull_token:
      pull_previous(text);
      produce();
      break;
    case awaits::push_token:
      push(text);
      break;
    case awaits::nothing:
      break;  // asked for twice, since a connection broke
  }
}

void service_builder_state::halt() {
  if (awaiting_ != awaits::nothing || attempts_ > 0) {
    over("cancelled", "", false);
  }
}

/// Only makes the build faster: without it all is built.
void service_builder_state::pull_previous(const std::string& token) {
  say("Fetching the image before, for its layers", false);
  const auto pulled =
    stop->engine->pull(place.previous, access_of(task->order, token), meter("Fetching"));
  previous_here = pulled.has_value();
  if (!pulled && !stop->stopped) {
    say("The image before cannot be used: " + pulled.error().detail, false);
  }
}

void service_builder_state::produce() {
  const auto image = stop->stopped
                       ? result<runtime::engine_image>(messages::fail(errc::io_failed, "cancelled"))
                     : plan.image.empty() ? build_image()
                                          : pull_image();
  if (!image) {
    fail(image.error(), of_engine(image.error()));
    return;  // the image before is in the list of names that the job removes
  }
  progress.status = "built";
  progress.image_bytes = image->size_bytes;
  tell();
  auto& engine = *stop->engine;
  auto tagged = engine.tag(image->id, place.location, "latest");
  if (tagged && plan.image.empty()) {
    const auto cache = cache_reference(task->order, plan.name);
    const auto colon = cache.rfind(':');
    tagged = engine.tag(image->id, cache.substr(0, colon), cache.substr(colon + 1));
  }
  if (!tagged) {
    fail(messages::with_context("tag", tagged.error()), true);
    return;
  }
  if (previous_here) {
    // Not earlier: a build that changed nothing is that very image.
    (void)stop->engine->remove_image(place.previous);
  }
  progress.status = "pushing";
  tell();
  ask_token(awaits::push_token);
}

result<runtime::engine_image> service_builder_state::pull_image() {
  say("Pulling " + plan.image, false);
  const auto secrets = runtime::accesses_of(task->order.plan.registries);
  return stop->engine->pull(plan.image, runtime::access_for(secrets, plan.image), meter("Pulling"));
}

result<secret_folder> service_builder_state::give_secrets(
  const storage::source_tree& tree,
  const secret_build& build) {
  const auto secrets = secrets_of(task->order.plan.secrets, plan.name);
  if (secrets.empty()) {
    return secret_folder{};
  }
  const auto engine = stop->engine->version();
  if (!engine) {
    return tl::unexpected(engine.error());
  }
  return show_secrets(secrets, *engine, tree, parts->secrets_prefix, build);
}

result<runtime::engine_image> service_builder_state::build_image() {
  auto tree = parts->open_source(task->source_file);
  if (!tree) {
    return tl::unexpected(messages::with_context("source", tree.error()));
  }
  const auto& order = task->order;
  runtime::build_request r;
  r.dockerfile = plan.dockerfile;
  r.target = plan.target;
  r.platform = platform_of(order.architecture, parts->native_arch);
  r.network_mode = task->network.name;
  r.no_cache = order.no_cache;
  r.memory_bytes_max = order.limits.memory_bytes_max;
  r.registries = runtime::accesses_of(order.plan.registries);
  if (previous_here) {
    r.cache_from = {place.previous};
  }
  for (const auto& a : plan.args) {
    r.build_args[a.name] = a.value;
  }
  for (const auto& l : plan.labels) {
    r.labels[l.name] = l.value;
  }
  storage::source_tree::context c{plan.context, exclusion(plan, stop), {}};
  auto dockerfile = plan.dockerfile_text;
  const auto shown = give_secrets(**tree, {r, dockerfile, c});
  if (!shown) {
    return tl::unexpected(shown.error());
  }
  if (!dockerfile.empty()) {
    c.replaced.emplace_back(plan.dockerfile, std::move(dockerfile));
  }
  const auto source = [inner = (*tree)->stream(std::move(c)),
                       stop = stop](char* buffer, std::size_t size) -> std::ptrdiff_t {
    return stop->stopped ? -1 : inner(buffer, size);
  };
  domain::cache_watch cached;
  std::vector<messages::output_line> batch;
  domain::output_lines lines([&](std::string line, bool replace) {
    cached.line(line);
    keep_last(progress.build_log, line);
    batch.push_back({plan.name, std::move(line), replace, false});
  });
  const auto output = [&](std::string_view text) {
    lines.feed(domain::without_paint(text));
    if (!batch.empty()) {
      metered_ = false;
      self->send(worker, service_said{task->serial, plan.name, std::exchange(batch, {})});
    }
    return !stop->stopped;
  };
  auto image = stop->engine->build(r, source, output, meter("Pulling base image"));
  lines.finish();
  if (!batch.empty()) {
    self->send(worker, service_said{task->serial, plan.name, std::move(batch)});
  }
  progress.cached = cached.all_cached();
  return image;
}

void service_builder_state::push(const std::string& token) {
  if (token.empty()) {
    fail({errc::unauthorized, "the server gave no right to push the image"}, false);
    return;
  }
  ++attempts_;
  auto digest = stop->engine->push(
    place.location + ":latest",
    access_of(task->order, token),
    meter("Pushing to the registry"));
  if (digest && digest->empty()) {
    digest = messages::fail(errc::corrupt, "the engine does not tell what it pushed");
  }
  if (digest) {
    pushed(*digest);
  } else if (is_refusal(digest.error())) {
    fail(digest.error(), false);
  } else if (stop->stopped || attempts_ >= push_attempts_max) {
    fail(digest.error(), true);
  } else {
    log::warn(
      "a push failed and is tried again",
      {{"build", std::to_string(task->order.build)},
       {"service", plan.name},
       {"why", digest.error().detail}});
    self->delayed_send(self, push_pause * (1 << (attempts_ - 1)), again_atom::value);
  }
}

void service_builder_state::again() {
  ask_token(awaits::push_token);
}

void service_builder_state::pushed(const std::string& digest) {
  progress.content_hash = digest;
  (void)stop->engine->remove_image(place.location + ":latest");  // a name only; the job looks again
  over("success", "", false);
}

service_builder_actor::behavior_type service_builder(
  service_builder_actor::stateful_pointer<service_builder_state> self,
  build_worker_actor worker,
  std::shared_ptr<const builder_parts> parts,
  std::shared_ptr<const build_task> task,
  std::size_t index,
  std::shared_ptr<stop_switch> stop) {
  auto& s = self->state;
  s.self = self;
  s.worker = std::move(worker);
  s.parts = std::move(parts);
  s.plan = task->order.plan.services.at(index);
  const auto& places = task->order.images;
  const auto place = std::find_if(places.begin(), places.end(), [&](const auto& p) {
    return p.service == s.plan.name;
  });
  s.place = place == places.end() ? messages::image_place{} : *place;
  s.task = std::move(task);
  s.stop = std::move(stop);
  self->send(self, begin_atom::value);
  return {
    [self](begin_atom) { self->state.start(); },
    [self](const token_arrived& t) { self->state.token(t.token); },
    [self](halt_atom) { self->state.halt(); },
    [self](again_atom) { self->state.again(); },
  };
}

}  // namespace slipway::actors
