#include "storage/tar_format.hpp"

#include "storage/posix_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <numeric>

namespace slipway::storage {

using messages::errc;
using messages::fail;

namespace {

constexpr std::size_t window_bytes = 256U * 1024U;
constexpr std::size_t pax_bytes_max = 64U * 1024U;

struct field {
  std::size_t at;
  std::size_t bytes;
};
constexpr field name_field{0, 100};
constexpr field mode_field{100, 8};
constexpr field size_field{124, 12};
constexpr field mtime_field{136, 12};
constexpr field sum_field{148, 8};
constexpr field kind_field{156, 1};
constexpr field target_field{157, 100};
constexpr field magic_field{257, 8};
constexpr std::string_view magic{"ustar\00000", 8};
constexpr char pax_kind = 'x';

std::uint64_t octal_max(field f) {
  return (std::uint64_t{1} << (3 * (f.bytes - 1))) - 1;
}

void put_octal(std::string& block, field f, std::uint64_t value) {
  for (auto i = f.bytes - 1; i > 0; --i, value >>= 3U) {
    block[f.at + i - 1] = static_cast<char>('0' + (value & 7U));
  }
}

std::optional<std::uint64_t> get_octal(std::string_view block, field f) {
  std::uint64_t value = 0;
  const auto* end = block.data() + f.at + f.bytes - 1;
  const auto [at, error] = std::from_chars(block.data() + f.at, end, value, 8);
  return error == std::errc{} && at == end ? std::optional(value) : std::nullopt;
}

std::string_view get_text(std::string_view block, field f) {
  const auto text = block.substr(f.at, f.bytes);
  return text.substr(0, text.find('\0'));
}

void put_text(std::string& block, field f, std::string_view text) {
  text.copy(block.data() + f.at, f.bytes);
}

/// Sum of all bytes, those of the sum's own field as spaces.
std::uint64_t sum_of(std::string_view block) {
  const auto add = [](std::uint64_t s, char c) { return s + static_cast<unsigned char>(c); };
  const auto after = sum_field.at + sum_field.bytes;
  return std::accumulate(block.begin(), block.begin() + sum_field.at, std::uint64_t{8} * ' ', add)
         + std::accumulate(block.begin() + after, block.end(), std::uint64_t{0}, add);
}

std::string header_block(char kind, std::uint16_t mode, std::uint64_t size, std::int64_t mtime) {
  std::string block(tar_block_bytes, '\0');
  put_octal(block, mode_field, mode);
  put_octal(block, {108, 8}, 0);  // owner
  put_octal(block, {116, 8}, 0);  // group
  put_octal(block, size_field, size);
  put_octal(
    block,
    mtime_field,
    std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(mtime, 0)), octal_max(mtime_field)));
  block[kind_field.at] = kind;
  put_text(block, magic_field, magic);
  return block;
}

void seal(std::string& block) {
  put_octal(block, {sum_field.at, sum_field.bytes - 1}, sum_of(block));
  block[sum_field.at + sum_field.bytes - 1] = ' ';
}

/// `<length> <key>=<value>\n`, the length being that of the whole record.
void add_record(std::string& to, std::string_view key, std::string_view value) {
  const auto rest = 1 + key.size() + 1 + value.size() + 1;
  auto length = rest + std::to_string(rest).size();
  length = rest + std::to_string(length).size();
  to += std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

/// Takes the records of a pax header that matter. False when it is not one that `add_record` wrote.
bool read_records(std::string_view text, tar_entry& to, std::optional<std::uint64_t>& size) {
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(at - text.data());
    if (error != std::errc{} || length > text.size() || length < digits + 3) {
      return false;
    }
    auto record = text.substr(digits + 1, length - digits - 2);
    text.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) {
      return false;
    }
    const auto key = record.substr(0, equals);
    record.remove_prefix(equals + 1);
    if (key == "path") {
      to.path = record;
    } else if (key == "linkpath") {
      to.target = record;
    } else if (key == "size") {
      std::uint64_t n = 0;
      std::from_chars(record.data(), record.data() + record.size(), n);
      size = n;
    }
  }
  return true;
}

