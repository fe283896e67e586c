#include "storage/source_receiver.hpp"

#include <archive_entry.h>
#include <locale.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::storage {

using messages::errc;
using messages::fail;

namespace {

constexpr std::size_t buffer_bytes = 1U << 20U;
constexpr std::uint64_t ask_bytes = 64U << 20U;

/// libarchive converts names by the thread's locale. In this one UTF-8 stays what it is.
class utf8_names {
public:
  utf8_names() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    before_ = locale_ != nullptr ? ::uselocale(locale_) : nullptr;
  }
  ~utf8_names() {
    if (locale_ != nullptr) {
      ::uselocale(before_);
      ::freelocale(locale_);
    }
  }
  utf8_names(const utf8_names&) = delete;
  utf8_names& operator=(const utf8_names&) = delete;

  [[nodiscard]] bool good() const { return locale_ != nullptr; }

private:
  locale_t locale_ = nullptr;
  locale_t before_ = nullptr;
};

tl::unexpected<messages::error> not_utf8() {
  return fail(errc::invalid_argument, "a name in the tar is not UTF-8");
}

}  // namespace

source_receiver::source_receiver(unique_fd to, const source_limits& limits)
  : file(std::move(to)), index(limits), limits_(limits) {
  buffer_.reserve(buffer_bytes);
}

messages::result<void> source_receiver::run(const byte_source& from) {
  const utf8_names names;
  if (!names.good()) {
    return fail(errc::internal, "the system has no locale C.UTF-8");
  }
  source_input in(from, limits_.bytes_max);
  if (auto read = read_entries(in); !read) {
    return read;
  }
  in.drain();
  if (auto written = write(std::string(tar_end_bytes, '\0')); !written) {
    return written;
  }
  return flush();
}

messages::result<void> source_receiver::read_entries(source_input& in) {
  for (;;) {
    const auto entry = in.next();
    if (!entry) {
      return tl::unexpected(entry.error());
    }
    if (*entry == nullptr) {
      return {};
    }
    if (++entries_ > limits_.entries_max) {
      return fail(
        errc::too_large,
        "the tar has more than " + std::to_string(limits_.entries_max) + " entries");
    }
    if (auto taken = take_entry(in, *entry); !taken) {
      return taken;
    }
  }
}

messages::result<void> source_receiver::take_entry(source_input& in, archive_entry* entry) {
  const auto* name = archive_entry_pathname(entry);
  if (name == nullptr) {
    return not_utf8();
  }
  auto path = source_path(name, limits_);
  if (!path) {
    return tl::unexpected(path.error());
  }
  tar_entry e;
  e.mode = static_cast<std::uint16_t>(archive_entry_perm(entry) & 0777U);
  e.mtime = std::max<std::int64_t>(archive_entry_mtime(entry), 0);
  e.path = std::move(*path);
  const auto size = std::max<la_int64_t>(archive_entry_size(entry), 0);
  const auto* hard_link = archive_entry_hardlink(entry);
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFDIR) {
    if (size > 0) {
      return fail(errc::invalid_argument, shown(e.path) + ": a folder that has content");
    }
    e.kind = tar_kind::folder;
    return e.path.empty() ? messages::result<void>{} : add(std::move(e));
  }
  if (e.path.empty()) {
    return fail(errc::invalid_argument, "an entry of the tar has no name");
  }
  if (hard_link != nullptr && size == 0) {
    return take_hard_link(std::move(e), hard_link);
  }
  if (type == AE_IFLNK) {
    const auto* target = archive_entry_symlink(entry);
    if (target == nullptr) {
      return not_utf8();
    }
    e.kind = tar_kind::link;
    e.target = target;
    return add(std::move(e));
  }
  if (type != AE_IFREG && hard_link == nullptr) {
    return fail(
      errc::invalid_argument,
      shown(e.path) + ": devices, pipes and sockets cannot be sent");
  }
  e.size = static_cast<std::uint64_t>(size);
  const auto offset = begin(e);
  if (!offset) {
    return tl::unexpected(offset.error());
  }
  if (auto content = take_content(in, e.path, e.size); !content) {
    return content;
  }
  return index.add(std::move(e), *offset);
}

