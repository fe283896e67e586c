#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::runtime {

/// Slug of an architecture that Go calls so (`amd64`, `arm64`, ...), "" when devices have none such.
[[nodiscard]] std::string architecture_slug(std::string_view go_name);

/// What an engine can build for: its own architecture first, then what runs on it anyway, then what QEMU emulates through the kernel's
/// binfmt_misc.
[[nodiscard]] std::vector<std::string> build_architectures(
  std::string_view engine_arch,
  const std::filesystem::path& binfmt = "/proc/sys/fs/binfmt_misc");

}  // namespace slipway::runtime
