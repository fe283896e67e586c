#include "gateways/git/git_sessions.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/git/head.hpp"
#include "runtime/clock.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace slipway::gateways::git {

using domain::numbers::get;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::requester_kind;
using messages::result;

namespace {

constexpr auto fetch_time_max = std::chrono::hours(1);
constexpr auto push_time_max = std::chrono::hours(4);  // a build is part of it
constexpr auto packing_time_max = std::chrono::hours(1);
constexpr std::int64_t sweep_every_ms = 60'000;
constexpr std::size_t packs_max = 20;  // each push leaves one
constexpr std::size_t loose_refs_max = 1000;
constexpr int packing_nice = 15;
/// Beside a pack: what a client wants and has, or which refs are to move.
constexpr std::uint64_t talk_bytes_max = 64ULL << 20U;
/// With less, whoever pushes is told.
constexpr std::uint64_t room_low_bytes = 64ULL << 20U;

std::string mebibytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20U) + " MiB";
}

void log_end(const char* what, std::int64_t fleet, const git_end& end) {
  if (end.status != 0) {
    runtime::log::info(
      "git ended with an error",
      {{"program", what},
       {"fleet", std::to_string(fleet)},
       {"status", std::to_string(end.status)},
       {"complaint", end.complaint}});
  }
}

}  // namespace

struct git_sessions::tidings {
  std::mutex mutex;
  std::set<std::int64_t> pushed;  ///< fleets whose repositories are to be looked at
  bool packing = false;
};

git_sessions::git_sessions(
  std::shared_ptr<const services> s,
  repositories& repositories,
  git_processes& processes,
  push_tickets& tickets,
  git_options o)
  : s_(std::move(s)),
    repositories_(repositories),
    processes_(processes),
    tickets_(tickets),
    options_(std::move(o)),
    tidings_(std::make_shared<tidings>()) {}

bool git_sessions::may(const messages::requester& by, std::int64_t fleet) const {
  const auto view = s_->store.rows->view();
  const auto row = view->get(get().application.resource, fleet);
  return row
         && domain::access(*s_->model, by, *view)
              .may_do(domain::action::push_image, s_->model->at("application"), *row);
}

result<git_sessions::target> git_sessions::find(
  const std::string& slug,
  const messages::requester& by) const {
  const auto& a = get().application;
  const auto view = s_->store.rows->view();
  const std::array<messages::value, 1> key{slug};
  const auto id = view->first(a.resource, a.slug, key);
  const auto row = id ? view->get(a.resource, *id) : std::nullopt;
  const domain::access rights(*s_->model, by, *view);
  if (!row || !rights.may_see(s_->model->at("application"), *row)) {
    return fail(errc::not_found, "there is no fleet " + slug + ", or you have no access to it");
  }
  if (!may(by, *id)) {
    return fail(errc::forbidden, "the source of " + slug + " is for its developers");
  }
  return target{*id, release_refs(as_text(field(*row, a.release_branch)))};
}

/// Given on the command line, so that no file of a repository has a say and what is here holds for all of them at once.
std::vector<std::string> git_sessions::settings(std::uint64_t push_bytes_max) const {
  const std::array<std::string, 19> all{
    "core.hooksPath=" + repositories_.hooks(),
    "core.fsync=all",
    "core.bigFileThreshold=32m",
    "safe.directory=*",
    "gc.auto=0",
    "gc.pruneExpire=12.hours.ago",  // a push may take four
    "gc.cruftPacks=true",
    "pack.threads=1",
    "pack.windowMemory=256m",
    "receive.autogc=false",
    "receive.unpackLimit=1",
    "receive.maxInputSize=" + std::to_string(push_bytes_max),
    "receive.denyNonFastForwards=false",
    "receive.denyDeletes=false",
    "transfer.fsckObjects=true",
    // Harmless mistakes of old programs that are in the history of well-known projects.
    "receive.fsck.zeroPaddedFilemode=ignore",
    "receive.fsck.missingSpaceBeforeDate=ignore",
    "receive.fsck.badTimezone=ignore",
    "uploadpack.allowFilter=true"};
  std::vector<std::string> out;
  for (const auto& setting : all) {
    out.emplace_back("-c");
    out.push_back(setting);
  }
  return out;
}

result<git_sessions::session> git_sessions::start(session_request r) {
  auto by = r.who();
  if (!by) {
    return tl::unexpected(by.error());
  }
  if (by->kind == requester_kind::guest) {
    return fail(errc::unauthorized, "an API key or a session token is needed");
  }
  const auto f = find(r.slug, *by);
  if (!f) {
    return tl::unexpected(f.error());
  }
  if (auto ok = repositories_.prepare(f->id, f->release_refs); !ok) {
    return tl::unexpected(ok.error());
  }
  git_start what;
  if (!r.protocol.empty()) {
    what.environment.push_back("GIT_PROTOCOL=" + r.protocol);
  }
  what.hand_out_errors = r.hand_out_errors;
  what.owner = by->actor;
  if (r.what == service::receive_pack && !r.advertise_only) {
    return start_push(*f, r, std::move(*by), std::move(what));
  }
  what.time_max = fetch_time_max;
  what.arguments = settings(1);
  what.arguments.emplace_back(name(r.what));
  if (r.stateless) {
    what.arguments.emplace_back("--stateless-rpc");
  }
  if (r.advertise_only) {
    what.arguments.emplace_back("--http-backend-info-refs");
  }
  what.arguments.push_back(repositories_.path(f->id));
  what.ended = [fleet = f->id, program = name(r.what), told = std::move(r.ended)](const auto& end) {
    log_end(program, fleet, end);
    if (told) {
      told(end.status);
    }
  };
  auto process = processes_.start(std::move(what));
  if (!process) {
    return tl::unexpected(process.error());
  }
  return session{std::move(*process), "", talk_bytes_max};
}

