#include "agent/posix/engine_trust.hpp"

#include "agent/posix/files.hpp"

namespace slipway::agent {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr const char* file_name = "slipway.crt";

/// It becomes a folder's name.
bool is_registry(const std::string& text) {
  return !text.empty() && text.front() != '.'
         && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")
              == std::string::npos;
}

}  // namespace

result<void>
trust_registry(const fs::path& folder, const std::string& registry, const std::string& pem) {
  if (!is_registry(registry)) {
    return fail(errc::invalid_argument, "`" + registry + "` is no registry's name");
  }
  const auto place = folder / registry;
  posix_files files(place);
  if (const auto there = files.read(file_name); there && *there == pem) {
    return {};
  }
  std::error_code problem;
  fs::create_directories(place, problem);
  if (problem) {
    return fail(errc::io_failed, place.string() + ": " + problem.message());
  }
  if (auto written = files.write(file_name, pem); !written) {
    return tl::unexpected(messages::with_context(place.string(), written.error()));
  }
  // No secret, and an engine need not run as root.
  fs::permissions(
    place / file_name,
    fs::perms::group_read | fs::perms::others_read,
    fs::perm_options::add,
    problem);
  return {};
}

}  // namespace slipway::agent
