#include "runtime/server/git_hook_main.hpp"

#include "gateways/git/hook.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace slipway::runtime {

namespace {

constexpr int exit_unusable = 2;
constexpr std::size_t changes_bytes_max = 64U << 20U;
constexpr const char* usage = "slipwayd git-hook: it is run by git, when slipwayd serve runs git\n";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find(' ', at), text.size());
    if (end > at) {
      out.push_back(text.substr(at, end - at));
    }
    at = end + 1;
  }
  return out;
}

std::string read_input() {
  std::string out;
  char bytes[65'536];
  std::size_t n = 0;
  while (out.size() < changes_bytes_max && (n = std::fread(bytes, 1, sizeof bytes, stdin)) > 0) {
    out.append(bytes, n);
  }
  return out;
}

std::string absolute(const std::string& path) {
  std::error_code failed;
  return path.empty() ? path : std::filesystem::absolute(path, failed).string();
}

}  // namespace

int git_hook_main(const std::vector<std::string>& arguments) {
  if (arguments == std::vector<std::string>{"--help"}) {
    std::fputs(usage, stdout);
    return 0;
  }
  // It must not outlive the push.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  gateways::git::hook_context c;
  c.url = variable("SLIPWAY_HOOK_URL");
  c.api = variable("SLIPWAY_HOOK_API");
  c.ticket = variable("SLIPWAY_HOOK_TICKET");
  c.release_refs = words(variable("SLIPWAY_HOOK_REFS"));
  c.repository = absolute(variable("GIT_DIR"));
  if (const auto bytes = variable("SLIPWAY_HOOK_BYTES"); !bytes.empty()) {
    c.repository_bytes_max = std::strtoull(bytes.c_str(), nullptr, 10);
  }
  if (!variable("GIT_QUARANTINE_PATH").empty()) {
    c.quarantine = absolute(variable("GIT_OBJECT_DIRECTORY"));
  }
  c.print = [](std::string_view text) {
    (void)std::fwrite(text.data(), 1, text.size(), stdout);  // nobody there: git ends this soon
    (void)std::fflush(stdout);
  };
  const bool usable =
    arguments.size() == 1 && !c.url.empty() && !c.repository.empty() && !c.release_refs.empty();
  if (usable) {
    c.changes = read_input();
    if (arguments.front() == "pre-receive") {
      return gateways::git::pre_receive(c);
    }
    if (arguments.front() == "post-receive") {
      return gateways::git::post_receive(c);
    }
  }
  std::fputs(usage, stderr);
  return exit_unusable;
}

}  // namespace slipway::runtime
