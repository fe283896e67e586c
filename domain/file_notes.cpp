#include "domain/file_notes.hpp"

namespace slipway::domain {

using messages::errc;

namespace {

constexpr std::size_t lines_max = 20;

std::string line_of(std::string_view file, int line, std::string_view what) {
  return std::string(file) + ":" + std::to_string(line) + ": " + std::string(what);
}

}  // namespace

void file_notes::fault(std::string_view file, int line, std::string_view what) {
  add(errc::invalid_argument, line_of(file, line, what));
}

void file_notes::fault(const messages::error& e) {
  add(e.code, e.detail);
}

void file_notes::too_large(std::string_view file, int line, std::string_view what) {
  add(errc::too_large, line_of(file, line, what));
}

void file_notes::warn(std::string_view file, int line, std::string_view what) {
  warn(std::vector{line_of(file, line, what)});
}

void file_notes::warn(std::vector<std::string> lines) {
  for (auto& line : lines) {
    if (warnings_.size() < lines_max) {
      warnings_.push_back(std::move(line));
    }
  }
}

messages::error file_notes::error() const {
  std::string all;
  for (const auto& f : faults_) {
    all += (all.empty() ? "" : "\n") + f;
  }
  return {code_, std::move(all)};
}

void file_notes::add(errc code, std::string line) {
  if (faults_.empty()) {
    code_ = code;
  }
  if (faults_.size() < lines_max) {
    faults_.push_back(std::move(line));
  }
}

}  // namespace slipway::domain
