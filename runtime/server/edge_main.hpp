#pragma once

namespace slipway::runtime {

/// The `slipwayd edge` process: reads one JSON object (edge_config) from standard input, then holds device sessions until
/// SIGTERM or SIGINT. Exit codes: 0 stopped, 2 unusable configuration or address.
int edge_main();

}  // namespace slipway::runtime
