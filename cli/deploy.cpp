#include "cli/deploy.hpp"

#include "cli/image_maker.hpp"
#include "cli/lookup.hpp"
#include "cli/terminal.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <atomic>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

constexpr std::size_t log_lines_shown_on_failure = 20;

std::string engine_endpoint(const context& c, const deploy_args& args) {
  if (!args.engine.empty()) {
    return args.engine;
  }
  return c.env.docker_host.empty() ? "unix:///var/run/docker.sock" : c.env.docker_host;
}

std::string last_lines(const std::string& text, std::size_t lines) {
  auto from = text.size();
  while (from > 0 && lines > 0) {
    const auto newline = text.rfind('\n', from - 1);
    from = newline == std::string::npos ? 0 : newline;
    lines -= 1;
  }
  return text.substr(from);
}

class deployment {
public:
  deployment(context& c, const deploy_args& args)
    : c_(c), args_(args), engine_(engine_endpoint(c, args)) {}

  messages::result<void> run() {
    auto done = prepare();
    if (!done) {
      return done;
    }
    // The release exists from here to the end of `run` unless the builds fail.
    const interrupt_guard guard([this] {
      interrupted_ = true;
      engine_.cancel();
    });
    std::vector<std::string> names;
    for (const auto& job : jobs_) {
      names.push_back(job.service.name);
    }
    progress_board board(
      c_.out.error_stream(),
      c_.out.how().error_is_terminal,
      c_.out.how().width,
      names);
    image_maker maker(engine_, board, interrupted_, {c_.env.temp_folder, args_.no_cache});
    done = build_all(maker).and_then([this] { return create_release(); }).and_then([&] {
      return push_all(maker, board);
    });
    board.finish();
    if (!failed_log_.empty()) {
      c_.out.note(failed_log_);
    }
    if (interrupted_) {
      c_.interrupted = true;
      done = fail(errc::io_failed, "interrupted");
    }
    return close_release(std::move(done));
  }

private:
  // What is deployed, and where to.

  messages::result<void> prepare() {
    auto project = read_project(args_.path);
    if (!project) {
      return tl::unexpected(project.error());
    }
    project_ = std::move(*project);
    for (const auto& w : project_.plan.warnings) {
      c_.out.warn(w);
    }
    auto me = who_am_i(c_.server);
    if (!me) {
      return tl::unexpected(me.error());
    }
    user_ = int_of(*me, "actorTypeId");
    auto fleet = find_fleet(
      c_.server,
      args_.fleet,
      "id,app_name,slug",
      "application_type($select=slug,supports_multicontainer),"
      "is_for__device_type($select=slug;$expand=is_of__cpu_architecture($select=slug)),"
      "build_environment_variable($select=name,value)");
    if (!fleet) {
      return tl::unexpected(fleet.error());
    }
    fleet_ = int_of(*fleet, "id");
    slug_ = text_of(*fleet, "slug");
    if (auto planned = plan_for(project_, target_of(*fleet)); !planned) {
      return planned;
    }
    for (const auto& service : project_.plan.services) {
      jobs_.emplace_back().service = service;
    }
    if (auto engine = engine_.ping(); !engine) {
      return fail(
        errc::unavailable,
        "no container engine at " + engine_endpoint(c_, args_) + ": " + engine.error().detail
          + "; start one, or name its socket with --engine or DOCKER_HOST");
    }
    return {};
  }

  [[nodiscard]] domain::project_target target_of(const json& fleet) const {
    domain::project_target target;
    const auto device = expanded(fleet, "is_for__device_type");
    target.device_type = text_of(device, "slug");
    target.architecture = text_of(expanded(device, "is_of__cpu_architecture"), "slug");
    target.fleet = text_of(fleet, "app_name");
    target.release = commit_;
    const auto type = expanded(fleet, "application_type");
    target.multicontainer =
      !type.contains("supports_multicontainer") || bool_of(type, "supports_multicontainer");
    if (const auto all = fleet.find("build_environment_variable");
        all != fleet.end() && all->is_array()) {
      for (const auto& row : *all) {
        target.variables.push_back({text_of(row, "name"), text_of(row, "value")});
      }
    }
    return target;
  }

