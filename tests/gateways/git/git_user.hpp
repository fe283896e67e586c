#pragma once

#include "storage/posix_file.hpp"

#include <sys/resource.h>

#include <cstddef>
#include <string>
#include <vector>

namespace slipway::tests {

/// Runs a command line in a shell, with a git that knows no configuration but has a name. What it printed; fails the test if it fails.
std::string shell(const std::string& command);

/// As long as it lives this process has only so many descriptors left.
class few_descriptors {
public:
  explicit few_descriptors(std::size_t left);
  ~few_descriptors();
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;

private:
  rlimit before_{};
  std::vector<storage::unique_fd> taken_;
};

}  // namespace slipway::tests
