#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace slipway::tests {

/// A folder of its own that goes away at the end of the test.
struct temp_folder {
  std::filesystem::path path;
  temp_folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "slipway-cli-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  temp_folder(const temp_folder&) = delete;
  temp_folder& operator=(const temp_folder&) = delete;
  ~temp_folder() { std::filesystem::remove_all(path); }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
};

}  // namespace slipway::tests
