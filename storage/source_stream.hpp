#pragma once

#include "storage/source_index.hpp"
#include "storage/source_tree.hpp"

#include <map>
#include <string>

namespace slipway::storage {

/// A tar of one folder of a source, made while it is read: entries by the order of their paths, so that the same files are the same bytes.
class source_stream {
public:
  source_stream(int file, const source_index& index, source_tree::context context);

  /// The next bytes, as byte_source says.
  [[nodiscard]] std::ptrdiff_t read(char* to, std::size_t size);

private:
  /// Moves on to the next entry, or to the end of the archive. False when nothing is left.
  bool advance();
  void begin_replaced();
  void begin(std::string_view path, const source_index::node& node);
  [[nodiscard]] bool
  goes_along(const std::string& whole, std::string_view path, const source_index::node& node) const;
  [[nodiscard]] std::size_t some(char* to, std::size_t size);

  int file_;
  const source_index& index_;
  source_tree::context context_;
  std::string prefix_;
  std::map<std::string, std::string, std::less<>> replaced_;
  bool good_ = true;
  bool ended_ = false;
  source_index::map::const_iterator next_;
  std::map<std::string, std::string, std::less<>>::const_iterator next_replaced_;

  // What is left of the entry under way.
  std::string text_;
  std::size_t text_at_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t padding_ = 0;
};

}  // namespace slipway::storage
