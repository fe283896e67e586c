#pragma once

#include "messages/entity.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// Keys as bytes: big-endian, so that their order is the order of what they name. docs/formats/log.md and rows.md have
/// worked examples. The `append_` functions add to `out`, so that one buffer serves many keys.
namespace slipway::storage::keys {

inline void append_u8(std::string& out, std::uint8_t n) {
  out.push_back(static_cast<char>(n));
}
void append_u16(std::string& out, std::uint16_t n);
void append_u64(std::string& out, std::uint64_t n);
/// `bytes` has at least 2.
[[nodiscard]] std::uint16_t read_u16(std::string_view bytes);
/// `bytes` has at least 8.
[[nodiscard]] std::uint64_t read_u64(std::string_view bytes);

/// `log`: partition, seq. 9 bytes.
void append_log(std::string& out, int partition, std::uint64_t seq);
constexpr std::size_t log_bytes = 9;

/// `heads` and `snapshots`: kind, id. 9 bytes.
void append_entity(std::string& out, messages::entity_ref entity);
/// `bytes` has 9.
[[nodiscard]] messages::entity_ref read_entity(std::string_view bytes);
constexpr std::size_t entity_bytes = 9;

/// `rows`: resource, id. 10 bytes. Ids are positive.
void append_row(std::string& out, std::uint16_t resource, std::int64_t id);
constexpr std::size_t row_bytes = 10;

/// `index`: resource, index, then each indexed value by `append_value`, then the id unless the entry is unique and has
/// no null. Values order: null, false, true, integers, floats, text by bytes, JSON by bytes.
void append_index(std::string& out, std::uint16_t resource, std::uint16_t index);
constexpr std::size_t index_prefix_bytes = 4;
void append_value(std::string& out, const messages::value& v);
/// The same for a value that is still msgpack; false when it is none of ours.
[[nodiscard]] bool append_element(std::string& out, std::string_view msgpack);

/// Texts longer than this are in an index by their first bytes and their SHA-256: equality stays exact, keys stay short,
/// the order among texts that agree in so many bytes is arbitrary.
constexpr std::size_t index_text_bytes_max = 256;
/// What every key of texts that begin with `prefix` begins with, as far as the index tells.
void append_text_prefix(std::string& out, std::string_view prefix);

}  // namespace slipway::storage::keys
