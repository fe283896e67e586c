#include "storage/source_tree.hpp"

#include "storage/source_receiver.hpp"
#include "storage/source_stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace slipway::storage {

using messages::errc;
using messages::fail;

namespace {

class tar_tree final : public source_tree {
public:
  tar_tree(unique_fd file, source_index index, std::uint64_t bytes, const source_limits& limits)
    : file_(std::move(file)), index_(std::move(index)), bytes_(bytes), limits_(limits) {}

  [[nodiscard]] std::size_t entries() const override { return index_.nodes().size(); }
  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }

  [[nodiscard]] messages::result<std::optional<std::string>> read(
    std::string_view path) const override {
    const auto real = index_.resolve(path);
    const auto* node = real ? index_.find(*real) : nullptr;
    if (node == nullptr || node->kind != tar_kind::file) {
      return std::nullopt;
    }
    if (node->size > limits_.text_bytes_max) {
      return fail(
        errc::too_large,
        "larger than " + std::to_string(limits_.text_bytes_max / 1024) + " KiB");
    }
    std::string text(node->size, '\0');
    std::size_t have = 0;
    while (have < text.size()) {
      const auto n = ::pread(
        file_.get(),
        text.data() + have,
        text.size() - have,
        static_cast<off_t>(node->offset + have));
      if (n <= 0) {
        return tl::unexpected(from_errno("read", n < 0 ? errno : EIO));
      }
      have += static_cast<std::size_t>(n);
    }
    return text;
  }

  [[nodiscard]] std::vector<std::string> list(std::string_view folder) const override {
    return index_.list(folder);
  }

  [[nodiscard]] byte_source stream(context c) const override {
    auto s = std::make_shared<source_stream>(file_.get(), index_, std::move(c));
    return [s](char* to, std::size_t size) { return s->read(to, size); };
  }

private:
  unique_fd file_;
  source_index index_;
  std::uint64_t bytes_;
  source_limits limits_;
};

}  // namespace

messages::result<std::unique_ptr<source_tree>> source_tree::receive(
  const byte_source& from,
  const std::string& file,
  const source_limits& limits) {
  auto to = open_file(file, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!to) {
    return tl::unexpected(to.error());
  }
  source_receiver receiver(std::move(*to), limits);
  if (auto done = receiver.run(from); !done) {
    ::unlink(file.c_str());
    return tl::unexpected(done.error());
  }
  return std::make_unique<tar_tree>(
    std::move(receiver.file),
    std::move(receiver.index),
    receiver.bytes,
    limits);
}

messages::result<std::unique_ptr<source_tree>> source_tree::open(
  const std::string& file,
  const source_limits& limits) {
  auto from = open_file(file, O_RDONLY | O_NOFOLLOW);
  if (!from) {
    return tl::unexpected(from.error());
  }
  struct stat s {};
  if (::fstat(from->get(), &s) != 0) {
    return tl::unexpected(from_errno("open " + file, errno));
  }
  const auto bytes = static_cast<std::uint64_t>(s.st_size);
  source_index index(limits);
  tar_walk walk(from->get(), bytes);
  for (;;) {
    auto item = walk.next();
    if (!item) {
      return tl::unexpected(item.error());
    }
    if (!*item) {
      break;
    }
    const auto path = source_path((*item)->entry.path, limits);
    if (!path || *path != (*item)->entry.path || path->empty()) {
      return fail(errc::corrupt, "not a source of ours: " + shown((*item)->entry.path));
    }
    if (auto added = index.add(std::move((*item)->entry), (*item)->offset); !added) {
      return fail(errc::corrupt, "not a source of ours: " + added.error().detail);
    }
  }
  return std::make_unique<tar_tree>(std::move(*from), std::move(index), bytes, limits);
}

}  // namespace slipway::storage