  messages::result<void> build_all(image_maker& maker) {
    for (auto& job : jobs_) {
      if (auto made = maker.make(project_, job); !made) {
        if (!interrupted_ && c_.out.how().error_is_terminal && !job.build_log.empty()) {
          failed_log_ = last_lines(job.build_log, log_lines_shown_on_failure);
        }
        return tl::unexpected(messages::with_context("service " + job.service.name, made.error()));
      }
    }
    return {};
  }

  // Rows on the server.

  messages::result<void> create_release() {
    const auto& plan = project_.plan;
    json body{
      {"belongs_to__application", fleet_},
      {"is_created_by__user", user_},
      {"composition", json::parse(plan.composition)},
      {"commit", commit_},
      {"status", "running"},
      {"source", "local"},
      {"start_timestamp", jobs_.front().started_ms},
      {"is_final", !args_.draft}};
    if (!plan.contract.empty()) {
      body["contract"] = json::parse(plan.contract);
    }
    if (!plan.semver.empty()) {
      body["semver"] = plan.semver;
    }
    const auto release = c_.server.post("/v7/release", body);
    if (!release) {
      return tl::unexpected(messages::with_context("create the release", release.error()));
    }
    release_ = int_of(*release, "id");
    for (auto& job : jobs_) {
      if (auto created = create_image(job); !created) {
        return tl::unexpected(
          messages::with_context("service " + job.service.name, created.error()));
      }
    }
    return {};
  }

  messages::result<void> create_image(service_job& job) {
    const auto service = get_or_create_service(job.service.name);
    if (!service) {
      return tl::unexpected(service.error());
    }
    json body{
      {"is_a_build_of__service", *service},
      {"status", "running"},
      {"start_timestamp", job.started_ms}};
    if (!job.service.contract.empty()) {
      body["contract"] = json::parse(job.service.contract);
    }
    const auto image = c_.server.post("/v7/image", body);
    if (!image) {
      return tl::unexpected(image.error());
    }
    job.image = int_of(*image, "id");
    job.location = text_of(*image, "is_stored_at__image_location");
    if (job.location.find('/') == std::string::npos) {
      return fail(errc::corrupt, "the server gave no image location");
    }
    const auto link = c_.server.post(
      "/v7/image__is_part_of__release",
      {{"is_part_of__release", release_}, {"image", job.image}});
    if (!link) {
      return tl::unexpected(link.error());
    }
    for (const auto& l : job.service.labels) {
      const auto label = c_.server.post(
        "/v7/image_label",
        {{"release_image", int_of(*link, "id")}, {"label_name", l.name}, {"value", l.value}});
      if (!label) {
        return tl::unexpected(messages::with_context("label " + l.name, label.error()));
      }
    }
    return {};
  }

