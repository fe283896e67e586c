#pragma once

#include <string>
#include <vector>

namespace slipway::runtime {

/// `slipwayd gc`: collects garbage of the image registry at once, or tells what would go. Exit codes: 0 done, 1 refused or failed, 2 a
/// command line or folder that cannot be used, or no server that runs on it.
int gc_main(const std::vector<std::string>& arguments);

/// `slipwayd scrub`: reads all blobs at once. Exit codes: 0 all are good, 1 rotten ones were found or it failed, 2 as above.
int scrub_main(const std::vector<std::string>& arguments);

}  // namespace slipway::runtime
