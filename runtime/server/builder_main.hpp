#pragma once

#include <string>
#include <vector>

namespace slipway::runtime {

/// The `slipwayd builder` process: joins a server and builds until SIGTERM or SIGINT. With the one argument `--embedded` it finds its
/// configuration (builder_config) on standard input. Exit codes: 0 stopped, 1 no engine, 2 unusable configuration, folder or network.
int builder_main(const std::vector<std::string>& arguments);

}  // namespace slipway::runtime
