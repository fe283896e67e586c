#pragma once

#include <string>
#include <vector>

namespace slipway::runtime {

/// `slipwayd admin ...`: what the operator does on the server's machine (docs/admin.md). `arguments` follow `admin`. Exit codes: 0 done,
/// 1 refused or failed, 2 a command line or folder that cannot be used.
int admin_main(const std::vector<std::string>& arguments);

}  // namespace slipway::runtime