result<git_sessions::session> git_sessions::start_push(
  const target& f,
  const session_request& r,
  messages::requester by,
  git_start what) {
  if (auto ok = options_.disk ? options_.disk() : result<void>{}; !ok) {
    return tl::unexpected(ok.error());
  }
  const auto used = repositories_.used(f.id).bytes;
  const auto limit = options_.repository_bytes_max;
  const auto room = limit - std::min(limit, used);
  std::string remark;
  if (room < std::min(room_low_bytes, options_.push_bytes_max)) {
    remark = "slipway: the repository takes " + mebibytes(used) + " of " + mebibytes(limit)
             + (room == 0 ? ": only deletions are taken" : "") + "\n";
  }
  push about;
  about.by = std::move(by);
  about.fleet = f.id;
  about.still_may = [this, who = r.who, fleet = f.id] {
    const auto now = who();
    return now && may(*now, fleet);
  };
  const auto ticket = tickets_.open(std::move(about));
  what.time_max = push_time_max;
  what.environment.push_back("SLIPWAY_HOOK_PROGRAM=" + options_.hook_program);
  what.environment.push_back("SLIPWAY_HOOK_URL=" + options_.hook_url);
  what.environment.push_back("SLIPWAY_HOOK_TICKET=" + ticket);
  what.environment.push_back("SLIPWAY_HOOK_API=" + s_->api_url);
  what.environment.push_back("SLIPWAY_HOOK_BYTES=" + std::to_string(limit));
  std::string refs;
  for (const auto& ref : f.release_refs) {
    refs += (refs.empty() ? "" : " ") + ref;
  }
  what.environment.push_back("SLIPWAY_HOOK_REFS=" + refs);
  // git takes 0 for "no limit".
  what.arguments = settings(std::max<std::uint64_t>(1, std::min(room, options_.push_bytes_max)));
  what.arguments.emplace_back(name(service::receive_pack));
  if (r.stateless) {
    what.arguments.emplace_back("--stateless-rpc");
  }
  what.arguments.push_back(repositories_.path(f.id));
  repositories_.writing_began(f.id);
  what.ended = [this, ticket, fleet = f.id, after = tidings_, told = r.ended](const git_end& end) {
    log_end("receive-pack", fleet, end);
    repositories_.writing_ended(fleet);
    {
      const std::lock_guard lock(after->mutex);
      after->pushed.insert(fleet);
    }
    for (const auto release : tickets_.close(ticket)) {
      if (options_.settle) {
        options_.settle(release);
      }
    }
    if (told) {
      told(end.status);
    }
  };
  auto process = processes_.start(std::move(what));
  if (!process) {
    repositories_.writing_ended(f.id);
    (void)tickets_.close(ticket);  // nothing was started with it
    return tl::unexpected(process.error());
  }
  return session{std::move(*process), std::move(remark), options_.push_bytes_max + talk_bytes_max};
}

void git_sessions::sweep() {
  const auto now = runtime::steady_ms();
  if (swept_at_ms_ != 0 && now - swept_at_ms_ < sweep_every_ms) {
    return;
  }
  swept_at_ms_ = now;
  const auto& a = get().application;
  // Listed first: a fleet that came since is not in this list, and all that are in it came before this view.
  const auto there = repositories_.list();
  const auto view = s_->store.rows->view();
  for (const auto fleet : there) {
    if (!view->get(a.resource, fleet)) {
      repositories_.remove(fleet);
    }
  }
  std::set<std::int64_t> pushed;
  {
    const std::lock_guard lock(tidings_->mutex);
    if (tidings_->packing) {
      return;
    }
    pushed.swap(tidings_->pushed);
  }
  for (auto it = pushed.begin(); it != pushed.end(); ++it) {
    const auto used = repositories_.used(*it);
    if (used.packs > packs_max || used.loose_refs > loose_refs_max) {
      pack_one(*it);
      const std::lock_guard lock(tidings_->mutex);
      tidings_->pushed.insert(std::next(it), pushed.end());
      return;
    }
  }
}

void git_sessions::pack_one(std::int64_t fleet) {
  git_start what;
  what.arguments = settings(1);
  what.arguments.insert(
    what.arguments.end(),
    {"--git-dir=" + repositories_.path(fleet), "gc", "--quiet"});
  what.time_max = packing_time_max;
  what.nice = packing_nice;
  repositories_.writing_began(fleet);
  what.ended = [this, fleet, after = tidings_](const git_end& end) {
    log_end("gc", fleet, end);
    repositories_.writing_ended(fleet);
    const std::lock_guard lock(after->mutex);
    after->packing = false;
  };
  {
    const std::lock_guard lock(tidings_->mutex);
    tidings_->packing = true;
  }
  auto process = processes_.start(std::move(what));
  if (!process) {
    repositories_.writing_ended(fleet);
  }
  const std::lock_guard lock(tidings_->mutex);
  tidings_->packing = tidings_->packing && process.has_value();
  if (process) {
    packer_ = std::move(*process);
  }
}

}  // namespace slipway::gateways::git
