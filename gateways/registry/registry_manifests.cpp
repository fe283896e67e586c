#include "gateways/counted_slot.hpp"
#include "gateways/registry/conditions.hpp"
#include "gateways/registry/manifest.hpp"
#include "gateways/registry/registry_core.hpp"
#include "runtime/crypto.hpp"

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::int64_t manifest_usual_bytes = 64 * 1024;

bool is_digest(std::string_view reference) {
  return reference.find(':') != std::string_view::npos;
}

response manifest_response(int status, const storage::manifest_record& m) {
  auto r = registry_response(status);
  r.content_type = m.media_type;
  r.headers.emplace_back("Docker-Content-Digest", m.digest);
  r.headers.emplace_back("ETag", "\"" + m.digest + "\"");
  r.headers.emplace_back("Accept-Ranges", "bytes");
  return r;
}

/// The whole, or the part that `Range` asks for.
response
ranged_manifest(const exchange& x, const storage::manifest_record& m, const std::string& bytes) {
  const auto size = bytes.size();
  runtime::byte_range range{};
  const auto asked =
    range_applies(x.header("if-range"), m.digest) ? x.header("range") : std::string_view();
  const auto kind = runtime::parse_range(asked, size, range);
  if (kind == runtime::range_kind::unsatisfiable) {
    auto none = registry_error(416, "SIZE_INVALID", "the range is outside the manifest");
    none.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    return none;
  }
  if (kind == runtime::range_kind::none) {
    auto whole = manifest_response(200, m);
    whole.body = bytes;
    return whole;
  }
  auto part = manifest_response(206, m);
  part.headers.emplace_back(
    "Content-Range",
    "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/"
      + std::to_string(size));
  part.body = bytes.substr(range.first, range.last - range.first + 1);
  return part;
}

}  // namespace

result<storage::manifest_record> registry_core::find_manifest(const registry_request& r) const {
  if (is_digest(r.last)) {
    auto d = storage::parse_digest(r.last);
    return d ? parts_.repositories.manifest(r.repository, *d) : tl::unexpected(d.error());
  }
  if (!valid_tag(r.last)) {
    return fail(errc::manifest_unknown, "no such tag");
  }
  return parts_.repositories.tagged(r.repository, r.last);
}

result<manifest_cache::bytes_ptr> registry_core::manifest_bytes(const std::string& digest) {
  if (auto known = cache_.find(digest); known) {
    return known;
  }
  const auto blob = parts_.blobs.open(storage::digest{digest});
  if (!blob) {
    return tl::unexpected(blob.error());
  }
  std::string bytes(std::min<std::uint64_t>((*blob)->size(), manifest_bytes_max), '\0');
  const auto n = (*blob)->read_at(0, bytes);
  if (!n || *n != bytes.size()) {
    return n ? fail(errc::corrupt, "manifest " + digest + " is cut short")
             : tl::unexpected(n.error());
  }
  auto shared = std::make_shared<const std::string>(std::move(bytes));
  cache_.add(digest, shared);
  return shared;
}

