#include "messages/edge_bus.hpp"
#include "messages/overlay.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>

using namespace slipway::messages;

namespace {

/// What opens must seal to something that opens to the same.
template <class T>
void try_open(const envelope& e) {
  const auto x = open<T>(e);
  if (!x) {
    SLIPWAY_ASSERT(x.error().code == errc::corrupt || x.error().code == errc::unsupported);
    return;
  }
  const auto again = unpack<envelope>(seal(*x, e.id, e.time));
  SLIPWAY_ASSERT(again.has_value());
  SLIPWAY_ASSERT(open<T>(*again) == *x);
}

template <class... T>
void try_all(const envelope& e) {
  (try_open<T>(e), ...);
}

}  // namespace

/// Whatever the bytes: no crash, no allocation past the input, and what decodes survives a round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto all = unpack_envelopes(bytes, 64);
  if (!all) {
    return 0;
  }
  SLIPWAY_ASSERT(all->size() <= 64);
  for (const auto& e : *all) {
    try_all<
      hello,
      ping,
      notice_ack,
      welcome,
      pong,
      notice,
      bye,
      admit_all,
      admit,
      slipway::messages::revoke,  // unistd.h has another
      send_notice,
      cancel_notice,
      edge_joined,
      presence_batch,
      edge_beat,
      notices_acked,
      edge_alarm>(e);
  }
  return 0;
}
