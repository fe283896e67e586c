#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace slipway::test {

/// A new empty folder, removed with all it holds at the end.
class temp_folder {
public:
  temp_folder() {
    const auto* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/slipway-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) {
      std::abort();
    }
  }
  ~temp_folder() {
    std::error_code ignored;  // a folder left behind is not a failed test
    std::filesystem::remove_all(path_, ignored);
  }
  temp_folder(const temp_folder&) = delete;
  temp_folder& operator=(const temp_folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

private:
  std::string path_;
};

}  // namespace slipway::test
