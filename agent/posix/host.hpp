#pragma once

#include "agent/ports.hpp"

#include <filesystem>

namespace slipway::agent {

/// Linux, from /proc, /sys and the C library. `storage` names the file system whose room is reported.
class posix_host : public host_port {
public:
  explicit posix_host(std::filesystem::path storage) : storage_(std::move(storage)) {}
  host_facts facts() override;
  host_metrics metrics() override;

private:
  std::filesystem::path storage_;
  unsigned long long busy_ = 0;
  unsigned long long total_ = 0;
};

}  // namespace slipway::agent
