#include "gateways/git/hook.hpp"

#include "gateways/git/build_answer.hpp"
#include "gateways/git/commit_tar.hpp"
#include "gateways/git/head.hpp"
#include "gateways/git/library.hpp"
#include "gateways/git/repository_usage.hpp"
#include "runtime/http_client.hpp"
#include "runtime/http_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

namespace slipway::gateways::git {

namespace {

constexpr std::size_t changes_max = 100'000;
constexpr std::size_t refs_max = 20'000;
constexpr std::size_t notes_max = 5;
constexpr std::size_t id_digits = 40;

bool is_id(std::string_view text) {
  return text.size() == id_digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::string short_name(std::string_view ref) {
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (ref.starts_with(prefix)) {
      return std::string(ref.substr(prefix.size()));
    }
  }
  return std::string(ref);
}

void say(const hook_context& c, const std::string& text) {
  c.print("slipway: " + text + "\n");
}

std::string head_of(const std::string& repository) {
  const auto opened = open_repository(repository);
  git_reference* head = nullptr;
  if (!opened || git_reference_lookup(&head, opened->get(), "HEAD") != 0) {
    return {};
  }
  const reference_handle owned(head);
  const char* target = git_reference_symbolic_target(head);
  return target != nullptr ? target : "";
}

/// The detail of an error answer, which is a JSON string.
std::string detail_of(const runtime::http_reply& reply) {
  const auto body = nlohmann::json::parse(reply.body, nullptr, false);
  const auto text = body.is_string() ? body.get<std::string>() : reply.body.substr(0, 500);
  return text.empty() ? "status " + std::to_string(reply.status) : text;
}

runtime::http_request request_to(const hook_context& c, const std::string& path) {
  runtime::http_request r;
  r.method = "POST";
  r.url = c.url + path;
  r.headers = {{"Authorization", "Bearer " + c.ticket}};
  r.timeout = std::chrono::milliseconds(0);  // the server ends what takes too long
  return r;
}

/// Sends the source and shows what becomes of it. Whether there is a release to move to.
bool build(const hook_context& c, const ref_change& change) {
  commit_tar::options o;
  o.repository = c.repository;
  o.quarantine = c.quarantine;
  o.commit = change.after;
  o.warn = [&c](const std::string& line) { say(c, "warning: " + line); };
  const auto source = commit_tar::open(std::move(o));
  if (!source) {
    say(c, source.error().detail);
    return false;
  }
  build_answer answer(c.print);
  auto r = request_to(
    c,
    "/build/v1/git?commit=" + (*source)->commit() + "&ref=" + runtime::percent_encode(change.ref));
  r.headers.emplace_back("Content-Type", "application/x-tar");
  r.body_source = [&](char* out, std::size_t n) { return (*source)->read(out, n); };
  r.body_sink = [&](std::string_view bytes) { return answer.feed(bytes); };
  runtime::http_client client({});
  const auto reply = client.send(r);
  if (const auto& failure = (*source)->failure()) {
    say(c, failure->detail);
    return false;
  }
  if (reply && (reply->status < 200 || reply->status >= 300)) {
    say(c, "it cannot be built: " + detail_of(*reply));
    return false;
  }
  if (!answer.ended()) {
    say(c, reply ? "the builder broke off" : "the builder broke off: " + reply.error().detail);
    return false;
  }
  if (!answer.succeeded()) {
    say(c, "the build failed: " + short_name(change.ref) + " stays as it was");
  }
  return answer.succeeded();
}

}  // namespace

bool ref_change::removes() const {
  return after.find_first_not_of('0') == std::string::npos;
}

std::optional<std::vector<ref_change>> parse_changes(std::string_view text) {
  std::vector<ref_change> out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ref_change change;
    change.before = line.substr(0, id_digits);
    if (line.size() < 2 * id_digits + 3 || line[id_digits] != ' ') {
      return std::nullopt;
    }
    change.after = line.substr(id_digits + 1, id_digits);
    change.ref = line.substr(2 * id_digits + 2);
    const bool fits = line[2 * id_digits + 1] == ' ' && is_id(change.before) && is_id(change.after)
                      && out.size() < changes_max;
    if (!fits) {
      return std::nullopt;
    }
    out.push_back(std::move(change));
  }
  return out;
}

