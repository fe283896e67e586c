#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

messages::result<void> release_list(context& c, const std::string& fleet);
messages::result<void> release_show(context& c, const std::string& release);
messages::result<void> release_finalize(context& c, const std::string& release);

}  // namespace slipway::cli
