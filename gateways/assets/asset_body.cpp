#include "gateways/assets/asset_body.hpp"

#include "gateways/registry/completion.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;
using runtime::awaitable;
using runtime::exchange;

namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} * 1024;
constexpr std::size_t field_bytes_max = std::size_t{16} * 1024;

/// Calls `take` on the pool with the body as it comes, until its end.
awaitable<result<void>>
each_piece(exchange& x, asset_sink sink, std::function<result<void>(std::string_view)> take) {
  if (!x.header("content-encoding").empty()) {
    co_return fail(errc::unsupported, "the body must not be encoded");
  }
  const std::unique_ptr<char[]> buffer(new char[buffer_bytes]);
  for (bool more = true; more;) {
    std::size_t filled = 0;
    while (more && filled < buffer_bytes) {
      const auto n = co_await x.read_some(std::span(buffer.get() + filled, buffer_bytes - filled));
      if (!n) {
        co_return tl::unexpected(n.error());
      }
      more = *n > 0;
      filled += *n;
    }
    if (filled == 0) {
      break;
    }
    std::function<result<void>()> work = [&] {
      return take(std::string_view(buffer.get(), filled));
    };
    auto done = co_await run_on<result<void>>(sink.pool, std::move(work));
    if (!done) {
      co_return done;
    }
  }
  co_return result<void>{};
}

/// What the parts of a form become.
class form_taker {
public:
  form_taker(asset_sink sink, std::function<result<void>()> before_file, asset_form& out)
    : sink_(sink), before_file_(std::move(before_file)), out_(out) {}

  result<void> begin(const part_head& head) {
    field_ = nullptr;
    if (!head.is_file) {
      field_ = &out_.fields[head.name];
      field_->clear();
      return {};
    }
    if (head.name != "asset" || out_.file) {
      return fail(errc::invalid_argument, R"(the form must have one file, named "asset")");
    }
    if (auto ok = before_file_(); !ok) {
      return ok;
    }
    auto writer = sink_.store.begin();
    if (!writer) {
      return tl::unexpected(writer.error());
    }
    out_.file = std::move(*writer);
    out_.file_head = head;
    return {};
  }

  result<void> data(std::string_view bytes) {
    if (field_ != nullptr) {
      if (field_->size() + bytes.size() > field_bytes_max) {
        return fail(errc::too_large, "a field of the form is longer than 16384 bytes");
      }
      *field_ += bytes;
      return {};
    }
    if (out_.file->offset() + bytes.size() > sink_.bytes_max) {
      return fail(
        errc::too_large,
        "an asset must not be larger than " + std::to_string(sink_.bytes_max) + " bytes");
    }
    return out_.file->append(bytes);
  }

private:
  asset_sink sink_;
  std::function<result<void>()> before_file_;
  asset_form& out_;
  std::string* field_ = nullptr;
};

}  // namespace

awaitable<result<void>> read_form(
  exchange& x,
  asset_sink sink,
  std::function<result<void>()> before_file,
  asset_form& out) {
  const auto boundary = multipart_boundary(x.header("content-type"));
  if (!boundary) {
    co_return tl::unexpected(boundary.error());
  }
  form_taker taker(sink, std::move(before_file), out);
  multipart_reader::events events;
  events.begin = [&](const part_head& head) { return taker.begin(head); };
  events.data = [&](std::string_view bytes) { return taker.data(bytes); };
  events.end = [] { return result<void>{}; };
  multipart_reader reader(*boundary, std::move(events));
  std::function<result<void>(std::string_view)> take = [&](std::string_view bytes) {
    return reader.feed(bytes);
  };
  auto done = co_await each_piece(x, sink, std::move(take));
  if (done && !reader.complete()) {
    done = fail(errc::invalid_argument, "the form ends before its last boundary");
  }
  co_return done;
}

awaitable<result<void>>
read_bytes(exchange& x, asset_sink sink, storage::blob_writer& into, std::uint64_t bytes) {
  std::function<result<void>(std::string_view)> take = [&](std::string_view piece) -> result<void> {
    return into.offset() + piece.size() > bytes
             ? fail(errc::invalid_argument, "the part is longer than it should be")
             : into.append(piece);
  };
  auto done = co_await each_piece(x, sink, std::move(take));
  if (done && into.offset() != bytes) {
    done = fail(errc::invalid_argument, "the part is shorter than it should be");
  }
  co_return done;
}

}  // namespace slipway::gateways
