#include "cli/push.hpp"

#include "cli/build_screen.hpp"
#include "cli/commands_build.hpp"
#include "cli/lookup.hpp"
#include "cli/progress.hpp"
#include "cli/source_files.hpp"
#include "cli/tar_stream.hpp"
#include "cli/terminal.hpp"
#include "domain/yaml_tree.hpp"
#include "messages/json.hpp"

#include <optional>
#include <utility>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A build may take an hour, a step of it may print nothing, and it may have to wait for others first (ADR 94).
constexpr std::chrono::hours silence_max{2};
/// Of the answer to a detached push.
constexpr std::size_t answer_bytes_max = 64U * 1024U;
constexpr const char* secrets_path = ".balena/registry-secrets.json";

/// Names of fleets hold no dot, and one slash in the middle.
bool is_path(const std::string& text) {
  return text.starts_with('.') || text.starts_with('/');
}

/// The file in the form that builders read (balena-api.md 5.2).
result<std::string> read_registry_secrets(const std::string& path) {
  const auto tree = read_small_file(path).and_then([&](const std::string& text) {
    return domain::parse_yaml(text, path);  // JSON is YAML
  });
  if (!tree) {
    return tl::unexpected(tree.error());
  }
  const auto j = domain::to_json(*tree);
  bool good = j.is_object();
  for (const auto& entry : good ? j : json::array()) {
    good = good && entry.is_object() && entry.value("username", json()).is_string()
           && entry.value("password", json()).is_string();
  }
  if (!good) {
    return fail(
      errc::invalid_argument,
      path + ": a registry's host with its username and password is expected, for each registry");
  }
  return messages::dump_json(j);
}

class pushing {
public:
  pushing(context& c, const push_args& args) : c_(c), args_(args), screen_(c.out) {}

  result<void> run() {
    return check()
      .and_then([this] { return pack(); })
      .and_then([this] { return choose_fleet(); })
      .and_then([this] { return args_.detached ? start() : build(); });
  }

private:
  result<void> check() {
    if (args_.tags.size() % 2 != 0) {
      return fail(errc::invalid_argument, "--release-tag takes keys and values in turn");
    }
    if (args_.registry_secrets.empty()) {
      return {};
    }
    auto text = read_registry_secrets(args_.registry_secrets);
    if (!text) {
      return tl::unexpected(text.error());
    }
    secrets_ = std::move(*text);
    return {};
  }

  /// Looks at every file, so that what is wrong with the project is told before the server is asked anything.
  result<void> pack() {
    const bool only_path = args_.path == "." && is_path(args_.fleet);
    fleet_ = only_path ? "" : args_.fleet;
    const fs::path folder = only_path ? args_.fleet : args_.path;
    auto paths = source_files(folder, {args_.dockerfile, args_.multi_dockerignore});
    if (!paths) {
      return tl::unexpected(paths.error());
    }
    if (secrets_) {
      // The file that was named counts, not one that lies there.
      std::erase_if(*paths, [](const std::string& path) {
        return path.starts_with(".balena/registry-secrets.")
               || path.starts_with(".resin/registry-secrets.");
      });
    }
    source_bytes_ = bytes_of(folder, *paths);
    source_.emplace(folder, std::move(*paths), tar_stream::packing::gzip);
    if (secrets_) {
      source_->add_text(secrets_path, *secrets_);
    }
    return {};
  }

  result<void> choose_fleet() {
    const auto row = fleet_.empty() ? only_fleet(c_.server) : find_fleet(c_.server, fleet_);
    if (!row) {
      return tl::unexpected(row.error());
    }
    slug_ = text_of(*row, "slug");
    if (fleet_.empty()) {
      c_.out.note("pushing to " + printable(slug_));
    }
    return {};
  }

  result<void> send(const std::function<bool(std::string_view)>& sink) {
    const auto flag = [](bool on) { return on ? "true" : "false"; };
    const auto path = "/v3/build?slug=" + percent_encode(slug_)
                      + "&dockerfilePath=" + percent_encode(args_.dockerfile)
                      + "&emulated=" + flag(args_.emulated) + "&nocache=" + flag(args_.no_cache)
                      + "&headless=" + flag(args_.detached) + "&isdraft=" + flag(args_.draft);
    transfer_bar bar(c_.out, "source", phase::pushing, source_bytes_);
    bar_ = &bar;
    const interrupt_guard guard([this] { c_.server.cancel(); });
    auto done = c_.server.converse(
      path,
      {{"Content-Encoding", "gzip"}},
      [&](char* to, std::size_t room) -> std::ptrdiff_t {
        const auto n = guard.raised() ? -1 : source_->read(to, room);
        bar.set(source_->source_bytes());
        if (n == 0) {
          end_bar(true);
        }
        return n;
      },
      [&](std::string_view bytes) { return !guard.raised() && sink(bytes); },
      silence_max);
    end_bar(done.has_value());
    c_.interrupted = guard.raised();
    if (source_->failure()) {
      return tl::unexpected(*source_->failure());
    }
    return done;
  }

  void end_bar(bool well) {
    if (bar_ != nullptr) {
      std::exchange(bar_, nullptr)->finish(well);
    }
  }

