#pragma once

#include "cli/context.hpp"

#include <cstdint>
#include <string>

namespace slipway::cli {

struct build_log_args {
  std::string release;
  bool follow = false;
  std::uint64_t offset = 0;  ///< of the log's bytes
};

/// Builds of releases: rows of `build`, and their logs (docs/protocols/builder.md).
messages::result<void> build_list(context& c, const std::string& fleet);
messages::result<void> build_show(context& c, const std::string& release);
/// Goes on at the same byte after a lost connection when it follows.
messages::result<void> build_logs(context& c, const build_log_args& args);
messages::result<void> build_cancel(context& c, const std::string& release);

/// Ends the build of a release unless it is over (balena-api.md 5.6).
messages::result<void> cancel_release(api& server, std::int64_t release);

}  // namespace slipway::cli
