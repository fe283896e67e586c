#include "gateways/assets/multipart.hpp"
#include "runtime/assert.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace slipway::gateways;
using slipway::messages::result;

namespace {

/// What the events said, as one text.
std::string read(std::string_view body, std::size_t piece) {
  std::string said;
  int open = 0;
  multipart_reader::events on;
  on.begin = [&](const part_head& head) {
    SLIPWAY_ASSERT(open == 0 && !head.name.empty());
    ++open;
    said += "[" + head.name + "|" + head.filename + "|";
    return result<void>{};
  };
  on.data = [&](std::string_view bytes) {
    SLIPWAY_ASSERT(open == 1 && !bytes.empty());
    said += bytes;
    return result<void>{};
  };
  on.end = [&] {
    SLIPWAY_ASSERT(open == 1);
    --open;
    said += "]";
    return result<void>{};
  };
  multipart_reader reader("XX", on);
  result<void> ok;
  for (std::size_t at = 0; at < body.size() && ok; at += piece) {
    ok = reader.feed(body.substr(at, piece));
  }
  return ok && reader.complete() ? said : "";
}

}  // namespace

/// The first byte is the size of the pieces. Whatever the bytes: no crash, events in order, and a form that is accepted says the same in
/// any pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = read(body, std::max<std::size_t>(body.size(), 1));
  SLIPWAY_ASSERT(whole == read(body, std::max<std::size_t>(data[0], 1)));
  (void)multipart_boundary(body);
  return 0;
}
