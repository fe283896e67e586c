#include "storage/source_input.hpp"

#include "storage/source_index.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::size_t input_bytes = 256U * 1024U;
/// What may follow the end of the archive and is read to be thrown away.
constexpr std::size_t trailing_bytes_max = 1U << 20U;
constexpr std::size_t magic_bytes = 4;

/// The one packing that is taken off. libarchive by itself takes off one after another, each with a window of its own.
int filter_of(std::string_view magic) {
  if (magic.starts_with("\x1f\x8b")) {
    return ARCHIVE_FILTER_GZIP;
  }
  return magic == "\x28\xb5\x2f\xfd" ? ARCHIVE_FILTER_ZSTD : ARCHIVE_FILTER_NONE;
}

/// A warning says that libarchive has changed a name which is not UTF-8.
bool has_bad_name(archive* tar) {
  const auto* text = archive_error_string(tar);
  return text != nullptr && std::string_view(text).find("converted") != std::string_view::npos;
}

messages::error gave_up() {
  return {errc::io_failed, "the source ended before it was whole"};
}

messages::error damaged(archive* a) {
  const auto* text = archive_error_string(a);
  return {
    errc::invalid_argument,
    "not a tar, or a damaged one: " + shown(text != nullptr ? text : "no reason given")};
}

}  // namespace

messages::error unpacks_to_more_than(std::uint64_t bytes_max) {
  return {
    errc::too_large,
    "the project unpacks to more than " + std::to_string(bytes_max >> 20U) + " MiB"};
}

void source_input::free_archive::operator()(archive* a) const {
  archive_read_free(a);
}

source_input::source_input(const byte_source& from, std::uint64_t bytes_max)
  : from_(from),
    bytes_max_(bytes_max),
    buffer_(input_bytes),
    packed_(archive_read_new()),
    tar_(archive_read_new()) {
  archive_read_support_format_raw(packed_.get());
  archive_read_support_format_tar(tar_.get());
}

source_input::~source_input() = default;

bool source_input::open() {
  is_open_ = true;
  while (ahead_ < magic_bytes) {
    const auto n = from_(buffer_.data() + ahead_, buffer_.size() - ahead_);
    if (n < 0) {
      return refuse(gave_up());
    }
    if (n == 0) {
      break;
    }
    ahead_ += static_cast<std::size_t>(n);
  }
  if (const int filter = filter_of({buffer_.data(), std::min(ahead_, magic_bytes)}); filter != 0) {
    archive_read_append_filter(packed_.get(), filter);
  }
  archive_entry* all = nullptr;
  if (
    archive_read_open2(packed_.get(), this, nullptr, read_packed, nullptr, nullptr) != ARCHIVE_OK
    || archive_read_next_header(packed_.get(), &all) != ARCHIVE_OK) {
    return refuse(damaged(packed_.get()));
  }
  return archive_read_open2(tar_.get(), this, nullptr, read_unpacked, nullptr, nullptr)
         == ARCHIVE_OK;
}

result<archive_entry*> source_input::next() {
  header_from_ = given_;
  in_header_ = true;
  archive_entry* entry = nullptr;
  const bool opened = is_open_ || open();
  const int r = opened ? archive_read_next_header(tar_.get(), &entry) : ARCHIVE_FATAL;
  in_header_ = false;
  if (r == ARCHIVE_EOF) {
    return nullptr;
  }
  if (r < ARCHIVE_WARN) {
    return tl::unexpected(error());
  }
  if (r == ARCHIVE_WARN && has_bad_name(tar_.get())) {
    return fail(errc::invalid_argument, "a name in the tar is not UTF-8");
  }
  return entry;
}

result<std::optional<source_input::block>> source_input::content() {
  const void* bytes = nullptr;
  std::size_t length = 0;
  la_int64_t offset = 0;
  const int r = archive_read_data_block(tar_.get(), &bytes, &length, &offset);
  if (r == ARCHIVE_EOF) {
    return std::nullopt;
  }
  if (r < ARCHIVE_WARN || offset < 0) {
    return tl::unexpected(error());
  }
  const std::string_view text(static_cast<const char*>(bytes), length);
  return block{text, static_cast<std::uint64_t>(offset)};
}

void source_input::drain() {
  std::size_t n = 0;
  while (n < trailing_bytes_max) {
    const auto more = from_(buffer_.data(), buffer_.size());
    if (more <= 0) {
      return;
    }
    n += static_cast<std::size_t>(more);
  }
}

bool source_input::refuse(messages::error why) {
  refused_ = refused_ ? refused_ : std::move(why);
  return false;
}

messages::error source_input::error() const {
  return refused_ ? *refused_ : damaged(tar_.get());
}

std::ptrdiff_t source_input::read_packed(archive* a, void* self, const void** bytes) {
  auto& in = *static_cast<source_input*>(self);
  auto n = static_cast<std::ptrdiff_t>(std::exchange(in.ahead_, 0));
  if (n == 0) {
    n = in.from_(in.buffer_.data(), in.buffer_.size());
  }
  if (n < 0) {
    in.refuse(gave_up());
    archive_set_error(a, EIO, "%s", "the sender gave up");
    return ARCHIVE_FATAL;
  }
  *bytes = in.buffer_.data();
  return n;
}

std::ptrdiff_t source_input::read_unpacked(archive* a, void* self, const void** bytes) {
  auto& in = *static_cast<source_input*>(self);
  if (const auto n = in.unpack(bytes); n) {
    return *n;
  }
  archive_set_error(a, EIO, "%s", in.refused_->detail.c_str());
  return ARCHIVE_FATAL;
}

/// The next unpacked bytes, 0 = the end. Nothing when they are refused.
std::optional<std::ptrdiff_t> source_input::unpack(const void** bytes) {
  if (given_ > bytes_max_) {
    refuse(unpacks_to_more_than(bytes_max_));
    return std::nullopt;
  }
  if (in_header_ && given_ - header_from_ > header_bytes_max) {
    refuse({errc::too_large, "an entry of the tar has headers of more than 1 MiB"});
    return std::nullopt;
  }
  std::size_t length = 0;
  la_int64_t offset = 0;
  const int r = archive_read_data_block(packed_.get(), bytes, &length, &offset);
  if (r != ARCHIVE_EOF && r < ARCHIVE_WARN) {
    refuse(damaged(packed_.get()));
    return std::nullopt;
  }
  given_ += r == ARCHIVE_EOF ? 0 : length;
  return r == ARCHIVE_EOF ? 0 : static_cast<std::ptrdiff_t>(length);
}

}  // namespace slipway::storage
