#pragma once

#include "gateways/api/odata/parser.hpp"
#include "gateways/assets/asset_body.hpp"
#include "gateways/assets/asset_links.hpp"
#include "gateways/assets/asset_store.hpp"
#include "gateways/assets/asset_uploads.hpp"
#include "gateways/route_table.hpp"
#include "gateways/services.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// The bytes of release assets (balena-api.md 4.12); their rows are the resource model's. The store outlives it.
class release_assets {
public:
  static constexpr std::uint64_t asset_bytes_max = std::uint64_t{16} * 1024 * 1024 * 1024;
  static constexpr std::size_t bodies_max =
    64;  ///< receiving at once; further ones are answered 429

  release_assets(std::shared_ptr<const services> s, asset_store& store);
  ~release_assets();
  /// Waits for what is being written.
  void stop();

  /// Whether a request to `/v7/<path>` is one for here: a form for a release asset, or a step of an upload in parts. All others are
  /// the resource model's.
  [[nodiscard]] static bool takes(const runtime::exchange& x, std::string_view path);
  /// POST and PATCH of forms, beginUpload, commitUpload, cancelUpload.
  runtime::awaitable<void> handle(runtime::exchange& x, std::string path);
  /// GET /release-asset/:id/:name
  runtime::awaitable<void> download(runtime::exchange& x, route_args args);
  /// PUT /release-asset-upload/:upload/:part
  runtime::awaitable<void> put_part(runtime::exchange& x, route_args args);

  /// Removes bytes that nothing uses any more. Every few seconds.
  void sweep();

private:
  struct call;
  struct target {
    std::int64_t id = 0;
    messages::entity_ref entity;
  };
  using outcome = runtime::awaitable<messages::result<runtime::response>>;
  outcome run(runtime::exchange& x, std::string path);
  outcome create(call& c);
  outcome replace(call& c);
  outcome begin_upload(call& c);
  outcome commit_upload(call& c);
  outcome cancel_upload(call& c);
  outcome receive_part(runtime::exchange& x, std::shared_ptr<asset_upload> upload, std::int64_t n);

  /// The one asset that the request names, if the requester may change it. Errors: not_found, unauthorized.
  [[nodiscard]] messages::result<target> find(const call& c) const;
  /// May an asset of that release be created? Errors: unauthorized, rule_violated.
  [[nodiscard]] messages::result<messages::entity_ref> may_create(
    const messages::requester& by,
    const std::string& release) const;
  /// Makes the form's file durable and tells what it is.
  runtime::awaitable<messages::result<stored_asset>> store(
    asset_form& form,
    std::shared_ptr<asset_store::hold>& held);
  /// One file of all parts.
  [[nodiscard]] messages::result<std::shared_ptr<asset_store::hold>> join(
    const std::vector<asset_part>& parts);
  runtime::awaitable<messages::result<void>> write(call& c, const target& t, const stored_asset& a);

  std::shared_ptr<const services> s_;
  asset_store& store_;
  asset_uploads uploads_;
  std::atomic<std::size_t> bodies_{0};
  boost::asio::thread_pool pool_{4};
};

}  // namespace slipway::gateways
