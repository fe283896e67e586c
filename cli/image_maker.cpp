#include "cli/image_maker.hpp"

#include "cli/build_context.hpp"
#include "runtime/clock.hpp"
#include "runtime/registry_accesses.hpp"

#include <algorithm>
#include <cctype>
#include <memory>

namespace slipway::cli {

using messages::errc;

namespace {

constexpr int push_attempts_max = 3;
constexpr std::size_t build_log_bytes_max = 1'000'000;  // the model's limit is 1.5 MB
constexpr std::size_t partial_line_bytes_max = 64U * 1024U;

std::string image_name(const project& p, const service_job& job) {
  auto name = p.name + "_" + job.service.name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return name + ":latest";
}

}  // namespace

messages::result<void> image_maker::make(const project& p, service_job& job) {
  job.started_ms = runtime::now_ms();
  auto done = job.service.image.empty() ? build(p, job) : take_ready(p, job);
  job.ended_ms = runtime::now_ms();
  show(job, done ? phase::built : phase::failed);
  return done;
}

messages::result<void> image_maker::build(const project& p, service_job& job) {
  show(job, phase::building);
  const auto& how = job.service;
  auto tar = build_context::pack(p.folder, how, options_.temp_folder);
  if (!tar) {
    return tl::unexpected(tar.error());
  }
  job.local_image = image_name(p, job);

  runtime::build_request request;
  request.tags = {job.local_image};
  request.dockerfile = how.dockerfile;
  request.target = how.target;
  request.no_cache = options_.no_cache;
  request.registries = runtime::accesses_of(p.plan.registries);
  for (const auto& arg : how.args) {
    request.build_args[arg.name] = arg.value;
  }
  partial_line_.clear();
  step_ = 0;
  steps_ = 0;
  const auto image = engine_.build(
    request,
    [&tar](char* to, std::size_t size) { return tar->read(to, size); },
    [this, &job](std::string_view output) { return hear(job, output); });
  if (!image) {
    return tl::unexpected(messages::with_context("build", image.error()));
  }
  return measure(job);
}

bool image_maker::hear(service_job& job, std::string_view text) {
  if (job.build_log.size() + text.size() <= build_log_bytes_max) {
    job.build_log += text;
  }
  partial_line_ += text;
  if (
    partial_line_.size() > partial_line_bytes_max
    && partial_line_.find('\n') == std::string::npos) {
    partial_line_ += '\n';  // no line is that long: show what there is
  }
  for (auto end = partial_line_.find('\n'); end != std::string::npos;
       end = partial_line_.find('\n')) {
    auto line = partial_line_.substr(0, end);
    partial_line_.erase(0, end + 1);
    while (line.ends_with('\r')) {
      line.pop_back();
    }
    if (!line.empty()) {
      parse_build_step(line, step_, steps_);
      board_.output(job.service.name, line);
      board_.update({job.service.name, phase::building, step_, steps_, line});
    }
  }
  return !interrupted_;
}

messages::result<void> image_maker::take_ready(const project& p, service_job& job) {
  job.local_image = job.service.image;
  if (engine_.inspect_image(job.local_image)) {
    return measure(job);
  }
  show(job, phase::pulling);
  const auto access = runtime::access_for(runtime::accesses_of(p.plan.registries), job.local_image);
  const auto pulled = engine_.pull(job.local_image, access, layers_of(job, phase::pulling));
  if (!pulled) {
    return tl::unexpected(messages::with_context("pull " + job.local_image, pulled.error()));
  }
  return measure(job);
}

messages::result<void> image_maker::measure(service_job& job) {
  const auto image = engine_.inspect_image(job.local_image);
  if (!image) {
    return tl::unexpected(image.error());
  }
  job.size_bytes = image->size_bytes;
  return {};
}

messages::result<void> image_maker::push(service_job& job, const runtime::registry_access& access) {
  show(job, phase::pushing);
  if (auto tagged = engine_.tag_image(job.local_image, job.location, "latest"); !tagged) {
    return tl::unexpected(messages::with_context("tag", tagged.error()));
  }
  messages::result<std::string> pushed;
  for (int attempt = 1; attempt <= push_attempts_max; ++attempt) {
    pushed = engine_.push(job.location + ":latest", access, layers_of(job, phase::pushing));
    if (pushed || interrupted_ || pushed.error().code == errc::unauthorized) {
      break;
    }
  }
  // The extra name only served the push; a failure to remove it harms nothing.
  static_cast<void>(engine_.remove_image(job.location + ":latest"));
  if (!pushed) {
    show(job, phase::failed);
    auto why = pushed.error();
    if (why.detail.find("x509: ") != std::string::npos) {  // as every engine written in Go says it
      why.detail += "; `sudo slipway trust` makes the engine trust the server's root certificate";
    }
    return tl::unexpected(messages::with_context("push", std::move(why)));
  }
  job.digest = *pushed;
  return {};
}

runtime::progress_sink image_maker::layers_of(const service_job& job, phase at) {
  return [this, name = job.service.name, at, layers = std::make_shared<layer_sum>()](
           const runtime::transfer_progress& p) {
    layers->update(p.id, p.status, p.current_bytes, p.total_bytes);
    board_.update({name, at, layers->done(), layers->total(), p.status});
    return !interrupted_.load();
  };
}

void image_maker::show(const service_job& job, phase at) {
  board_.update({job.service.name, at, 0, 0, {}});
}

}  // namespace slipway::cli
