#include "domain/numbers.hpp"
#include "gateways/assets/release_assets.hpp"
#include "runtime/http_text.hpp"

#include <utility>

namespace slipway::gateways {

using domain::numbers::get;
using messages::errc;
using messages::field;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

/// What every answer with an asset says. The bytes are a user's: no browser is to take them for a page of this server.
response asset_head(int status, const stored_asset& a) {
  response r;
  r.status = status;
  r.content_type = a.content_type;
  r.headers = {
    {"ETag", "\"" + a.digest + "\""},
    {"Accept-Ranges", "bytes"},
    {"Cache-Control", "private, max-age=3600"},
    {"Content-Disposition", "attachment; filename*=UTF-8''" + runtime::percent_encode(a.filename)},
    {"Content-Security-Policy", "default-src 'none'; sandbox"},
    {"X-Content-Type-Options", "nosniff"}};
  return r;
}

/// The range that is asked for, unless it was asked of other bytes (RFC 9110, 13.1.5).
std::string_view range_of(const exchange& x, const stored_asset& a) {
  const auto condition = x.header("if-range");
  return condition.empty() || condition == "\"" + a.digest + "\"" ? x.header("range")
                                                                  : std::string_view{};
}

awaitable<void> send(exchange& x, const stored_asset& a, storage::blob_reader& bytes) {
  const auto size = bytes.size();
  runtime::byte_range range{0, size == 0 ? 0 : size - 1};
  const auto kind = runtime::parse_range(range_of(x, a), size, range);
  if (kind == runtime::range_kind::unsatisfiable) {
    auto none = asset_head(416, a);
    none.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    co_return co_await x.respond(std::move(none));
  }
  const bool part = kind == runtime::range_kind::satisfiable;
  auto head = asset_head(part ? 206 : 200, a);
  if (part) {
    head.headers.emplace_back(
      "Content-Range",
      "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/"
        + std::to_string(size));
  }
  const auto length = size == 0 ? 0 : range.last - range.first + 1;
  if (x.head().method == "HEAD") {
    co_return co_await x.respond_head(std::move(head), length);
  }
  co_await x.respond_file(std::move(head), bytes.descriptor(), range.first, length);
}

}  // namespace

awaitable<void> release_assets::download(exchange& x, route_args args) {
  const auto id = args.number("id").value_or(0);
  const auto& n = get().release_asset;
  const auto row = s_->store.rows->view()->get(n.resource, id);
  const auto a = row ? parse_stored_asset(field(*row, n.asset)) : std::nullopt;
  if (!a) {
    co_return co_await x.respond(error_response(errc::not_found, "no such asset"));
  }
  const auto allowed = s_->asset_links->check_download(id, *a, x.head().query);
  if (!allowed) {
    co_return co_await x.respond(error_response(allowed.error()));
  }
  if (x.header("if-none-match").find(a->digest) != std::string_view::npos) {
    auto unchanged = asset_head(304, *a);
    unchanged.content_type.clear();
    co_return co_await x.respond(std::move(unchanged));
  }
  const auto bytes = store_.open(a->digest);
  if (!bytes) {
    co_return co_await x.respond(error_response(bytes.error()));
  }
  co_await send(x, *a, **bytes);
}

}  // namespace slipway::gateways
