#include "actors/build_job.hpp"

#include "actors/service_builder.hpp"
#include "runtime/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

namespace slipway::actors {

using messages::errc;
using messages::error;
using messages::fail;
using messages::result;
namespace log = runtime::log;

namespace {

/// One line per reference; kept until the references are gone.
std::string names_file(const std::string& work_dir, std::int64_t build, std::int64_t attempt) {
  return work_dir + "/names-" + std::to_string(build) + "-" + std::to_string(attempt);
}

bool write_all(int file, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    offset += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool is_cache(const std::string& reference) {
  return reference.starts_with(builder_cache);
}

}  // namespace

void clear_names(builder_engine& engine, const std::string& work_dir) {
  std::error_code ignored;  // no folder, no names
  std::vector<std::filesystem::path> files;
  for (const auto& f : std::filesystem::directory_iterator(work_dir, ignored)) {
    if (f.path().filename().string().starts_with("names-")) {
      files.push_back(f.path());
    }
  }
  for (const auto& f : files) {
    std::ifstream in(f);
    for (std::string reference; std::getline(in, reference);) {
      (void)engine.remove_image(reference);  // mostly gone already
    }
    std::filesystem::remove(f, ignored);
  }
}

void trim_cache(builder_engine& engine, std::size_t count) {
  const auto all = engine.images();
  if (!all) {
    return;  // the next build trims
  }
  std::vector<std::pair<std::int64_t, std::string>> ours;
  for (const auto& i : *all) {
    for (const auto& tag : i.repo_tags) {
      if (is_cache(tag)) {
        ours.emplace_back(i.created, tag);
      }
    }
  }
  if (ours.size() <= count) {
    return;
  }
  std::sort(ours.begin(), ours.end());
  ours.resize(ours.size() - count);
  for (const auto& [created, tag] : ours) {
    (void)engine.remove_image(tag);
  }
}

build_job_state::~build_job_state() {
  if (file_ >= 0) {
    ::close(file_);
  }
}

void build_job_state::failed(const error& e, bool may_retry) {
  self->send(worker, job_ready{task->serial, e.detail, may_retry});
}

void build_job_state::start() {
  const auto& order = task->order;
  for (const auto& s : order.plan.services) {
    const bool placed = std::any_of(order.images.begin(), order.images.end(), [&](const auto& i) {
      return i.service == s.name && !i.location.empty();
    });
    if (!placed) {
      failed({errc::internal, "the server named no place for the image of " + s.name}, false);
      return;
    }
  }
  file_ = ::open(task->source_file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (file_ < 0) {
    failed({errc::io_failed, task->source_file + ": " + std::strerror(errno)}, true);
    return;
  }
  ask_more();
  if (missing_.empty()) {
    failed({errc::invalid_argument, "there is no source"}, false);
  }
  silence_ = false;
  self->delayed_send(self, std::chrono::milliseconds(ask_again_ms), tick_atom::value);
}

void build_job_state::ask_more() {
  while (missing_.size() < messages::source_parts_in_flight_max
         && asked_ < task->order.source_bytes) {
    const auto bytes =
      std::min<std::uint64_t>(messages::source_part_bytes_max, task->order.source_bytes - asked_);
    missing_[asked_] = bytes;
    self->send(worker, source_wanted{task->serial, asked_});
    asked_ += bytes;
  }
}

/// A part may be lost: where nothing came for a while the rest is asked for again.
void build_job_state::tick() {
  if (closing_ || missing_.empty()) {
    return;
  }
  self->delayed_send(self, std::chrono::milliseconds(ask_again_ms), tick_atom::value);
  if (std::exchange(silence_, true)) {
    up();
  }
}

void build_job_state::up() {
  for (const auto& [offset, bytes] : missing_) {
    self->send(worker, source_wanted{task->serial, offset});
  }
}

void build_job_state::part(const messages::source_part& p) {
  const auto wanted = missing_.find(p.offset);
  if (closing_ || wanted == missing_.end()) {
    return;  // came twice, since a connection broke
  }
  silence_ = false;
  const auto bytes = wanted->second;
  if (p.bytes.empty() || p.bytes.size() > bytes) {
    missing_.clear();
    failed({errc::not_found, "the server does not have the source any more"}, false);
    return;
  }
  missing_.erase(wanted);
  if (!write_all(file_, p.offset, {p.bytes.data(), p.bytes.size()})) {
    const auto full = errno == ENOSPC;
    missing_.clear();
    failed(
      {full ? errc::disk_full : errc::io_failed, task->source_file + ": " + std::strerror(errno)},
      true);
    return;
  }
  if (p.bytes.size() < bytes) {
    const auto next = p.offset + p.bytes.size();
    missing_[next] = bytes - p.bytes.size();
    self->send(worker, source_wanted{task->serial, next});
  }
  ask_more();
  if (missing_.empty()) {
    prepare();
  }
}

void build_job_state::prepare() {
  if (stop->stopped) {
    return;
  }
  if (auto opened = parts->open_source(task->source_file); !opened) {
    failed(messages::with_context("source", opened.error()), false);
    return;
  }
  if (const auto done = make_ready(); done) {
    ready();
  } else if (done.error().code == errc::unavailable && ++tries_ < engine_tries_max) {
    self->delayed_send(self, engine_pause, again_atom::value);
  } else {
    failed(done.error(), true);
  }
}

void build_job_state::again() {
  if (closing_) {
    clear_up();
  } else {
    prepare();
  }
}

result<void> build_job_state::make_ready() {
  auto& engine = *stop->engine;
  const auto& order = task->order;
  if (auto there = engine.version(); !there) {
    return tl::unexpected(there.error());
  }
  if (!order.registry_ca.empty() && !order.plain_http) {
    const auto& location = order.images.front().location;
    const auto host = location.substr(0, location.find('/'));
    if (auto trusted = parts->trust(host, order.registry_ca); !trusted) {
      return tl::unexpected(messages::with_context("trust in the registry", trusted.error()));
    }
  }
  for (const auto& s : order.plan.services) {
    const auto cache = cache_reference(order, s.name);
    if (const auto image = engine.inspect_image(cache)) {
      caches_[cache] = image->id;
    }
  }
  note_names();
  if (!parts->networks) {
    return {};
  }
  if (auto guarded = parts->guard_networks(); !guarded) {
    return tl::unexpected(messages::with_context("network policy", guarded.error()));
  }
  if (auto made = parts->networks->make(engine, task->network); !made) {
    return tl::unexpected(messages::with_context("network of the build", made.error()));
  }
  return {};
}

/// Before any of them is given to an image.
void build_job_state::note_names() {
  std::ofstream out(names_file(parts->work_dir, task->order.build, task->order.attempt));
  for (const auto& i : task->order.images) {
    out << i.location << ":latest\n" << i.previous << (i.previous.empty() ? "" : "\n");
  }
}

void build_job_state::ready() {
  self->send(worker, job_ready{task->serial, "", false});
}

void build_job_state::close(bool alone) {
  closing_ = true;
  alone_ = alone;
  missing_.clear();
  if (file_ >= 0) {
    ::close(file_);
    file_ = -1;
    ::unlink(task->source_file.c_str());
  }
  tries_ = 0;
  clear_up();
}

void build_job_state::clear_up() {
  auto& engine = *stop->engine;
  auto cleared = result<void>{};
  if (parts->networks) {
    cleared = build_networks::remove(engine, task->network);
  }
  if (!cleared && ++tries_ < engine_tries_max) {
    self->delayed_send(self, engine_pause, again_atom::value);
    return;
  }
  if (cleared) {
    for (const auto& i : task->order.images) {
      // There only when the service did not come so far.
      (void)engine.remove_image(i.location + ":latest");
      if (!i.previous.empty()) {
        (void)engine.remove_image(i.previous);
      }
    }
    ::unlink(names_file(parts->work_dir, task->order.build, task->order.attempt).c_str());
    if (alone_) {
      remove_old_caches();
    }
  } else {
    log::warn(
      "a build's network stays until the worker starts again",
      {{"network", task->network.name}, {"why", cleared.error().detail}});
  }
  self->send(worker, job_closed{task->serial});
  if (parts->networks && cleared) {
    parts->networks->make_ahead(engine);
  }
  self->quit();
}

/// What the new images have not taken over of the old ones is no cache any more.
void build_job_state::remove_old_caches() {
  for (const auto& [cache, old] : caches_) {
    const auto now = stop->engine->inspect_image(cache);
    if (now && now->id != old) {
      (void)stop->engine->remove_image(old);  // refused when something else uses it
    }
  }
  trim_cache(*stop->engine, builder_cache_images_max);
}

build_job_actor::behavior_type build_job(
  build_job_actor::stateful_pointer<build_job_state> self,
  build_worker_actor worker,
  std::shared_ptr<const builder_parts> parts,
  std::shared_ptr<const build_task> task,
  std::shared_ptr<stop_switch> stop) {
  auto& s = self->state;
  s.self = self;
  s.worker = std::move(worker);
  s.parts = std::move(parts);
  s.task = std::move(task);
  s.stop = std::move(stop);
  self->send(self, begin_atom::value);
  return {
    [self](begin_atom) { self->state.start(); },
    [self](const part_arrived& p) { self->state.part(p.part); },
    [self](up_atom) { self->state.up(); },
    [self](close_atom, bool alone) { self->state.close(alone); },
    [self](again_atom) { self->state.again(); },
    [self](tick_atom) { self->state.tick(); },
  };
}

}  // namespace slipway::actors
