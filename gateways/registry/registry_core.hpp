#pragma once

#include "gateways/registry/completion.hpp"
#include "gateways/registry/manifest_cache.hpp"
#include "gateways/registry/names.hpp"
#include "gateways/registry/registry.hpp"
#include "runtime/http_text.hpp"

#include <atomic>
#include <optional>
#include <span>

namespace slipway::gateways {

using runtime::awaitable;
using runtime::exchange;
using runtime::response;

/// One request, once it is known what it asks and that its token allows it.
struct registry_request {
  exchange& x;
  std::string repository;  ///< the real one, aliases resolved
  std::string shown;       ///< as the client calls it, for Location
  std::string last;        ///< digest, tag or upload id; "" for the catalog
  std::shared_ptr<const registry_claims> claims;
  runtime::query_pairs query;
  bool body_late =
    false;  ///< it did not come in time: 408, and not the 504 of others that are late
};

/// The registry's parts, one file each: blobs, manifests, uploads. Handlers answer the exchange themselves, or return the error.
class registry_core final : public registry {
public:
  registry_core(registry_parts parts, registry_options o);
  ~registry_core() override;

  awaitable<void> handle(exchange& x) override;
  void stop() override;

private:
  using handler = awaitable<messages::result<void>> (registry_core::*)(registry_request&);
  struct operation {
    handler run;
    const char* needs;      ///< action of the token
    const char* challenge;  ///< actions that a client should ask for
  };
  struct row {
    registry_resource resource;
    std::string_view method;
    operation what;
  };
  static std::span<const row> table();
  static operation find(registry_resource resource, std::string_view method);
  static std::string methods_of(registry_resource resource);

  /// Fetches what a mirrored repository lacks of what is asked for.
  awaitable<messages::result<void>> fetch_mirrored(
    const registry_request& r,
    registry_resource resource);

  awaitable<void> base(exchange& x);
  /// The bearer's claims when they allow `what`; else the challenge has been sent.
  awaitable<std::shared_ptr<const registry_claims>>
  admit(exchange& x, const registry_route& route, const operation& what, std::string& repository);
  awaitable<void> refuse(exchange& x, const messages::error& e);
  awaitable<void> challenge(exchange& x, const messages::error& e, const std::string& scope);
  messages::result<std::shared_ptr<const registry_claims>> bearer(const exchange& x);

  // registry_blobs.cpp
  awaitable<messages::result<void>> get_blob(registry_request& r);
  awaitable<messages::result<void>> head_blob(registry_request& r);
  awaitable<messages::result<void>> delete_blob(registry_request& r);
  awaitable<messages::result<void>>
  stream_blob(exchange& x, response head, storage::blob_reader& blob, runtime::byte_range range);

  /// Somebody who may push asks for it: it must stay for long enough to be referred to.
  awaitable<void> touch(
    const registry_request& r,
    const storage::digest& d,
    bool manifest,
    std::int64_t touched_ms);

  // registry_manifests.cpp
  awaitable<messages::result<void>> get_manifest(registry_request& r);
  awaitable<messages::result<void>> put_manifest(registry_request& r);
  awaitable<messages::result<void>> delete_manifest(registry_request& r);
  messages::result<storage::manifest_record> find_manifest(const registry_request& r) const;
  messages::result<std::shared_ptr<const std::string>> manifest_bytes(const std::string& digest);
  messages::result<storage::digest> store_manifest(
    const registry_request& r,
    const std::string& content_type,
    const std::string& bytes);

  // registry_lists.cpp
  awaitable<messages::result<void>> list_tags(registry_request& r);
  awaitable<messages::result<void>> list_referrers(registry_request& r);
  awaitable<messages::result<void>> list_repositories(registry_request& r);

  // registry_uploads.cpp
  awaitable<messages::result<void>> post_upload(registry_request& r);
  awaitable<messages::result<void>> patch_upload(registry_request& r);
  awaitable<messages::result<void>> put_upload(registry_request& r);
  awaitable<messages::result<void>> get_upload(registry_request& r);
  awaitable<messages::result<void>> delete_upload(registry_request& r);
  awaitable<messages::result<bool>> try_mount(registry_request& r, std::string_view digest);
  messages::result<void> mount_from(const registry_request& r, const storage::digest& d);
  /// Bytes that the repository may still take in.
  awaitable<messages::result<std::uint64_t>> room(const std::string& repository);
  awaitable<messages::result<std::string>> open_upload(const std::string& repository);
  awaitable<messages::result<std::shared_ptr<actors::upload_loan>>> borrow(registry_request& r);
  awaitable<messages::result<void>> receive(registry_request& r, storage::blob_writer& writer);
  awaitable<messages::result<void>>
  receive_into(registry_request& r, storage::blob_writer& writer, std::uint64_t to);
  /// The writer takes the bytes, if there is space on the disk and the quota has room.
  messages::result<void>
  append(const std::string& upload, storage::blob_writer& writer, std::span<const char> bytes);
  /// Whether there is space on the disk, and in the quota for what the request announces.
  awaitable<messages::result<void>> admit_body(const registry_request& r, std::uint64_t offset);
  /// The upload is over: it holds nothing of the quota any more.
  void release(const std::string& upload, bool stored);
  awaitable<messages::result<void>> complete(
    registry_request& r,
    std::shared_ptr<actors::upload_loan>& loan,
    std::string_view digest);

  registry_parts parts_;
  registry_options options_;
  manifest_cache cache_;
  std::atomic<std::size_t> bodies_{0};
  std::atomic<std::size_t> large_manifests_{0};
  boost::asio::thread_pool pool_;
};

/// With the header field that every answer of the registry has.
[[nodiscard]] response registry_response(int status);
/// With the specification's body.
[[nodiscard]] response registry_error(int status, std::string_view code, std::string_view message);
/// Sets that body.
void add_error(response& r, std::string_view code, std::string_view message);
/// Whether the token lets its bearer do `action`; the real repository, or "".
[[nodiscard]] std::string
allowed_repository(const registry_claims& claims, std::string_view name, std::string_view action);

}  // namespace slipway::gateways
