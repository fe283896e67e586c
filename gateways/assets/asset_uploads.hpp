#pragma once

#include "gateways/assets/asset_links.hpp"
#include "gateways/assets/asset_store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::gateways {

/// A part that has arrived.
struct asset_part {
  std::uint64_t size = 0;
  std::shared_ptr<asset_store::hold> bytes;
};

/// An upload in parts that is under way. Lives in memory: with the process its parts go as well (ADR 63).
class asset_upload {
public:
  asset_upload(std::int64_t asset, stored_asset about, std::uint64_t chunk_bytes)
    : asset_(asset), about_(std::move(about)), chunk_bytes_(chunk_bytes) {}

  [[nodiscard]] std::int64_t asset() const { return asset_; }
  [[nodiscard]] const stored_asset& about() const { return about_; }
  [[nodiscard]] std::int64_t parts() const;
  /// Bytes of part `number`, from 1 on; 0 = there is no such part.
  [[nodiscard]] std::uint64_t part_bytes(std::int64_t number) const;
  /// A part that came before is replaced.
  void put(std::int64_t number, asset_part p);
  /// All parts in order. Errors: conflict naming the first one that is missing or whose ETag is another.
  [[nodiscard]] messages::result<std::vector<asset_part>> all(
    const std::map<std::int64_t, std::string>& etags) const;

private:
  std::int64_t asset_;
  stored_asset about_;
  std::uint64_t chunk_bytes_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, asset_part> arrived_;
};

/// All of them. Any thread.
class asset_uploads {
public:
  static constexpr std::size_t uploads_max = 256;  ///< further ones are refused: too_many_requests
  static constexpr std::int64_t parts_max = 10'000;  ///< of one
  static constexpr std::int64_t idle_ms_max = std::int64_t{24} * 3600 * 1000;
  static constexpr std::uint64_t chunk_bytes_min = 64 * 1024;

  /// Answers the upload's name: 32 hex digits, unguessable. Errors: too_many_requests, invalid_argument.
  [[nodiscard]] messages::result<std::string>
  begin(std::int64_t asset, stored_asset about, std::uint64_t chunk_bytes, std::int64_t now_ms);
  /// Null when there is none of that name.
  [[nodiscard]] std::shared_ptr<asset_upload> find(const std::string& name, std::int64_t now_ms);
  void end(const std::string& name);
  /// Forgets those that nobody touched for a day.
  void sweep(std::int64_t now_ms);

private:
  struct entry {
    std::shared_ptr<asset_upload> upload;
    std::int64_t touched_ms = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, entry> known_;
};

}  // namespace slipway::gateways
