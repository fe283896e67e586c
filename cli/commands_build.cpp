#include "cli/commands_build.hpp"

#include "cli/lookup.hpp"
#include "cli/terminal.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

constexpr int listed_max = 50;
constexpr const char* build_select =
  "id,status,source,git_ref,worker,attempt,start_timestamp,end_timestamp,error_message,services";
constexpr const char* build_expand =
  "release($select=id,commit,raw_version;$expand=belongs_to__application($select=slug))";

/// Tries to follow on, between which a server may restart. Bytes that came begin the count anew.
constexpr int silent_tries_max = 10;
constexpr std::chrono::milliseconds retry_wait_max{5000};
constexpr std::size_t log_line_bytes_max = 1U << 20U;

json or_null(const std::string& text) {
  return text.empty() ? json() : json(text);
}

json summary(const json& row) {
  const auto release = expanded(row, "release");
  return {
    {"release", int_of(release, "id")},
    {"commit", text_of(release, "commit")},
    {"fleet", text_of(expanded(release, "belongs_to__application"), "slug")},
    {"status", text_of(row, "status")},
    {"source", text_of(row, "source")},
    {"ref", or_null(text_of(row, "git_ref"))},
    {"worker", or_null(text_of(row, "worker"))},
    {"attempt", int_of(row, "attempt")},
    {"started", or_null(text_of(row, "start_timestamp"))},
    {"ended", or_null(text_of(row, "end_timestamp"))},
    {"error", or_null(text_of(row, "error_message"))}};
}

json services_of(const json& row) {
  const auto services = row.find("services");
  auto all = json::array();
  for (const auto& s : services != row.end() && services->is_array() ? *services : all) {
    all.push_back(
      {{"name", text_of(s, "name")},
       {"status", text_of(s, "status")},
       {"size", int_of(s, "image_bytes")},
       {"started", int_of(s, "started")},
       {"ended", int_of(s, "ended")},
       {"cached", bool_of(s, "cached")},
       {"error", or_null(text_of(s, "error"))}});
  }
  return all;
}

std::string seconds_text(std::int64_t from_ms, std::int64_t to_ms) {
  if (from_ms <= 0) {
    return "";
  }
  const auto end = to_ms > 0 ? to_ms : runtime::now_ms();
  return std::to_string(std::max<std::int64_t>(0, (end - from_ms) / 1000)) + " s";
}

std::string took(const json& s) {
  return seconds_text(parse_time(text_of(s, "started")), parse_time(text_of(s, "ended")));
}

result<json> find_build(context& c, const std::string& release) {
  return find_release(c.server, release).and_then([&](const json& row) {
    return c.server.first(
      {"build",
       "release eq " + std::to_string(int_of(row, "id")),
       build_select,
       build_expand,
       "id desc",
       1},
      "a build of release " + printable(text_of(row, "commit")));
  });
}

bool is_over(const std::string& status) {
  return status == "released" || status == "failed" || status == "cancelled";
}

/// Lines of a build's log (docs/formats/build-log.md), and how far it was read.
class log_reader {
public:
  log_reader(context& c, std::uint64_t offset) : c_(c), offset_(offset) {}

  /// Any piece of the log. False when it is none.
  bool feed(std::string_view piece) {
    pending_ += piece;
    std::size_t from = 0;
    for (auto end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n', from)) {
      line(std::string_view(pending_).substr(from, end - from));
      from = end + 1;
    }
    pending_.erase(0, from);
    c_.out.flush();
    return pending_.size() < log_line_bytes_max;
  }

  /// A connection ended: half a line comes again.
  void reconnect() { pending_.clear(); }

  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] bool over() const { return over_; }

private:
  void line(std::string_view text) {
    if (text.empty()) {
      return;  // a sign of life that is not in the log
    }
    offset_ += text.size() + 1;
    const auto j = messages::parse_json(text);
    if (!j || !j->is_object()) {
      return;
    }
    over_ = over_ || j->contains("end");
    if (c_.out.json()) {
      c_.out.line(messages::dump_json(*j));
      return;
    }
    if (j->contains("text") && !bool_of(*j, "replace")) {
      const auto service = text_of(*j, "service");
      const auto shown = printable_output(text_of(*j, "text"), c_.out.how().colours);
      c_.out.line(
        (service.empty() ? "" : "[" + printable(service) + "] ")
        + c_.out.paint(bool_of(*j, "error") ? colour::red : colour::none, shown));
    }
  }

  context& c_;
  std::string pending_;
  std::uint64_t offset_;
  bool over_ = false;
};

bool may_follow_on(const messages::error& e) {
  return e.code == errc::unavailable || e.code == errc::io_failed || e.code == errc::timed_out;
}

