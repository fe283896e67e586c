#include "runtime/http_inflate.hpp"

#include "runtime/assert.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace slipway::runtime {

using messages::errc;
using messages::fail;

constexpr std::size_t inflate_step_bytes = 64 * 1024;
constexpr int gzip_only = 16 + MAX_WBITS;

struct gzip_inflater::impl {
  z_stream stream{};
  bool finished = false;
};

gzip_inflater::gzip_inflater() : impl_(std::make_unique<impl>()) {
  SLIPWAY_ASSERT(::inflateInit2(&impl_->stream, gzip_only) == Z_OK);
}

gzip_inflater::~gzip_inflater() {
  ::inflateEnd(&impl_->stream);
}

bool gzip_inflater::finished() const {
  return impl_->finished;
}

messages::result<void>
gzip_inflater::feed(std::string_view bytes, std::string& out, std::size_t bytes_max) {
  auto& z = impl_->stream;
  SLIPWAY_ASSERT(bytes.size() <= std::numeric_limits<uInt>::max());
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  z.avail_in = static_cast<uInt>(bytes.size());
  while (z.avail_in > 0 || z.avail_out == 0) {
    if (impl_->finished) {
      return z.avail_in == 0 ? messages::result<void>{}
                             : fail(errc::invalid_argument, "bytes after the end of the gzip body");
    }
    const auto before = out.size();
    // One byte more than allowed tells a body that just fits from one that does not.
    const auto room = std::min(inflate_step_bytes, bytes_max + 1 - before);
    out.resize(before + room);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = static_cast<uInt>(room);
    const int rc = ::inflate(&z, Z_NO_FLUSH);
    out.resize(before + room - z.avail_out);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
      return fail(errc::invalid_argument, "the body is not gzip");
    }
    if (out.size() > bytes_max) {
      return fail(
        errc::too_large,
        "the inflated body is larger than " + std::to_string(bytes_max) + " bytes");
    }
    impl_->finished = rc == Z_STREAM_END;
    if (rc == Z_BUF_ERROR) {
      break;  // needs more input
    }
  }
  return {};
}

}  // namespace slipway::runtime
