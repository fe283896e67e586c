#pragma once

#include "gateways/registry/registry.hpp"
#include "gateways/registry/token_endpoint.hpp"
#include "gateways/services.hpp"
#include "storage/collector.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace slipway::runtime {

/// The image row behind a repository `v2/<hash>`, or behind a build's cache stage `v2/<hash>-<n>`.
[[nodiscard]] std::optional<messages::row>
image_of(const gateways::services& s, const domain::row_source& rows, std::string repository);

// How the registry's token service knows who asks and what he may do: answered from the read model.
[[nodiscard]] gateways::identify registry_identify(std::shared_ptr<const gateways::services> s);
[[nodiscard]] gateways::authorize registry_authorize(std::shared_ptr<const gateways::services> s);
/// Who may pull an image sees its repository in the catalog.
[[nodiscard]] decltype(gateways::registry_options::may_list) registry_listing(
  std::shared_ptr<const gateways::services> s);
/// For the collector: image rows make their repositories, and name the manifest that was pushed for them. Each call of the result begins
/// a run, in which rows that are stored under another host than the present one still count.
[[nodiscard]] std::function<storage::repository_user()> registry_users(
  std::shared_ptr<const gateways::services> s);

using still_may = decltype(gateways::registry_parts::still_may);
/// Whether the credential behind a token is still good, and its right too.
[[nodiscard]] still_may registry_still_may(std::shared_ptr<const gateways::services> s);

}  // namespace slipway::runtime
