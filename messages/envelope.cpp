#include "messages/envelope.hpp"

#include <algorithm>

namespace slipway::messages {

result<std::vector<envelope>> unpack_envelopes(std::string_view bytes, std::size_t count_max) {
  std::vector<envelope> out;
  try {
    const auto limit = std::min(bytes.size(), unpack_items_max);
    const msgpack::unpack_limit
      limits(limit, limit, bytes.size(), bytes.size(), bytes.size(), unpack_depth_max);
    const auto refer = [](msgpack::type::object_type, std::size_t, void*) { return true; };
    std::size_t offset = 0;
    while (offset < bytes.size()) {
      if (out.size() == count_max) {
        return fail(errc::too_large, "too many messages in one frame");
      }
      const auto handle =
        msgpack::unpack(bytes.data(), bytes.size(), offset, refer, nullptr, limits);
      handle.get().convert(out.emplace_back());
    }
  } catch (const std::exception& e) {
    return fail(errc::corrupt, std::string("not a valid message: ") + e.what());
  }
  return out;
}

}  // namespace slipway::messages
