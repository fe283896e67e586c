#pragma once

#include "agent/ports.hpp"

#include <filesystem>

namespace slipway::agent {

/// Files of one folder. Written files are the owner's only, unless one of that name was there: it keeps its mode.
class posix_files : public file_store {
public:
  explicit posix_files(std::filesystem::path folder) : folder_(std::move(folder)) {}
  messages::result<std::string> read(const std::string& name) override;
  messages::result<void> write(const std::string& name, std::string_view bytes) override;

private:
  std::filesystem::path folder_;
};

constexpr std::size_t state_file_bytes_max = 64U << 20U;

}  // namespace slipway::agent