awaitable<result<void>> registry_core::get_manifest(registry_request& r) {
  auto record = find_manifest(r);
  if (record && r.x.head().method == "HEAD") {
    const storage::digest d{record->digest};
    co_await touch(r, d, true, record->touched_ms);
    record = parts_.repositories.manifest(r.repository, d);
  }
  if (!record) {
    co_return tl::unexpected(record.error());
  }
  const auto verdict =
    check_conditions(r.x.header("if-match"), r.x.header("if-none-match"), record->digest);
  if (verdict != condition::go_on) {
    auto answer =
      verdict == condition::not_modified
        ? manifest_response(304, *record)
        : registry_error(412, "UNSUPPORTED", "the manifest does not match the condition");
    co_await r.x.respond(std::move(answer));
    co_return result<void>{};
  }
  if (r.x.head().method == "HEAD") {
    auto answer = manifest_response(200, *record);
    co_await r.x.respond_head(std::move(answer), record->size);
    co_return result<void>{};
  }
  const auto bytes = manifest_bytes(record->digest);
  if (!bytes) {
    co_return tl::unexpected(bytes.error());
  }
  auto answer = ranged_manifest(r.x, *record, **bytes);
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

result<storage::digest> registry_core::store_manifest(
  const registry_request& r,
  const std::string& content_type,
  const std::string& bytes) {
  // A client that pushes by tag may name the digest beside it, for an algorithm other than SHA-256.
  const auto named = runtime::query_value(r.query, "digest");
  const auto wanted = is_digest(r.last) ? std::string_view(r.last) : named.value_or("");
  auto d = wanted.empty() ? storage::digest{"sha256:" + runtime::sha256_hex(bytes)}
                          : storage::parse_digest(wanted);
  if (!d) {
    return d;
  }
  const auto manifest = parse_manifest(bytes, content_type);
  if (!manifest) {
    return tl::unexpected(manifest.error());
  }
  auto entry = manifest_to_store(*manifest, *d, bytes.size());
  entry.record.touched_ms = options_.now_ms();
  entry.tag = is_digest(r.last) ? std::string() : r.last;
  if (auto space = options_.disk ? options_.disk() : result<void>{}; !space) {
    return tl::unexpected(space.error());
  }
  if (options_.quota != nullptr) {
    const auto left = options_.quota->room(r.repository);
    if (!left || *left < bytes.size()) {
      return left ? fail(errc::forbidden, quota_exceeded) : tl::unexpected(left.error());
    }
  }
  const auto done = parts_.links.put_manifest(r.repository, entry, bytes);
  if (!done) {
    return tl::unexpected(done.error());
  }
  return d;
}

awaitable<result<void>> registry_core::put_manifest(registry_request& r) {
  if (!is_digest(r.last) && !valid_tag(r.last)) {
    co_return fail(errc::manifest_invalid, "invalid tag");
  }
  // Each connection may hold a usual one; large ones from all of them would be the server's memory.
  const auto length = r.x.content_length();
  const bool usual =
    length >= 0 && length <= manifest_usual_bytes && r.x.header("content-encoding").empty();
  std::optional<counted_slot> slot;
  if (!usual && !slot.emplace(large_manifests_, options_.large_manifests_max)) {
    co_return fail(errc::too_many_requests, "too many large manifests at once");
  }
  const auto bytes = co_await r.x.read_body(manifest_bytes_max);
  if (!bytes) {
    r.body_late = bytes.error().code == errc::timed_out;
    co_return tl::unexpected(bytes.error());
  }
  const auto content_type = std::string(r.x.header("content-type"));
  std::function<result<storage::digest>()> work = [&] {
    return store_manifest(r, content_type, *bytes);
  };
  const auto d = co_await run_on<result<storage::digest>>(pool_, std::move(work));
  if (!d) {
    co_return tl::unexpected(d.error());
  }
  auto answer = registry_response(201);
  answer.headers.emplace_back("Location", "/v2/" + r.shown + "/manifests/" + d->text);
  answer.headers.emplace_back("Docker-Content-Digest", d->text);
  const auto stored = parts_.repositories.manifest(r.repository, *d);
  if (stored && !stored->subject.empty()) {
    // Tells the client that it need not keep a list of referrers itself.
    answer.headers.emplace_back("OCI-Subject", stored->subject);
  }
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

awaitable<result<void>> registry_core::delete_manifest(registry_request& r) {
  std::function<result<void>()> work = [&]() -> result<void> {
    if (!is_digest(r.last)) {
      return parts_.repositories.remove_tag(r.repository, r.last, options_.now_ms());
    }
    const auto d = storage::parse_digest(r.last);
    return d ? parts_.repositories.remove_manifest(r.repository, *d) : tl::unexpected(d.error());
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
