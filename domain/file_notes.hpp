#pragma once

#include "messages/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// What is wrong with a project's files, gathered so that all of it is told at once: `file:line: text`, 20 faults and 20 warnings at most.
class file_notes {
public:
  void fault(std::string_view file, int line, std::string_view what);
  /// An error of a reader, whose detail has lines of that form already.
  void fault(const messages::error& e);
  void too_large(std::string_view file, int line, std::string_view what);
  void warn(std::string_view file, int line, std::string_view what);
  void warn(std::vector<std::string> lines);

  [[nodiscard]] bool good() const { return faults_.empty(); }
  [[nodiscard]] std::vector<std::string> take_warnings() { return std::move(warnings_); }
  /// All faults as one error, with the code of the first.
  [[nodiscard]] messages::error error() const;

private:
  void add(messages::errc code, std::string line);

  messages::errc code_ = messages::errc::none;
  std::vector<std::string> faults_;
  std::vector<std::string> warnings_;
};

}  // namespace slipway::domain
