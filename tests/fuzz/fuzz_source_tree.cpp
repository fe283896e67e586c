#include "runtime/assert.hpp"
#include "storage/source_tree.hpp"

#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

namespace {

using slipway::storage::source_tree;

const std::string& file() {
  static const std::string path = "/tmp/fuzz_source_tree." + std::to_string(::getpid());
  return path;
}

slipway::storage::source_limits limits() {
  slipway::storage::source_limits l;
  l.bytes_max = 4U << 20U;
  l.entries_max = 1'000;
  return l;
}

/// Reads all that a tree can be asked for. Answers with the context of its root.
std::string use(const source_tree& tree) {
  for (const auto* folder : {"", "a", "a/b", "web"}) {
    for (const auto& name : tree.list(folder)) {
      SLIPWAY_ASSERT(!name.empty() && name.find('/') == std::string::npos && name != "..");
      (void)tree.read(std::string(folder) + "/" + name);
    }
  }
  std::string out;
  std::array<char, 5'000> buffer{};
  const auto from = tree.stream({"", {}, {{"Dockerfile", "FROM x"}}});
  for (auto n = from(buffer.data(), buffer.size()); n != 0;
       n = from(buffer.data(), buffer.size())) {
    SLIPWAY_ASSERT(n > 0);
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  SLIPWAY_ASSERT(out.size() % 512 == 0 && out.size() >= 1'024);
  return out;
}

}  // namespace

/// The first byte says whether the rest comes from a client or is a file said to be ours. Whatever it is: no crash, no tree beyond its limits;
/// what was received is the same once it is opened again; nothing is left of what is refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const bool ours = rest.starts_with('F');
  rest.remove_prefix(rest.empty() ? 0 : 1);
  if (ours) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << rest;
    if (const auto tree = source_tree::open(file(), limits())) {
      (void)(*tree)->read("a");
      (void)(*tree)->list("");
    }
  } else {
    const auto received = source_tree::receive(
      [&](char* to, std::size_t n) {
        n = rest.copy(to, n);
        rest.remove_prefix(n);
        return static_cast<std::ptrdiff_t>(n);
      },
      file(),
      limits());
    SLIPWAY_ASSERT(received.has_value() == (::access(file().c_str(), F_OK) == 0));
    if (received) {
      SLIPWAY_ASSERT((*received)->entries() <= limits().entries_max);
      SLIPWAY_ASSERT((*received)->bytes() <= limits().bytes_max);
      const auto again = source_tree::open(file(), limits());
      SLIPWAY_ASSERT(again && (*again)->entries() == (*received)->entries());
      SLIPWAY_ASSERT(use(**received) == use(**again));
    }
  }
  ::unlink(file().c_str());
  return 0;
}