  messages::result<std::int64_t> get_or_create_service(const std::string& name) {
    const odata_query known{
      "service(application=" + std::to_string(fleet_) + ",service_name=" + odata_text(name) + ")",
      "",
      "id",
      "",
      "",
      0};
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto rows = c_.server.query(known);
      if (!rows) {
        return tl::unexpected(rows.error());
      }
      if (!rows->empty()) {
        return int_of(rows->front(), "id");
      }
      const auto created =
        c_.server.post("/v7/service", {{"application", fleet_}, {"service_name", name}});
      if (created) {
        return int_of(*created, "id");
      }
      if (created.error().code != errc::unique_violated) {
        return tl::unexpected(created.error());
      }
      // Somebody else made it between the two requests: look again.
    }
    return fail(errc::conflict, "the service can be neither found nor created");
  }

  // Registry.

  messages::result<void> push_all(image_maker& maker, progress_board& board) {
    for (auto& job : jobs_) {
      auto done = push(maker, job);
      if (!done) {
        return tl::unexpected(messages::with_context("service " + job.service.name, done.error()));
      }
      job.finished = true;
      board.update({job.service.name, phase::done, 0, 0, {}});
    }
    return {};
  }

  messages::result<void> push(image_maker& maker, service_job& job) {
    const auto slash = job.location.find('/');
    const auto registry = job.location.substr(0, slash);
    const auto token = c_.server.get(
      "/auth/v1/token?service=" + percent_encode(registry) + "&scope%5B0%5D="
      + percent_encode("repository:" + job.location.substr(slash + 1) + ":pull,push"));
    if (!token) {
      return tl::unexpected(messages::with_context("registry token", token.error()));
    }
    runtime::registry_access access;
    access.server_address = registry;
    access.registry_token = text_of(*token, "token");
    access.plain_http = c_.server.server().starts_with("http://");
    if (auto pushed = maker.push(job, access); !pushed) {
      return pushed;
    }
    if (job.digest.empty()) {  // podman does not tell
      auto digest =
        c_.server.manifest_digest(registry, job.location.substr(slash + 1), access.registry_token);
      if (!digest) {
        return tl::unexpected(digest.error());
      }
      job.digest = std::move(*digest);
    }
    return finish_image(job, "success", "");
  }

  messages::result<void>
  finish_image(const service_job& job, const std::string& status, const std::string& error) {
    const auto now = runtime::now_ms();
    json body{
      {"status", status},
      {"end_timestamp", std::max(job.ended_ms, job.started_ms)},
      {"project_type", job.service.project_type}};
    if (!job.build_log.empty()) {
      body["build_log"] = job.build_log;
    }
    if (!job.service.dockerfile_text.empty()) {
      body["dockerfile"] = job.service.dockerfile_text;
    }
    if (!error.empty()) {
      body["error_message"] = error;
    }
    if (status == "success") {
      body["push_timestamp"] = now;
      body["image_size"] = std::to_string(job.size_bytes);
      body["content_hash"] = job.digest;
    }
    return c_.server.patch("/v7/image(" + std::to_string(job.image) + ")", body);
  }

  // The end, good or bad.

  messages::result<void> close_release(messages::result<void> done) {
    if (release_ == 0) {
      return done;  // nothing on the server to close
    }
    const auto path = "/v7/release(" + std::to_string(release_) + ")";
    if (!done) {
      const std::string status = interrupted_ ? "cancelled" : "failed";
      for (const auto& job : jobs_) {
        if (job.image != 0 && !job.finished) {
          // Best effort: the first failure is the one to report.
          static_cast<void>(finish_image(job, status, done.error().detail));
        }
      }
      auto closed = c_.server.patch(
        path + "?$filter=" + percent_encode("status ne 'success'"),
        {{"status", status}, {"end_timestamp", runtime::now_ms()}});
      if (!closed) {
        c_.out.warn("the release stays \"running\": " + closed.error().detail);
      }
      return done;
    }
    if (!args_.note.empty()) {
      if (auto noted = c_.server.patch(path, {{"note", args_.note}}); !noted) {
        c_.out.warn("the note was not saved: " + noted.error().detail);
      }
    }
    auto closed =
      c_.server.patch(path, {{"status", "success"}, {"end_timestamp", runtime::now_ms()}});
    if (!closed) {
      return tl::unexpected(messages::with_context("finish the release", closed.error()));
    }
    report();
    return {};
  }

  void report() {
    if (c_.out.json()) {
      auto services = json::array();
      for (const auto& job : jobs_) {
        services.push_back(
          {{"name", job.service.name},
           {"image", job.location + "@" + job.digest},
           {"size", job.size_bytes}});
      }
      c_.out.print(
        {{"id", release_},
         {"commit", commit_},
         {"fleet", slug_},
         {"is_final", !args_.draft},
         {"services", std::move(services)}});
      return;
    }
    c_.out.line(
      c_.out.paint(colour::green, "released") + " " + commit_ + " to " + printable(slug_)
      + (args_.draft ? " as a draft" : ""));
  }

  context& c_;
  const deploy_args& args_;
  runtime::container_engine engine_;
  std::atomic<bool> interrupted_{false};
  project project_;
  std::int64_t user_ = 0;
  std::int64_t fleet_ = 0;
  std::string slug_;
  std::vector<service_job> jobs_;
  std::string failed_log_;  ///< end of a failed build, for a terminal that showed bars only
  std::string commit_ = runtime::random_hex(32);
  std::int64_t release_ = 0;
};

}  // namespace

messages::result<void> deploy(context& c, const deploy_args& args) {
  return deployment(c, args).run();
}

}  // namespace slipway::cli
