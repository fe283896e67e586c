#include "domain/release_version.hpp"

#include "domain/numbers.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <string_view>

namespace slipway::domain {
namespace {

using messages::as_int;
using messages::as_text;
using messages::field;

const numbers::release& n() {
  return numbers::get().release;
}

std::string core(const messages::row& r) {
  return std::to_string(as_int(field(r, n().semver_major))) + "."
         + std::to_string(as_int(field(r, n().semver_minor))) + "."
         + std::to_string(as_int(field(r, n().semver_patch)));
}

// Build metadata of a final release: what was given, the revision unless it names one already, the variant.
std::string build_of_final(const messages::row& r) {
  std::string build = as_text(field(r, n().semver_build));
  const auto add = [&build](std::string_view part) {
    if (!part.empty()) {
      build += build.empty() ? "" : ".";
      build += part;
    }
  };
  const auto revision = as_int(field(r, n().revision));
  const auto name = "rev" + std::to_string(revision);
  const auto given = identifiers(build);
  if (revision > 0 && std::find(given.begin(), given.end(), name) == given.end()) {
    add(name);
  }
  add(as_text(field(r, n().variant)));
  return build;
}

}  // namespace

bool is_final(const messages::row& release) {
  return !messages::is_null(field(release, n().revision));
}

std::string semver_text(const messages::row& release) {
  auto text = core(release);
  if (const auto pre = as_text(field(release, n().semver_prerelease)); !pre.empty()) {
    text += "-" + pre;
  }
  if (const auto build = as_text(field(release, n().semver_build)); !build.empty()) {
    text += "+" + build;
  }
  return text;
}

std::string raw_version(const messages::row& release) {
  auto text = core(release);
  auto pre = as_text(field(release, n().semver_prerelease));
  std::string build;
  if (is_final(release)) {
    build = build_of_final(release);
  } else {
    pre += (pre.empty() ? "" : ".") + std::to_string(as_int(field(release, 1)));
    build = as_text(field(release, n().variant));
  }
  text += pre.empty() ? "" : "-" + pre;
  text += build.empty() ? "" : "+" + build;
  return text;
}

messages::json_text version_json(const messages::row& release) {
  const auto raw = raw_version(release);
  const auto plus = raw.find('+');
  const auto version = raw.substr(0, plus);
  const auto dash = version.find('-');
  nlohmann::json j{
    {"raw", raw},
    {"major", as_int(field(release, n().semver_major))},
    {"minor", as_int(field(release, n().semver_minor))},
    {"patch", as_int(field(release, n().semver_patch))},
    {"prerelease",
     identifiers(dash == std::string::npos ? "" : std::string_view(version).substr(dash + 1))},
    {"build", identifiers(plus == std::string::npos ? "" : std::string_view(raw).substr(plus + 1))},
    {"version", version}};
  return {messages::dump_json(j)};
}

}  // namespace slipway::domain
