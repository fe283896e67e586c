#include "gateways/registry/manifest.hpp"
#include "gateways/registry/registry_core.hpp"
#include "runtime/crypto.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::size_t tags_per_answer_max = 1000;

bool is_digest(std::string_view reference) {
  return reference.find(':') != std::string_view::npos;
}

response manifest_response(int status, const storage::manifest_record& m) {
  auto r = registry_response(status);
  r.content_type = m.media_type;
  r.headers.emplace_back("Docker-Content-Digest", m.digest);
  r.headers.emplace_back("ETag", "\"" + m.digest + "\"");
  return r;
}

/// Everything that the manifest names must be in the repository already, with the size it states.
result<void> check_references(
  const storage::repository_store& repositories,
  const std::string& repository,
  const parsed_manifest& m) {
  const auto missing = [](const descriptor& d) {
    return fail(errc::manifest_blob_unknown, "not in this repository: " + d.id.text);
  };
  for (const auto& blob : m.blobs) {
    const auto size = repositories.blob_size(repository, blob.id);
    if (!size) {
      return size.error().code == errc::blob_unknown ? missing(blob) : tl::unexpected(size.error());
    }
    if (*size != blob.size) {
      return fail(errc::manifest_invalid, "wrong size of " + blob.id.text);
    }
  }
  for (const auto& member : m.manifests) {
    const auto known = repositories.manifest(repository, member.id);
    if (!known) {
      return known.error().code == errc::manifest_unknown ? missing(member)
                                                          : tl::unexpected(known.error());
    }
    if (known->size != member.size) {
      return fail(errc::manifest_invalid, "wrong size of " + member.id.text);
    }
  }
  return {};
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
  const auto record = find_manifest(r);
  if (!record) {
    co_return tl::unexpected(record.error());
  }
  if (r.x.header("if-none-match").find(record->digest) != std::string_view::npos) {
    auto answer = manifest_response(304, *record);
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
  auto answer = manifest_response(200, *record);
  answer.body = **bytes;
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

result<storage::digest> registry_core::store_manifest(
  const registry_request& r,
  const std::string& content_type,
  const std::string& bytes) {
  auto d = is_digest(r.last) ? storage::parse_digest(r.last)
                             : storage::digest{"sha256:" + runtime::sha256_hex(bytes)};
  if (!d) {
    return d;
  }
  const auto manifest = parse_manifest(bytes, content_type);
  if (!manifest) {
    return tl::unexpected(manifest.error());
  }
  auto done = check_references(parts_.repositories, r.repository, *manifest);
  if (done) {
    done = parts_.blobs.put(*d, bytes);
  }
  if (done) {
    const auto tag = is_digest(r.last) ? std::string() : r.last;
    done = parts_.repositories.put_manifest(
      r.repository,
      {d->text, manifest->media_type, bytes.size()},
      tag);
  }
  return done ? d : tl::unexpected(done.error());
}

awaitable<result<void>> registry_core::put_manifest(registry_request& r) {
  if (!is_digest(r.last) && !valid_tag(r.last)) {
    co_return fail(errc::manifest_invalid, "invalid tag");
  }
  const auto bytes = co_await r.x.read_body(manifest_bytes_max);
  if (!bytes) {
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
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

awaitable<result<void>> registry_core::delete_manifest(registry_request& r) {
  std::function<result<void>()> work = [&]() -> result<void> {
    if (!is_digest(r.last)) {
      return parts_.repositories.remove_tag(r.repository, r.last);
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

awaitable<result<void>> registry_core::list_tags(registry_request& r) {
  const auto n = runtime::query_value(r.query, "n").value_or("");
  std::size_t count = tags_per_answer_max;
  if (!n.empty()) {
    const auto parsed = std::from_chars(n.data(), n.data() + n.size(), count);
    if (parsed.ec != std::errc{} || parsed.ptr != n.data() + n.size()) {
      co_return fail(errc::invalid_argument, "n is a number");
    }
    count = std::min(count, tags_per_answer_max);
  }
  const auto last = runtime::query_value(r.query, "last").value_or("");
  auto tags = parts_.repositories.tags(r.repository, last, count + 1);
  if (!tags) {
    co_return tl::unexpected(tags.error());
  }
  auto answer = registry_response(200);
  if (tags->size() > count) {
    tags->resize(count);
    if (count > 0) {
      answer.headers.emplace_back(
        "Link",
        "</v2/" + r.shown + "/tags/list?n=" + std::to_string(count)
          + "&last=" + runtime::percent_encode(tags->back()) + ">; rel=\"next\"");
    }
  }
  answer.content_type = "application/json";
  answer.body = nlohmann::json{{"name", r.shown}, {"tags", *tags}}.dump();
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

}  // namespace slipway::gateways
