#include "storage/embedded_snapshots.hpp"

#include "runtime/failpoint.hpp"
#include "storage/keys.hpp"

namespace slipway::storage {
namespace {

constexpr char snapshot_format = 1;

std::string key_of(messages::entity_ref entity) {
  std::string key;
  keys::append_entity(key, entity);
  return key;
}

}  // namespace

messages::result<void> embedded_snapshots::put(
  messages::entity_ref entity,
  std::string_view bytes) {
  if (bytes.size() > snapshot_bytes_max) {
    return fail(errc::too_large, "a snapshot of " + std::to_string(bytes.size()) + " bytes");
  }
  std::string value(1, snapshot_format);
  value += bytes;
  const auto s =
    database_->db().Put({}, database_->snapshots(), slice(key_of(entity)), slice(value));
  SLIPWAY_FAILPOINT("storage.snapshot.put");
  if (!s.ok()) {
    return tl::unexpected(to_error("put a snapshot", s));
  }
  return {};
}

messages::result<std::optional<std::string>> embedded_snapshots::get(
  messages::entity_ref entity) const {
  std::string value;
  const auto s = database_->db().Get({}, database_->snapshots(), slice(key_of(entity)), &value);
  // A format that is not ours is no snapshot: it is made again.
  if (s.IsNotFound() || (s.ok() && (value.empty() || value[0] != snapshot_format))) {
    return std::optional<std::string>{};
  }
  if (!s.ok()) {
    return tl::unexpected(to_error("read a snapshot", s));
  }
  value.erase(0, 1);
  return std::optional(std::move(value));
}

messages::result<void> embedded_snapshots::remove(messages::entity_ref entity) {
  const auto s = database_->db().Delete({}, database_->snapshots(), slice(key_of(entity)));
  if (!s.ok()) {
    return tl::unexpected(to_error("remove a snapshot", s));
  }
  return {};
}

messages::result<void> embedded_snapshots::each(
  messages::entity_kind kind,
  const std::function<bool(messages::entity_ref, std::string_view)>& visit) const {
  std::string prefix;
  keys::append_u8(prefix, static_cast<std::uint8_t>(kind));
  const std::unique_ptr<rocksdb::Iterator> it(
    database_->db().NewIterator({}, database_->snapshots()));
  for (it->Seek(slice(prefix)); it->Valid() && it->key().starts_with(slice(prefix)); it->Next()) {
    const auto value = std::string_view(it->value().data(), it->value().size());
    if (it->key().size() != keys::entity_bytes || value.empty() || value[0] != snapshot_format) {
      continue;
    }
    if (!visit(keys::read_entity({it->key().data(), it->key().size()}), value.substr(1))) {
      return {};
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("read snapshots", it->status()));
  }
  return {};
}

}  // namespace slipway::storage
