#include "storage/source_index.hpp"

#include <algorithm>

namespace slipway::storage {

using messages::errc;
using messages::fail;

namespace {

constexpr int links_followed_max = 40;
constexpr std::size_t shown_bytes_max = 200;

/// Bytes of the sequence at the front, 0 = not UTF-8 (RFC 3629: no surrogates, nothing overlong).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(0);
  if (first < 0x80) {
    return 1;
  }
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  const bool out_of_range = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)
                            || (first == 0xf0 && byte(1) < 0x90)
                            || (first == 0xf4 && byte(1) > 0x8f);
  return out_of_range ? 0 : length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

/// Takes the part before the next `/` off a path.
std::string_view take_part(std::string_view& path) {
  const auto slash = path.find('/');
  const auto part = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  return part;
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

/// A link stays inside when its `..`s are at the front, where they go up real folders, and are no more than there are folders: each
/// link on the way obeys the same, so nothing that is followed leaves the tree.
messages::result<void>
check_target(const std::string& path, std::string_view target, const source_limits& limits) {
  const auto refuse = [&](std::string_view why) {
    return fail(
      errc::invalid_argument,
      shown(path) + ": the link to " + shown(target) + " " + std::string(why));
  };
  if (target.empty() || target.front() == '/') {
    return refuse("leads out of the project");
  }
  if (target.size() > limits.path_bytes_max || !is_utf8(target)) {
    return refuse("is too long or not UTF-8");
  }
  auto folders = std::count(path.begin(), path.end(), '/');
  bool down = false;
  for (auto rest = target; !rest.empty();) {
    const auto part = take_part(rest);
    if (part == "..") {
      if (down) {
        return refuse("goes down and up again");
      }
      if (folders-- == 0) {
        return refuse("leads out of the project");
      }
    } else {
      down = down || (!part.empty() && part != ".");
    }
  }
  return {};
}

}  // namespace

std::string shown(std::string_view path) {
  std::string out;
  for (const char c : path.substr(0, shown_bytes_max)) {
    out += c < ' ' || c > '~' ? '?' : c;
  }
  return out + (path.size() > shown_bytes_max ? "..." : "");
}

messages::result<std::string> source_path(std::string_view written, const source_limits& limits) {
  if (written.size() > limits.path_bytes_max) {
    return fail(
      errc::too_large,
      shown(written) + ": a path longer than " + std::to_string(limits.path_bytes_max) + " bytes");
  }
  if (written.starts_with('/')) {
    return fail(errc::invalid_argument, shown(written) + ": an absolute path");
  }
  if (!is_utf8(written) || written.find('\0') != std::string_view::npos) {
    return fail(errc::invalid_argument, shown(written) + ": a name that is not UTF-8");
  }
  std::string out;
  out.reserve(written.size());
  for (auto rest = written; !rest.empty();) {
    const auto part = take_part(rest);
    if (part == "..") {
      return fail(errc::invalid_argument, shown(written) + ": a path with ..");
    }
    if (!part.empty() && part != ".") {
      out += out.empty() ? "" : "/";
      out += part;
    }
  }
  return out;
}

messages::result<void> source_index::count(std::size_t bytes) {
  path_bytes_ += bytes;
  if (nodes_.size() >= limits_.entries_max) {
    return fail(
      errc::too_large,
      "the project has more than " + std::to_string(limits_.entries_max) + " files and folders");
  }
  if (path_bytes_ > limits_.paths_bytes_max) {
    return fail(
      errc::too_large,
      "the paths of the project are together longer than "
        + std::to_string(limits_.paths_bytes_max >> 20U) + " MiB");
  }
  return {};
}

messages::result<void> source_index::add_folders_above(const std::string& path) {
  for (auto above = parent_of(path); !above.empty(); above = parent_of(above)) {
    if (const auto* there = find(above); there != nullptr) {
      if (there->kind == tar_kind::folder) {
        return {};
      }
      const auto* what = there->kind == tar_kind::link ? "the link " : "the file ";
      return fail(errc::invalid_argument, shown(path) + ": passes through " + what + shown(above));
    }
    if (auto counted = count(above.size()); !counted) {
      return counted;
    }
    nodes_.emplace(above, node{});
  }
  return {};
}

messages::result<void> source_index::add(tar_entry entry, std::uint64_t offset) {
  if (entry.kind == tar_kind::link) {
    if (auto checked = check_target(entry.path, entry.target, limits_); !checked) {
      return checked;
    }
  }
  if (auto added = add_folders_above(entry.path); !added) {
    return added;
  }
  const auto it = nodes_.find(entry.path);
  if (it == nodes_.end()) {
    if (auto counted = count(entry.path.size() + entry.target.size()); !counted) {
      return counted;
    }
  } else if ((it->second.kind == tar_kind::folder) != (entry.kind == tar_kind::folder)) {
    return fail(
      errc::invalid_argument,
      shown(entry.path) + ": a folder and something else at the same time");
  } else {
    path_bytes_ += entry.target.size();
  }
  nodes_.insert_or_assign(
    std::move(entry.path),
    node{entry.kind, entry.mode, entry.mtime, entry.size, offset, std::move(entry.target)});
  return {};
}

const source_index::node* source_index::find(std::string_view path) const {
  const auto it = nodes_.find(path);
  return it == nodes_.end() ? nullptr : &it->second;
}

std::optional<std::string> source_index::resolve(std::string_view path) const {
  std::string at;
  std::string rest(path);
  int links = 0;
  while (!rest.empty()) {
    std::string_view left = rest;
    const auto part = take_part(left);
    if (part == "..") {
      at = std::string(parent_of(at));
    } else if (!part.empty() && part != ".") {
      auto to = at + (at.empty() ? "" : "/") + std::string(part);
      const auto* there = find(to);
      if (there == nullptr || (there->kind == tar_kind::file && !left.empty())) {
        return std::nullopt;
      }
      if (there->kind == tar_kind::link) {
        if (++links > links_followed_max) {
          return std::nullopt;
        }
        rest = there->target + (left.empty() ? "" : "/") + std::string(left);
        continue;
      }
      at = std::move(to);
    }
    rest = std::string(left);
  }
  return at;
}

std::vector<std::string> source_index::list(std::string_view folder) const {
  std::vector<std::string> names;
  const auto real = resolve(folder);
  if (!real) {
    return names;
  }
  const auto prefix = real->empty() ? std::string{} : *real + "/";
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix);) {
    const auto name = std::string_view(it->first).substr(prefix.size());
    if (const auto slash = name.find('/'); slash != std::string_view::npos) {
      // Everything in that folder is between `name/` and `name0`, the character after `/`.
      it = nodes_.lower_bound(prefix + std::string(name.substr(0, slash)) + '0');
      continue;
    }
    const auto* seen = &it->second;
    if (seen->kind == tar_kind::link) {
      const auto end = resolve(it->first);
      seen = end ? find(*end) : nullptr;
    }
    if (seen != nullptr && seen->kind == tar_kind::file) {
      names.emplace_back(name);
    }
    ++it;
  }
  return names;
}

}  // namespace slipway::storage