  // A detached build.

  result<void> start() {
    std::string answer;
    const auto sent = send([&](std::string_view bytes) {
      answer += bytes;
      return answer.size() <= answer_bytes_max;
    });
    if (c_.interrupted) {
      return fail(errc::io_failed, "interrupted; a build that started goes on");
    }
    if (!sent) {
      return sent;
    }
    const auto j = messages::parse_json(answer);
    release_ = j ? int_of(*j, "releaseId") : 0;
    if (!j || !bool_of(*j, "started") || release_ == 0) {
      const auto why = j ? text_of(*j, "message") : "";
      return fail(
        errc::rule_violated,
        why.empty() ? "the server did not start the build" : printable(why));
    }
    if (c_.out.json()) {
      c_.out.print({{"id", release_}, {"fleet", slug_}, {"address", address()}});
    } else {
      const auto id = std::to_string(release_);
      c_.out.line("building release " + id + " for " + printable(slug_));
      c_.out.note("`slipway build logs " + id + " --follow` shows it");
    }
    return annotate();
  }

  // A build that is watched.

  result<void> build() {
    result<void> understood;
    build_stream stream([this](const build_element& e) { hear(e); });
    bool answered = false;
    auto done = send([&](std::string_view bytes) {
      answered = true;
      understood = stream.feed(bytes);
      return understood.has_value();
    });
    screen_.finish();
    if (c_.interrupted) {
      return cancelled();
    }
    if (!understood || (!done && !answered)) {
      return understood ? done : understood;
    }
    if (failed_) {
      return fail(errc::rule_violated, "the build failed" + release_text());
    }
    if (!stream.complete()) {
      const auto why = done ? "" : " (" + done.error().detail + ")";
      return fail(
        errc::unavailable,
        "the connection ended before the build was over" + why + release_text());
    }
    return finish();
  }

  void hear(const build_element& e) {
    end_bar(true);
    if (e.what == build_element::kind::release) {
      release_ = e.number;
    }
    failed_ = failed_ || e.error;
    screen_.show(e);
  }

  result<void> cancelled() {
    if (release_ != 0) {
      if (auto done = cancel_release(c_.server, release_); !done) {
        c_.out.warn("the build may go on: " + done.error().detail);
      }
    }
    return fail(errc::io_failed, "interrupted" + release_text());
  }

  result<void> finish() {
    if (release_ == 0) {
      return fail(errc::corrupt, "the server built nothing");
    }
    const auto row = c_.server.first(
      {"release(" + std::to_string(release_) + ")",
       "",
       "id,commit,status,raw_version,is_final",
       "",
       "",
       0},
      "release " + std::to_string(release_));
    if (!row) {
      return tl::unexpected(row.error());
    }
    const auto status = text_of(*row, "status");
    if (status != "success") {
      return fail(errc::rule_violated, "the build did not succeed" + release_text());
    }
    report(*row);
    return annotate();
  }

  void report(const json& release) {
    const bool final = bool_of(release, "is_final");
    const auto commit = text_of(release, "commit");
    const auto version = text_of(release, "raw_version");
    if (c_.out.json()) {
      c_.out.print(
        {{"id", release_},
         {"commit", commit},
         {"fleet", slug_},
         {"version", version},
         {"is_final", final},
         {"address", address()}});
      return;
    }
    c_.out.line(
      c_.out.paint(colour::green, "released") + " " + printable(commit) + " to " + printable(slug_)
      + (final ? "" : " as a draft"));
    c_.out.line(address());
  }

  /// The note and the tags, once there is a release that they can be on.
  result<void> annotate() {
    for (std::size_t i = 0; i + 1 < args_.tags.size(); i += 2) {
      const auto set = c_.server.post(
        "/v7/release_tag",
        {{"release", release_}, {"tag_key", args_.tags[i]}, {"value", args_.tags[i + 1]}});
      if (!set) {
        return tl::unexpected(messages::with_context("tag " + args_.tags[i], set.error()));
      }
    }
    if (args_.note.empty()) {
      return {};
    }
    auto noted =
      c_.server.patch("/v7/release(" + std::to_string(release_) + ")", {{"note", args_.note}});
    return noted.map_error(
      [](const messages::error& e) { return messages::with_context("note", e); });
  }

  [[nodiscard]] std::string address() const {
    return c_.server.server() + "/v7/release(" + std::to_string(release_) + ")";
  }
  /// For the end of an error.
  [[nodiscard]] std::string release_text() const {
    return release_ == 0 ? ""
                         : "; `slipway build show " + std::to_string(release_) + "` tells more";
  }

  context& c_;
  const push_args& args_;
  build_screen screen_;
  std::string fleet_;  ///< as it was given
  std::string slug_;
  std::optional<std::string> secrets_;
  std::optional<tar_stream> source_;
  std::int64_t source_bytes_ = 0;
  transfer_bar* bar_ = nullptr;  ///< while the source is sent
  std::int64_t release_ = 0;     ///< 0 = not known yet
  bool failed_ = false;
};

}  // namespace

result<void> push(context& c, const push_args& args) {
  return pushing(c, args).run();
}

}  // namespace slipway::cli
