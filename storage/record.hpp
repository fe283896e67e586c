#pragma once

#include "messages/error.hpp"
#include "messages/event.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Values as bytes: one byte with the format's number, then msgpack. docs/formats/log.md, rows.md.
namespace slipway::storage {

constexpr char record_format = 1;
constexpr char row_format = 1;

/// A commit above this is refused with too_large: one command's changes have to fit in memory many times over.
constexpr std::size_t commit_bytes_max = 16U << 20U;

/// Appends the log record of `c` at `position`.
void encode_record(
  std::string& out,
  messages::log_position position,
  std::uint64_t version,
  const messages::commit& c);
/// Overwrites `r` and uses its buffers again. Errors: corrupt, unsupported (a format from a newer version).
[[nodiscard]] messages::result<void> decode_record(std::string_view bytes, messages::log_record& r);

/// Appends a row; trailing nulls are left out, so that equal rows are equal bytes.
void encode_row(std::string& out, const messages::row& row);
/// Errors: corrupt, unsupported.
[[nodiscard]] messages::result<messages::row> decode_row(std::string_view bytes);

/// Where the elements of an encoded row are, so that a change copies what it does not touch.
class row_layout {
public:
  /// Keeps a view of `bytes`. False when it is not a row.
  [[nodiscard]] bool parse(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  /// The msgpack of element n, that of null when the row is shorter.
  [[nodiscard]] std::string_view element(std::size_t n) const;

private:
  const char* begin_ = nullptr;
  std::vector<std::uint32_t> ends_;
};

/// Writes rows as changes of earlier ones. Holds buffers; one thread.
class row_editor {
public:
  /// Starts a row of at most `field_count` fields: nothing set but what `before` holds ("" = a new row).
  /// False when `before` is not a row.
  [[nodiscard]] bool begin(std::string_view before, std::size_t field_count);
  /// Keeps a pointer to `v`. `field` is below the count.
  void set(std::size_t field, const messages::value& v) { changed_[field] = &v; }
  /// Takes a `set` back: the field stays as it was before.
  void keep(std::size_t field) { changed_[field] = nullptr; }
  /// Overwrites `out`; `before` may not be in it.
  void finish(std::string& out) const;

private:
  row_layout before_;
  std::vector<const messages::value*> changed_;
};

}  // namespace slipway::storage