messages::result<void> source_receiver::take_hard_link(tar_entry entry, std::string_view to) {
  const auto target = source_path(to, limits_);
  if (!target) {
    return tl::unexpected(target.error());
  }
  const auto* node = index.find(*target);
  if (node == nullptr || node->kind != tar_kind::file) {
    return fail(
      errc::invalid_argument,
      shown(entry.path) + ": a hard link to " + shown(*target) + ", which is no file before it");
  }
  entry.size = node->size;
  const auto from = node->offset;
  const auto offset = begin(entry);
  if (!offset) {
    return tl::unexpected(offset.error());
  }
  if (auto copied = copy(from, entry.size); !copied) {
    return copied;
  }
  return index.add(std::move(entry), *offset);
}

messages::result<void> source_receiver::add(tar_entry entry) {
  const auto offset = begin(entry);
  return offset ? index.add(std::move(entry), *offset) : tl::unexpected(offset.error());
}

/// Writes the header once the content is known to fit; answers with the content's offset.
messages::result<std::uint64_t> source_receiver::begin(const tar_entry& entry) {
  const auto header = tar_header(entry);
  const auto used = bytes + header.size() + tar_end_bytes + tar_block_bytes;
  if (used > limits_.bytes_max || entry.size > limits_.bytes_max - used) {
    return tl::unexpected(unpacks_to_more_than(limits_.bytes_max));
  }
  if (auto written = write(header); !written) {
    return tl::unexpected(written.error());
  }
  return bytes;
}

messages::result<void>
source_receiver::take_content(source_input& in, const std::string& path, std::uint64_t size) {
  std::uint64_t at = 0;
  for (;;) {
    const auto block = in.content();
    if (!block) {
      return tl::unexpected(block.error());
    }
    if (!*block) {
      return skip(size - at + tar_padding(size));
    }
    const auto [text, from] = **block;
    if (from < at || from > size || text.size() > size - from) {
      return fail(errc::invalid_argument, shown(path) + ": more content than its header says");
    }
    if (auto hole = skip(from - at); !hole) {
      return hole;
    }
    if (auto written = write(text); !written) {
      return written;
    }
    at = from + text.size();
  }
}

messages::result<void> source_receiver::copy(std::uint64_t from, std::uint64_t size) {
  if (auto flushed = flush(); !flushed) {
    return flushed;
  }
  const auto padding = tar_padding(size);
  std::vector<char> part(std::min<std::uint64_t>(size, buffer_bytes));
  while (size > 0) {
    const auto n = ::pread(
      file.get(),
      part.data(),
      std::min<std::uint64_t>(size, part.size()),
      static_cast<off_t>(from));
    if (n <= 0) {
      return tl::unexpected(from_errno("read", n < 0 ? errno : EIO));
    }
    if (auto written = write({part.data(), static_cast<std::size_t>(n)}); !written) {
      return written;
    }
    from += static_cast<std::uint64_t>(n);
    size -= static_cast<std::uint64_t>(n);
  }
  return skip(padding);
}

messages::result<void> source_receiver::write(std::string_view text) {
  if (buffer_.size() + text.size() > buffer_bytes) {
    if (auto flushed = flush(); !flushed) {
      return flushed;
    }
  }
  if (text.size() >= buffer_bytes / 4) {
    if (auto flushed = flush(); !flushed) {
      return flushed;
    }
    return put(bytes, text);
  }
  buffer_ += text;
  bytes += text.size();
  return {};
}

messages::result<void> source_receiver::flush() {
  auto offset = bytes - buffer_.size();
  auto written = put(offset, buffer_);
  buffer_.clear();
  return written;
}

messages::result<void> source_receiver::put(std::uint64_t& offset, std::string_view text) {
  if (limits_.go_on && offset - asked_at_ >= ask_bytes) {
    asked_at_ = offset;
    if (auto may = limits_.go_on(); !may) {
      return may;
    }
  }
  return write_at(file.get(), offset, text);
}

/// Zeros: a few are written, many are a hole in the file.
messages::result<void> source_receiver::skip(std::uint64_t zeros) {
  if (zeros < tar_block_bytes) {
    return write(std::string(zeros, '\0'));
  }
  if (auto flushed = flush(); !flushed) {
    return flushed;
  }
  bytes += zeros;
  return {};
}

}  // namespace slipway::storage
