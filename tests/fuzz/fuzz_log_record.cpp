#include "runtime/assert.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/wire.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using namespace slipway;

// Log records and rows from a damaged or hostile store: refused or read, never a crash; what was read survives being written again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  messages::log_record record;
  if (storage::decode_record(bytes, record)) {
    std::string written;
    storage::encode_record(written, record.position, record.version, record.commit);
    messages::log_record again;
    SLIPWAY_ASSERT(storage::decode_record(written, again).has_value());
    SLIPWAY_ASSERT(again.position == record.position && again.version == record.version);
    std::string twice;
    storage::encode_record(twice, again.position, again.version, again.commit);
    SLIPWAY_ASSERT(twice == written);
  }
  if (const auto row = storage::decode_row(bytes)) {
    std::string written;
    storage::encode_row(written, *row);
    SLIPWAY_ASSERT(storage::decode_row(written).has_value());
  }
  storage::row_layout layout;
  if (layout.parse(bytes)) {
    std::string key;
    for (std::size_t n = 0; n <= layout.size(); ++n) {
      SLIPWAY_ASSERT(storage::keys::append_element(key, layout.element(n)));
    }
    storage::row_editor editor;
    SLIPWAY_ASSERT(editor.begin(bytes, 8));
    const messages::value changed = std::int64_t{1};
    editor.set(7, changed);
    std::string edited;
    editor.finish(edited);
    const auto row = storage::decode_row(edited);
    SLIPWAY_ASSERT(row.has_value() && (*row)[7] == changed);
  }
  storage::wire_reader reader(bytes);
  (void)reader.skip();
  return 0;
}
