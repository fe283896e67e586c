#include "storage/source_stream.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace slipway::storage {

namespace {

/// Folders at a project's root that no image is built from.
constexpr std::array<std::string_view, 3> private_folders{".git", ".balena", ".resin"};

bool is_private(std::string_view whole) {
  return std::find(private_folders.begin(), private_folders.end(), whole.substr(0, whole.find('/')))
         != private_folders.end();
}

}  // namespace

source_stream::source_stream(int file, const source_index& index, source_tree::context context)
  : file_(file), index_(index), context_(std::move(context)) {
  const auto folder = index_.resolve(context_.folder);
  const auto* node = folder ? index_.find(*folder) : nullptr;
  good_ = folder && (folder->empty() || (node != nullptr && node->kind == tar_kind::folder));
  prefix_ = good_ && !folder->empty() ? *folder + "/" : "";
  for (auto& [path, text] : context_.replaced) {
    replaced_.insert_or_assign(path, std::move(text));
  }
  next_ = index_.nodes().lower_bound(prefix_);
  next_replaced_ = replaced_.begin();
}

std::ptrdiff_t source_stream::read(char* to, std::size_t size) {
  std::size_t done = 0;
  while (good_ && done < size) {
    const auto n = some(to + done, size - done);
    done += n;
    if (good_ && n == 0 && !advance()) {
      break;
    }
  }
  return good_ ? static_cast<std::ptrdiff_t>(done) : -1;
}

std::size_t source_stream::some(char* to, std::size_t size) {
  if (text_at_ < text_.size()) {
    const auto n = text_.copy(to, size, text_at_);
    text_at_ += n;
    return n;
  }
  if (left_ > 0) {
    const auto n =
      ::pread(file_, to, std::min<std::uint64_t>(size, left_), static_cast<off_t>(offset_));
    good_ = n > 0;
    const auto got = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
    offset_ += got;
    left_ -= got;
    return got;
  }
  const auto n = std::min<std::uint64_t>(size, padding_);
  std::memset(to, 0, n);
  padding_ -= n;
  return n;
}

bool source_stream::advance() {
  for (; next_ != index_.nodes().end() && next_->first.starts_with(prefix_); ++next_) {
    const auto path = std::string_view(next_->first).substr(prefix_.size());
    if (next_replaced_ != replaced_.end() && next_replaced_->first <= path) {
      break;
    }
    if (goes_along(next_->first, path, next_->second)) {
      begin(path, next_->second);
      ++next_;
      return true;
    }
  }
  if (next_replaced_ != replaced_.end()) {
    begin_replaced();
    return true;
  }
  padding_ = ended_ ? 0 : tar_end_bytes;
  return !std::exchange(ended_, true);
}

void source_stream::begin_replaced() {
  const auto& [path, text] = *next_replaced_;
  const bool there = next_ != index_.nodes().end() && next_->first == prefix_ + path;
  tar_entry e;
  e.path = path;
  e.mode = there ? next_->second.mode : 0644;
  e.mtime = there ? next_->second.mtime : 0;
  e.size = text.size();
  text_ = tar_header(e) + text;
  text_at_ = 0;
  padding_ = tar_padding(text.size());
  ++next_replaced_;
  if (there) {
    ++next_;
  }
}

void source_stream::begin(std::string_view path, const source_index::node& node) {
  text_ = tar_header({node.kind, node.mode, node.mtime, node.size, std::string(path), node.target});
  text_at_ = 0;
  offset_ = node.offset;
  left_ = node.size;
  padding_ = tar_padding(node.size);
}

bool source_stream::goes_along(
  const std::string& whole,
  std::string_view path,
  const source_index::node& node) const {
  if (is_private(whole)) {
    return false;
  }
  if (node.kind == tar_kind::link) {
    // What is replaced behind a link takes the link's place: two entries cannot disagree about a name.
    const auto below = std::string(path) + "/";
    const auto it = replaced_.lower_bound(below);
    if (it != replaced_.end() && it->first.starts_with(below)) {
      return false;
    }
  }
  return path == ".dockerignore" || !context_.excludes || !context_.excludes(path);
}

}  // namespace slipway::storage
