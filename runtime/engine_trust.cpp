#include "runtime/engine_trust.hpp"

#include <fstream>
#include <iterator>

namespace slipway::runtime {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

/// It becomes a folder's name.
bool is_registry(const std::string& text) {
  return !text.empty() && text.front() != '.'
         && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")
              == std::string::npos;
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

result<bool>
trust_registry(const fs::path& folder, const std::string& registry, const std::string& pem) {
  if (!is_registry(registry)) {
    return fail(errc::invalid_argument, "`" + registry + "` is no registry's name");
  }
  const auto file = folder / registry / "slipway.crt";
  if (content_of(file) == pem) {
    return false;
  }
  std::error_code problem;
  fs::create_directories(file.parent_path(), problem);
  if (problem) {
    return fail(errc::io_failed, file.parent_path().string() + ": " + problem.message());
  }
  const auto aside = fs::path(file.string() + ".new");
  {
    std::ofstream out(aside, std::ios::binary | std::ios::trunc);
    out << pem;
    out.close();
    if (!out) {
      return fail(errc::io_failed, aside.string() + " cannot be written");
    }
  }
  fs::rename(aside, file, problem);
  if (problem) {
    return fail(errc::io_failed, file.string() + ": " + problem.message());
  }
  return true;
}

}  // namespace slipway::runtime
