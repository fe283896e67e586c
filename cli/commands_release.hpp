#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

messages::result<void> release_list(context& c, const std::string& fleet);
messages::result<void> release_show(context& c, const std::string& release);
messages::result<void> release_finalize(context& c, const std::string& release);
/// An invalidated release is given to no device; validating undoes it.
messages::result<void> release_set_valid(context& c, const std::string& release, bool valid);
messages::result<void>
release_note(context& c, const std::string& release, const std::string& note);
messages::result<void> release_remove(context& c, const std::string& release, bool yes);

}  // namespace slipway::cli
