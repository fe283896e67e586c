#include "runtime/build_architectures.hpp"

#include <algorithm>
#include <array>
#include <fstream>

namespace slipway::runtime {
namespace {

struct line {
  std::string_view go_name;
  std::string_view qemu;
  std::string_view slug;
};

/// 32-bit ARM is two kinds of device, one emulator.
constexpr std::array table{
  line{"amd64", "qemu-x86_64", "amd64"},
  line{"arm64", "qemu-aarch64", "aarch64"},
  line{"arm", "qemu-arm", "armv7hf"},
  line{"arm", "qemu-arm", "rpi"},
  line{"386", "qemu-i386", "i386"},
};

/// Whether containers can run what the handler is for: it is on, and the kernel holds its interpreter open (`F`), since they have none.
bool serves_containers(const std::filesystem::path& handler) {
  std::ifstream in(handler);
  std::string line;
  if (!std::getline(in, line) || line != "enabled") {
    return false;
  }
  constexpr std::string_view flags = "flags: ";
  while (std::getline(in, line)) {
    if (line.starts_with(flags)) {
      return line.find('F', flags.size()) != std::string::npos;
    }
  }
  return false;
}

bool switched_off(const std::filesystem::path& binfmt) {
  std::ifstream in(binfmt / "status");
  std::string word;
  return in >> word && word == "disabled";
}

void add(std::vector<std::string>& out, std::string_view slug) {
  if (std::find(out.begin(), out.end(), slug) == out.end()) {
    out.emplace_back(slug);
  }
}

}  // namespace

std::string architecture_slug(std::string_view go_name) {
  const auto* const known =
    std::find_if(table.begin(), table.end(), [&](const line& l) { return l.go_name == go_name; });
  return known == table.end() ? "" : std::string(known->slug);
}

std::vector<std::string> build_architectures(
  std::string_view engine_arch,
  const std::filesystem::path& binfmt) {
  std::vector<std::string> out;
  for (const auto& l : table) {
    if (l.go_name == engine_arch) {
      add(out, l.slug);
    }
  }
  if (engine_arch == "amd64") {
    add(out, "i386");
  }
  if (switched_off(binfmt)) {
    return out;
  }
  for (const auto& l : table) {
    if (serves_containers(binfmt / l.qemu)) {
      add(out, l.slug);
    }
  }
  return out;
}

}  // namespace slipway::runtime