std::string full_by(
  const std::vector<ref_change>& changes,
  const std::string& repository,
  std::uint64_t bytes_max) {
  const auto all_remove =
    std::all_of(changes.begin(), changes.end(), [](const auto& c) { return c.removes(); });
  if (all_remove) {
    return {};
  }
  if (usage_of(repository).bytes > bytes_max) {
    return "the repository would take more than " + std::to_string(bytes_max >> 20U)
           + " MiB, with what is pushed to it at the moment";
  }
  const auto made =
    static_cast<std::size_t>(std::count_if(changes.begin(), changes.end(), [](const auto& c) {
      return c.before.find_first_not_of('0') == std::string::npos;
    }));
  const auto there = made > 0 ? count_refs(repository) : 0;
  if (!there) {
    return there.error().detail;
  }
  return *there + made > refs_max
           ? "a repository has no more than " + std::to_string(refs_max) + " refs"
           : "";
}

push_plan plan_push(
  const std::vector<ref_change>& changes,
  const std::vector<std::string>& release_refs,
  std::string_view head) {
  push_plan plan;
  std::size_t best = release_refs.size();
  for (const auto& change : changes) {
    if (change.removes()) {
      if (change.ref == head && contains(release_refs, change.ref)) {
        plan.refusal = short_name(change.ref) + " is the release branch and cannot be deleted";
      }
      continue;
    }
    const auto at = static_cast<std::size_t>(
      std::find(release_refs.begin(), release_refs.end(), change.ref) - release_refs.begin());
    if (at < best) {
      best = at;
      plan.build = change;
    }
  }
  for (const auto& change : changes) {
    const bool built = plan.build && plan.build->ref == change.ref;
    if (!built && !change.removes() && plan.notes.size() < notes_max) {
      plan.notes.push_back(
        short_name(change.ref) + " is kept and not built: " + short_name(release_refs.front())
        + " is the release branch");
    }
  }
  return plan;
}

int pre_receive(const hook_context& c) {
  const auto changes = parse_changes(c.changes);
  if (!changes) {
    say(c, "this push has too many refs");
    return 1;
  }
  const auto plan = plan_push(*changes, c.release_refs, head_of(c.repository));
  const auto full = full_by(*changes, c.repository, c.repository_bytes_max);
  if (const auto& why = plan.refusal.empty() ? full : plan.refusal; !why.empty()) {
    say(c, why);
    return 1;
  }
  for (const auto& note : plan.notes) {
    say(c, note);
  }
  return !plan.build || build(c, *plan.build) ? 0 : 1;
}

int post_receive(const hook_context& c) {
  // A clone of what was just pushed checks the right branch out. If it cannot be done now, the next request does it.
  (void)point_head(c.repository, c.release_refs);
  const auto changes = parse_changes(c.changes);
  const bool built = changes && std::any_of(changes->begin(), changes->end(), [&c](const auto& x) {
                       return !x.removes() && contains(c.release_refs, x.ref);
                     });
  if (!built) {
    return 0;
  }
  runtime::http_client client({});
  const auto reply = client.send(request_to(c, "/build/v1/git/settle"));
  if (!reply || reply->status != 200) {
    say(c, "the release is not known yet: " + (reply ? detail_of(*reply) : reply.error().detail));
    return 0;
  }
  const auto all = nlohmann::json::parse(reply->body, nullptr, false);
  for (const auto& one : all.is_array() ? all : nlohmann::json::array()) {
    if (one.is_object() && one.value("release", std::int64_t{0}) != 0) {
      const auto release = std::to_string(one["release"].get<std::int64_t>());
      say(c, "release " + release + " is " + one.value("status", std::string("unknown")));
      say(c, c.api + "/v7/release(" + release + ")");
    }
  }
  return 0;
}

}  // namespace slipway::gateways::git
