#include "gateways/registry/conditions.hpp"
#include "gateways/registry/registry_core.hpp"

namespace slipway::gateways {

using messages::errc;
using messages::result;

namespace {

constexpr std::size_t stream_bytes = std::size_t{256} * 1024;

response blob_response(int status, const storage::digest& d) {
  auto r = registry_response(status);
  r.content_type = "application/octet-stream";
  r.headers.emplace_back("Docker-Content-Digest", d.text);
  r.headers.emplace_back("ETag", "\"" + d.text + "\"");
  r.headers.emplace_back("Accept-Ranges", "bytes");
  r.headers.emplace_back("Cache-Control", "private, max-age=31536000, immutable");
  return r;
}

std::string range_text(const runtime::byte_range& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/"
         + std::to_string(size);
}

}  // namespace

awaitable<void> registry_core::touch(
  const registry_request& r,
  const storage::digest& d,
  bool manifest,
  std::int64_t touched_ms) {
  const auto now = options_.now_ms();
  if (
    now - touched_ms < options_.touch_every_ms
    || allowed_repository(*r.claims, r.shown, "push") != r.repository) {
    co_return;
  }
  std::function<result<void>()> work = [&] {
    return manifest ? parts_.repositories.touch_manifest(r.repository, d, now)
                    : parts_.repositories.touch_blob(r.repository, d, now);
  };
  // Gone meanwhile: then what the client does next tells it so.
  const auto touched = co_await run_on<result<void>>(pool_, std::move(work));
  (void)touched;
}

awaitable<result<void>> registry_core::head_blob(registry_request& r) {
  const auto d = storage::parse_digest(r.last);
  if (!d) {
    co_return tl::unexpected(d.error());
  }
  auto blob = parts_.repositories.blob(r.repository, *d);
  if (blob) {
    co_await touch(r, *d, false, blob->touched_ms);
    // Once more: what counts is that it is here after it was touched.
    blob = parts_.repositories.blob(r.repository, *d);
  }
  if (!blob) {
    co_return tl::unexpected(blob.error());
  }
  const auto verdict =
    check_conditions(r.x.header("if-match"), r.x.header("if-none-match"), d->text);
  auto answer = blob_response(verdict == condition::go_on ? 200 : 304, *d);
  if (verdict == condition::failed) {
    answer = registry_error(412, "UNSUPPORTED", "the blob does not match the condition");
  }
  if (verdict != condition::go_on) {
    co_await r.x.respond(std::move(answer));
    co_return result<void>{};
  }
  co_await r.x.respond_head(std::move(answer), blob->size);
  co_return result<void>{};
}

awaitable<result<void>> registry_core::get_blob(registry_request& r) {
  const auto d = storage::parse_digest(r.last);
  if (!d) {
    co_return tl::unexpected(d.error());
  }
  const auto linked = parts_.repositories.blob(r.repository, *d);
  if (!linked) {
    co_return tl::unexpected(linked.error());
  }
  const auto verdict =
    check_conditions(r.x.header("if-match"), r.x.header("if-none-match"), d->text);
  if (verdict != condition::go_on) {
    auto answer = verdict == condition::not_modified
                    ? blob_response(304, *d)
                    : registry_error(412, "UNSUPPORTED", "the blob does not match the condition");
    co_await r.x.respond(std::move(answer));
    co_return result<void>{};
  }
  const auto blob = parts_.blobs.open(*d);
  if (!blob) {
    co_return tl::unexpected(blob.error());
  }
  const auto size = (*blob)->size();
  runtime::byte_range range{0, size == 0 ? 0 : size - 1};
  const auto asked =
    range_applies(r.x.header("if-range"), d->text) ? r.x.header("range") : std::string_view();
  const auto kind = runtime::parse_range(asked, size, range);
  if (kind == runtime::range_kind::unsatisfiable) {
    auto none = registry_error(416, "SIZE_INVALID", "the range is outside the blob");
    none.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    co_await r.x.respond(std::move(none));
    co_return result<void>{};
  }
  auto head = blob_response(kind == runtime::range_kind::none ? 200 : 206, *d);
  if (kind != runtime::range_kind::none) {
    head.headers.emplace_back("Content-Range", range_text(range, size));
  }
  const auto length = size == 0 ? 0 : range.last - range.first + 1;
  if ((*blob)->descriptor() >= 0) {
    co_await r.x.respond_file(std::move(head), (*blob)->descriptor(), range.first, length);
    co_return result<void>{};
  }
  co_return co_await stream_blob(r.x, std::move(head), **blob, range);
}

/// For stores whose blobs are no files. A failure after the first byte can only end the answer early.
awaitable<result<void>> registry_core::stream_blob(
  exchange& x,
  response head,
  storage::blob_reader& blob,
  runtime::byte_range range) {
  co_await x.begin(std::move(head));
  std::string buffer(stream_bytes, '\0');
  const auto end = blob.size() == 0 ? 0 : range.last + 1;
  for (auto at = range.first; at < end;) {
    const auto want = std::min<std::uint64_t>(buffer.size(), end - at);
    std::function<result<std::size_t>()> read = [&] {
      return blob.read_at(at, std::span(buffer.data(), want));
    };
    const auto n = co_await run_on<result<std::size_t>>(pool_, std::move(read));
    if (!n || *n == 0) {
      co_return result<void>{};
    }
    const bool sent = co_await x.write(std::string_view(buffer).substr(0, *n));
    if (!sent) {
      co_return result<void>{};
    }
    at += *n;
  }
  co_await x.end();
  co_return result<void>{};
}

awaitable<result<void>> registry_core::delete_blob(registry_request& r) {
  const auto d = storage::parse_digest(r.last);
  if (!d) {
    co_return tl::unexpected(d.error());
  }
  std::function<result<void>()> work = [&] {
    return parts_.repositories.unlink_blob(r.repository, *d);
  };
  auto done = co_await run_on<result<void>>(pool_, std::move(work));
  if (!done) {
    co_return done;
  }
  auto answer = registry_response(202);
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

}  // namespace slipway::gateways
