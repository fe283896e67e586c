#include "gateways/git/build_answer.hpp"
#include "gateways/git/packets.hpp"
#include "gateways/git/repository_path.hpp"
#include "runtime/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

using namespace slipway::gateways;

/// What is taken for a repository's name leads nowhere else.
void check_slug(const std::string& slug) {
  SLIPWAY_ASSERT(std::count(slug.begin(), slug.end(), '/') == 1);
  SLIPWAY_ASSERT(std::all_of(slug.begin(), slug.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '/';
  }));
}

}  // namespace

/// Whatever the bytes: no crash, and no name with tricks in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto command = git::parse_command(bytes)) {
    check_slug(command->slug);
  }
  if (const auto target = git::parse_http_target(bytes)) {
    check_slug(target->slug);
    SLIPWAY_ASSERT(target->rest.empty() || target->rest.front() == '/');
  }
  (void)git::takes_remarks(bytes);
  SLIPWAY_ASSERT(git::clean_protocol(bytes).find('\n') == std::string::npos);
  git::build_answer answer(
    [](std::string_view line) { SLIPWAY_ASSERT(line.find('\0') == std::string_view::npos); });
  (void)answer.feed(bytes);
  return 0;
}