result<void> read_log(
  context& c,
  log_reader& log,
  std::int64_t release,
  bool follow,
  const interrupt_guard& guard) {
  const auto path = "/build/v1/" + std::to_string(release)
                    + "/log?follow=" + (follow ? "true" : "false") + "&offset=";
  int silent_tries = 0;
  while (!guard.raised()) {
    const auto before = log.offset();
    auto ended = c.server.stream(path + std::to_string(before), [&](std::string_view piece) {
      return !guard.raised() && log.feed(piece);
    });
    log.reconnect();
    const bool done = log.over() || guard.raised() || !follow;
    if (done || (!ended && !may_follow_on(ended.error()))) {
      return log.over() ? result<void>{} : ended;
    }
    const bool only_quiet = !ended && ended.error().code == errc::timed_out;
    silent_tries = log.offset() == before && !only_quiet ? silent_tries + 1 : 0;
    if (silent_tries == silent_tries_max) {
      return ended ? fail(errc::unavailable, "the server ends the log before the build is over")
                   : ended;
    }
    std::this_thread::sleep_for(
      std::min(retry_wait_max, std::chrono::milliseconds(100 << std::min(silent_tries, 6))));
  }
  return {};
}

}  // namespace

result<void> build_list(context& c, const std::string& fleet) {
  odata_query q{"build", "", build_select, build_expand, "created_at desc", listed_max};
  if (!fleet.empty()) {
    const auto row = find_fleet(c.server, fleet, "id");
    if (!row) {
      return tl::unexpected(row.error());
    }
    q.filter =
      "release/any(r:r/belongs_to__application eq " + std::to_string(int_of(*row, "id")) + ")";
  }
  const auto rows = c.server.query(q);
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto s = summary(row);
    cells.push_back(
      {text_of(s, "release"),
       text_of(s, "commit").substr(0, 12),
       text_of(s, "fleet"),
       text_of(s, "source"),
       text_of(s, "status"),
       ago(parse_time(text_of(s, "started")), runtime::now_ms()),
       took(s)});
    all.push_back(s);
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no builds yet; `slipway push FLEET PATH` makes one");
  } else {
    c.out.table({"RELEASE", "COMMIT", "FLEET", "SOURCE", "STATUS", "STARTED", "TOOK"}, cells, 4);
  }
  return {};
}

result<void> build_show(context& c, const std::string& release) {
  const auto row = find_build(c, release);
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto s = summary(*row);
  s["services"] = services_of(*row);
  if (c.out.json()) {
    c.out.print(s);
    return {};
  }
  c.out.details(
    {{"release", text_of(s, "release")},
     {"commit", text_of(s, "commit")},
     {"fleet", text_of(s, "fleet")},
     {"status", text_of(s, "status")},
     {"source", text_of(s, "source")},
     {"ref", text_of(s, "ref")},
     {"worker", text_of(s, "worker")},
     {"attempt", text_of(s, "attempt")},
     {"started", ago(parse_time(text_of(s, "started")), runtime::now_ms())},
     {"took", took(s)},
     {"error", text_of(s, "error")}});
  std::vector<std::vector<std::string>> cells;
  for (const auto& service : s["services"]) {
    const auto size = int_of(service, "size");
    cells.push_back(
      {text_of(service, "name"),
       text_of(service, "status"),
       size > 0 ? bytes_text(size) : "",
       seconds_text(int_of(service, "started"), int_of(service, "ended")),
       bool_of(service, "cached") ? "from the cache" : text_of(service, "error")});
  }
  if (!cells.empty()) {
    c.out.line("");
    c.out.table({"SERVICE", "STATUS", "SIZE", "TOOK", ""}, cells, 1);
  }
  return {};
}

result<void> build_logs(context& c, const build_log_args& args) {
  const auto row = find_release(c.server, args.release);
  if (!row) {
    return tl::unexpected(row.error());
  }
  log_reader log(c, args.offset);
  const interrupt_guard guard([&c] { c.server.cancel(); });
  auto done = read_log(c, log, int_of(*row, "id"), args.follow, guard);
  if (guard.raised()) {
    c.interrupted = true;
    done = {};
  }
  if (args.follow && !log.over()) {
    c.out.note("`--offset " + std::to_string(log.offset()) + "` goes on from here");
  }
  return done;
}

result<void> build_cancel(context& c, const std::string& release) {
  const auto row = find_build(c, release);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto s = summary(*row);
  const auto status = text_of(s, "status");
  if (is_over(status)) {
    return fail(errc::conflict, "the build is over: " + printable(status));
  }
  const auto id = int_of(s, "release");
  if (auto cancelled = cancel_release(c.server, id); !cancelled) {
    return cancelled;
  }
  const auto now = c.server.first(
    {"release(" + std::to_string(id) + ")", "", "status", "", "", 0},
    "release " + std::to_string(id));
  if (!now) {
    return tl::unexpected(now.error());
  }
  if (text_of(*now, "status") != "cancelled") {
    return fail(errc::conflict, "the build ended meanwhile: " + printable(text_of(*now, "status")));
  }
  c.out.note("cancelled the build of release " + std::to_string(id));
  return {};
}

result<void> cancel_release(api& server, std::int64_t release) {
  return server.patch(
    "/v7/release(" + std::to_string(release) + ")?$filter=" + percent_encode("status ne 'success'"),
    {{"status", "cancelled"}, {"end_timestamp", runtime::now_ms()}});
}

}  // namespace slipway::cli