tl::unexpected<messages::error> corrupt(std::uint64_t offset) {
  return fail(errc::corrupt, "not a source of ours: byte " + std::to_string(offset));
}

}  // namespace

std::string tar_header(const tar_entry& entry) {
  const auto name = entry.kind == tar_kind::folder ? entry.path + "/" : entry.path;
  std::string records;
  if (name.size() > name_field.bytes) {
    add_record(records, "path", name);
  }
  if (entry.target.size() > target_field.bytes) {
    add_record(records, "linkpath", entry.target);
  }
  if (entry.size > octal_max(size_field)) {
    add_record(records, "size", std::to_string(entry.size));
  }
  std::string out;
  if (!records.empty()) {
    out = header_block(pax_kind, 0644, records.size(), 0);
    put_text(out, name_field, "PaxHeader");
    seal(out);
    out += records;
    out.append(tar_padding(records.size()), '\0');
  }
  auto block = header_block(
    static_cast<char>(entry.kind),
    entry.mode,
    entry.size & octal_max(size_field),
    entry.mtime);
  put_text(block, name_field, name);
  put_text(block, target_field, entry.target);
  seal(block);
  return out + block;
}

messages::result<std::string_view> tar_walk::take(std::size_t bytes) {
  if (offset_ > file_bytes_ || file_bytes_ - offset_ < bytes) {
    return corrupt(offset_);
  }
  const bool inside =
    offset_ >= window_offset_ && offset_ + bytes <= window_offset_ + window_.size();
  if (!inside) {
    window_.resize(std::min<std::uint64_t>(std::max(bytes, window_bytes), file_bytes_ - offset_));
    window_offset_ = offset_;
    std::size_t have = 0;
    while (have < window_.size()) {
      const auto n = ::pread(
        fd_,
        window_.data() + have,
        window_.size() - have,
        static_cast<off_t>(offset_ + have));
      if (n <= 0) {
        return tl::unexpected(from_errno("read", n < 0 ? errno : EIO));
      }
      have += static_cast<std::size_t>(n);
    }
  }
  const std::string_view all(window_.data(), window_.size());
  const auto part = all.substr(offset_ - window_offset_, bytes);
  offset_ += bytes;
  return part;
}

messages::result<std::optional<tar_walk::item>> tar_walk::next() {
  item out;
  std::optional<std::uint64_t> size;
  for (;;) {
    const auto block = take(tar_block_bytes);
    if (!block) {
      return tl::unexpected(block.error());
    }
    if (block->find_first_not_of('\0') == std::string_view::npos) {
      return std::nullopt;
    }
    const auto sum = get_octal(*block, {sum_field.at, sum_field.bytes - 1});
    const auto content = get_octal(*block, size_field);
    const auto mode = get_octal(*block, mode_field);
    const auto mtime = get_octal(*block, mtime_field);
    if (
      get_text(*block, magic_field) != "ustar" || sum != sum_of(*block) || !content || !mode
      || !mtime) {
      return corrupt(offset_);
    }
    const char kind = (*block)[kind_field.at];
    if (kind == pax_kind && *content <= pax_bytes_max) {
      const auto text = take(*content + tar_padding(*content));
      if (!text || !read_records(text->substr(0, *content), out.entry, size)) {
        return corrupt(offset_);
      }
      continue;
    }
    auto& e = out.entry;
    e.kind = static_cast<tar_kind>(kind);
    e.mode = static_cast<std::uint16_t>(*mode);
    e.mtime = static_cast<std::int64_t>(*mtime);
    e.size = size.value_or(*content);
    if (e.path.empty()) {
      e.path = get_text(*block, name_field);
    }
    if (e.target.empty()) {
      e.target = get_text(*block, target_field);
    }
    if (e.kind == tar_kind::folder && e.path.ends_with('/')) {
      e.path.pop_back();
    }
    const bool known =
      e.kind == tar_kind::file || e.kind == tar_kind::link || e.kind == tar_kind::folder;
    if (!known || e.size > file_bytes_ - offset_ || (e.kind != tar_kind::file && e.size > 0)) {
      return corrupt(offset_);
    }
    out.offset = offset_;
    offset_ += e.size + tar_padding(e.size);
    return out;
  }
}

}  // namespace slipway::storage
