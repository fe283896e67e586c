#pragma once

#include "storage/embedded_log.hpp"
#include "storage/store.hpp"

#include <rocksdb/iterator.h>

#include <memory>

namespace slipway::storage {

/// Rows at one instant, read from RocksDB. A row that does not decode ends the process: it was written by us, and its block's
/// checksum was right.
class embedded_view : public read_view {
public:
  embedded_view(
    std::shared_ptr<database> d,
    std::shared_ptr<const plan> p,
    embedded_log::instant at);
  ~embedded_view() override;

  [[nodiscard]] event_log::heads position() const override;
  [[nodiscard]] std::optional<messages::row> get(std::uint16_t resource, std::int64_t id)
    const override;
  void lookup(
    std::uint16_t resource,
    std::uint16_t index,
    std::span<const messages::value> values,
    const visitor& visit) const override;
  void lookup_prefix(
    std::uint16_t resource,
    std::uint16_t index,
    std::string_view prefix,
    const visitor& visit) const override;
  void scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit) const override;

private:
  class borrowed;
  void each_entry(const std::string& prefix, const visitor& visit) const;
  [[nodiscard]] rocksdb::ReadOptions options() const;

  std::shared_ptr<database> database_;
  std::shared_ptr<const plan> plan_;
  embedded_log::instant at_;
  mutable std::unique_ptr<rocksdb::Iterator> index_iterator_;  // kept for the next look-up
};

class embedded_rows : public read_model {
public:
  embedded_rows(
    std::shared_ptr<database> d,
    std::shared_ptr<const plan> p,
    std::shared_ptr<embedded_log> log)
    : database_(std::move(d)), plan_(std::move(p)), log_(std::move(log)) {}
  [[nodiscard]] std::unique_ptr<read_view> view() const override {
    return std::make_unique<embedded_view>(database_, plan_, log_->now());
  }

private:
  std::shared_ptr<database> database_;
  std::shared_ptr<const plan> plan_;
  std::shared_ptr<embedded_log> log_;
};

}  // namespace slipway::storage
