#include "storage/record.hpp"

#include "messages/codec.hpp"
#include "storage/wire.hpp"

namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::string_view packed_null("\xc0", 1);

void append_array(std::string& out, std::size_t size) {
  if (size < 16) {
    out.push_back(static_cast<char>(0x90U | size));
  } else {
    out.push_back('\xdc');
    out.push_back(static_cast<char>(size >> 8U));
    out.push_back(static_cast<char>(size & 255U));
  }
}

// As messages::log_record lists them; a reference instead of a copy of the commit.
struct record_view {
  messages::log_position position;
  std::uint64_t version;
  const messages::commit& commit;
  [[nodiscard]] auto fields() const { return std::tie(position, version, commit); }
  auto fields() { return std::tie(position, version, commit); }
  static constexpr auto field_names() { return messages::log_record::field_names(); }
};

result<std::string_view> payload(std::string_view bytes, char format, std::string_view what) {
  if (bytes.empty()) {
    return fail(errc::corrupt, "empty " + std::string(what));
  }
  if (bytes[0] != format) {
    return fail(
      errc::unsupported,
      std::string(what) + " of format " + std::to_string(static_cast<unsigned char>(bytes[0])));
  }
  return bytes.substr(1);
}

}  // namespace

void encode_record(
  std::string& out,
  messages::log_position position,
  std::uint64_t version,
  const messages::commit& c) {
  out.push_back(record_format);
  messages::pack_to(out, record_view{position, version, c});
}

result<void> decode_record(std::string_view bytes, messages::log_record& r) {
  const auto body = payload(bytes, record_format, "log record");
  if (!body) {
    return tl::unexpected(body.error());
  }
  wire_reader in(*body);
  if (!in.read(r) || !in.at_end()) {
    return fail(errc::corrupt, "log record does not decode");
  }
  return {};
}

void encode_row(std::string& out, const messages::row& row) {
  auto size = row.size();
  while (size > 0 && messages::is_null(row[size - 1])) {
    --size;
  }
  out.push_back(row_format);
  append_array(out, size);
  for (std::size_t i = 0; i < size; ++i) {
    messages::pack_to(out, row[i]);
  }
}

result<messages::row> decode_row(std::string_view bytes) {
  const auto body = payload(bytes, row_format, "row");
  if (!body) {
    return tl::unexpected(body.error());
  }
  wire_reader in(*body);
  messages::row row;
  wire_reader peek = in;
  if (std::uint32_t size = 0; peek.read_array(size)) {
    row.reserve(std::min<std::size_t>(size, 64));
  }
  if (!in.read(row) || !in.at_end()) {
    return fail(errc::corrupt, "row does not decode");
  }
  return row;
}

bool row_layout::parse(std::string_view bytes) {
  ends_.clear();
  if (bytes.empty() || bytes[0] != row_format || bytes.size() > commit_bytes_max) {
    return false;
  }
  wire_reader in(bytes.substr(1));
  std::uint32_t size = 0;
  if (!in.read_array(size)) {
    return false;
  }
  begin_ = in.position();
  for (std::uint32_t i = 0; i < size; ++i) {
    wire_scalar s;
    if (!in.read_scalar(s)) {
      return false;
    }
    ends_.push_back(static_cast<std::uint32_t>(in.position() - begin_));
  }
  return in.at_end();
}

std::string_view row_layout::element(std::size_t n) const {
  if (n >= ends_.size()) {
    return packed_null;
  }
  const auto from = n == 0 ? 0 : ends_[n - 1];
  return {begin_ + from, ends_[n] - from};
}

bool row_editor::begin(std::string_view before, std::size_t field_count) {
  // An empty array stands for a new row.
  static constexpr char nothing[] = {row_format, '\x90'};
  if (!before_.parse(before.empty() ? std::string_view(nothing, sizeof nothing) : before)) {
    return false;
  }
  changed_.assign(std::max(field_count, before_.size()), nullptr);
  return true;
}

void row_editor::finish(std::string& out) const {
  auto size = changed_.size();
  const auto absent = [this](std::size_t n) {
    return changed_[n] != nullptr ? messages::is_null(*changed_[n])
                                  : before_.element(n) == packed_null;
  };
  while (size > 0 && absent(size - 1)) {
    --size;
  }
  out.clear();
  out.push_back(row_format);
  append_array(out, size);
  for (std::size_t n = 0; n < size; ++n) {
    if (changed_[n] != nullptr) {
      messages::pack_to(out, *changed_[n]);
    } else {
      out += before_.element(n);
    }
  }
}

}  // namespace slipway::storage
