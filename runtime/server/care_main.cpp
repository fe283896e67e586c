#include "runtime/server/care_main.hpp"

#include "messages/json.hpp"
#include "runtime/server/admin_socket.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

constexpr int exit_failed = 1;
constexpr int exit_unusable = 2;
constexpr auto look_every = std::chrono::milliseconds{100};

struct asked {
  std::string data_dir;
  bool as_json = false;
  bool dry_run = false;
};

/// -1 = go on.
int parse(CLI::App& app, asked& a, const std::vector<std::string>& arguments) {
  app.add_option("--data-dir", a.data_dir, "folder of a running server's data")
    ->required()
    ->envname("SLIPWAY_DATA_DIR");
  app.add_flag("--json", a.as_json, "answer as JSON");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : exit_unusable;
  }
  return -1;
}

result<json> ask(const asked& a, const json& request) {
  const auto line = ask_admin_socket(a.data_dir, messages::dump_json(request));
  if (!line) {
    return line.error().code == errc::unavailable
             ? fail(errc::unavailable, "no server runs on " + a.data_dir)
             : tl::unexpected(line.error());
  }
  auto answer = messages::parse_json(*line);
  if (!answer || !answer->is_object()) {
    return fail(errc::internal, "the server's answer is not understood");
  }
  if (answer->contains("error")) {
    return fail(
      static_cast<errc>(answer->value("code", 15)),
      answer->value("error", std::string("it failed")));
  }
  return (*answer)["answer"];
}

int complain(const messages::error& e) {
  std::fprintf(stderr, "slipwayd: %s\n", e.detail.c_str());
  return e.code == errc::unavailable || e.code == errc::io_failed ? exit_unusable : exit_failed;
}

/// Asks until it is done; on a terminal the progress is shown in one line.
result<json> wait_for(const asked& a, const char* command, std::string (*progress)(const json&)) {
  const bool shown = ::isatty(STDERR_FILENO) == 1;
  while (true) {
    auto status = ask(a, {{"command", command}});
    if (!status) {
      return status;
    }
    const bool over = status->value("done", false);
    if (shown) {
      std::fprintf(stderr, "\r\033[K%s", over ? "" : progress(*status).c_str());
    }
    if (over) {
      return status;
    }
    std::this_thread::sleep_for(look_every);
  }
}

unsigned long long number(const json& j, const char* name) {
  return j.value(name, 0ULL);
}

std::string gc_progress(const json& s) {
  return s.value("phase", std::string()) + ": " + std::to_string(number(s, "looked_at"))
         + " records looked at";
}

std::string scrub_progress(const json& s) {
  return std::to_string(number(s, "blobs")) + " blobs, "
         + std::to_string(number(s, "bytes") / 1'000'000) + " MB read, "
         + std::to_string(number(s, "rotten_count")) + " rotten";
}

result<json> all_items(const asked& a, std::size_t count) {
  auto out = json::array();
  while (out.size() < count) {
    auto some = ask(a, {{"command", "gc items"}, {"from", out.size()}});
    if (!some || some->empty()) {
      return some ? result<json>(out) : some;
    }
    out.insert(out.end(), some->begin(), some->end());
  }
  return out;
}

void print_collection(const json& r) {
  const auto& items = r["items"];
  for (const auto& i : items) {
    const auto repository = i.value("repository", std::string());
    const auto digest = i.value("digest", std::string());
    std::printf(
      "%-10s  %s%s%s  %llu bytes: %s\n",
      i.value("kind", std::string()).c_str(),
      repository.c_str(),
      repository.empty() || digest.empty() ? "" : "@",
      digest.c_str(),
      number(i, "bytes"),
      i.value("why", std::string()).c_str());
  }
  const auto all =
    number(r, "repositories") + number(r, "manifests") + number(r, "links") + number(r, "blobs");
  if (all > items.size()) {
    std::printf("and %llu more\n", all - items.size());
  }
  std::printf(
    "%s: %llu manifests, %llu links, %llu blobs of %llu bytes; %llu repositories that nobody "
    "knows; %llu records looked at\n",
    r.value("dry_run", false) ? "would go" : "gone",
    number(r, "manifests"),
    number(r, "links"),
    number(r, "blobs"),
    number(r, "bytes"),
    number(r, "repositories"),
    number(r, "looked_at"));
}

/// Whatever ended it early.
int failure_of(const json& r) {
  const auto failed = r.value("failed", std::string());
  if (!failed.empty()) {
    std::fprintf(stderr, "slipwayd: ended early: %s\n", failed.c_str());
  }
  return failed.empty() ? 0 : exit_failed;
}

}  // namespace

int gc_main(const std::vector<std::string>& arguments) {
  asked a;
  CLI::App app(
    "Collects garbage of the image registry at once, or tells what would go.",
    "slipwayd gc");
  app.add_flag("--dry-run", a.dry_run, "tell what would go and why, remove nothing");
  app.footer(
    "Garbage is what nothing needed for the grace period: see docs/registry.md.\n\n"
    "Example:\n  slipwayd gc --data-dir /var/lib/slipway --dry-run");
  if (const int code = parse(app, a, arguments); code >= 0) {
    return code;
  }
  auto report = ask(a, {{"command", "gc start"}, {"dry_run", a.dry_run}});
  report = report ? wait_for(a, "gc status", gc_progress) : report;
  const auto items = report ? all_items(a, number(*report, "items")) : report;
  if (!items) {
    return complain(items.error());
  }
  (*report)["items"] = *items;
  if (a.as_json) {
    std::printf("%s\n", messages::dump_json(*report).c_str());
  } else {
    print_collection(*report);
  }
  return failure_of(*report);
}

int scrub_main(const std::vector<std::string>& arguments) {
  asked a;
  CLI::App app(
    "Reads all blobs of the image registry and sets rotten ones aside.",
    "slipwayd scrub");
  app.footer(
    "Exit codes: 0 all are good, 1 rotten ones were found or it failed, 2 no server runs there.\n\n"
    "Example:\n  slipwayd scrub --data-dir /var/lib/slipway");
  if (const int code = parse(app, a, arguments); code >= 0) {
    return code;
  }
  auto report = ask(a, {{"command", "scrub start"}});
  report = report ? wait_for(a, "scrub status", scrub_progress) : report;
  if (!report) {
    return complain(report.error());
  }
  if (a.as_json) {
    std::printf("%s\n", messages::dump_json(*report).c_str());
  } else {
    for (const auto& d : (*report)["rotten"]) {
      std::printf("rotten: %s\n", d.get<std::string>().c_str());
    }
    std::printf("%s\n", scrub_progress(*report).c_str());
  }
  const int failed = failure_of(*report);
  return number(*report, "rotten_count") > 0 ? exit_failed : failed;
}

}  // namespace slipway::runtime
