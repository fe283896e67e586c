#include "cli/build_screen.hpp"
#include "runtime/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>

using namespace slipway::cli;

namespace {

/// What is shown of an answer, and whether it was whole.
std::string read(std::string_view body, std::size_t piece, bool terminal) {
  std::ostringstream out;
  std::ostringstream shown;
  console c(out, shown, {terminal, terminal, terminal, false, 80});
  build_screen screen(c);
  build_stream stream([&](const build_element& e) {
    SLIPWAY_ASSERT(e.number >= 0);
    screen.show(e);
  });
  bool good = true;
  for (std::size_t at = 0; at < body.size() && good; at += piece) {
    good = stream.feed(body.substr(at, piece)).has_value();
  }
  screen.finish();
  return shown.str() + (good && stream.complete() ? "|whole" : "|broken");
}

}  // namespace

/// The first byte is the size of the pieces. Whatever the bytes: no crash, the same in any pieces, and nothing that steers a terminal gets
/// through to where there is none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto piece = std::max<std::size_t>(data[0], 1);
  for (const bool terminal : {false, true}) {
    const auto whole = read(body, std::max<std::size_t>(body.size(), 1), terminal);
    SLIPWAY_ASSERT(whole == read(body, piece, terminal));
    SLIPWAY_ASSERT(terminal || std::none_of(whole.begin(), whole.end(), [](char c) {
                     return c != '\n' && static_cast<unsigned char>(c) < 0x20;
                   }));
  }
  return 0;
}
