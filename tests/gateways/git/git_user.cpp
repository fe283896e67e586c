#include "tests/gateways/git/git_user.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>

#include <array>
#include <cstdio>
#include <memory>
#include <utility>

namespace slipway::tests {

std::string shell(const std::string& command) {
  const std::string settings =
    "set -e; export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=ann "
    "GIT_AUTHOR_EMAIL=ann@example.org GIT_COMMITTER_NAME=ann GIT_COMMITTER_EMAIL=ann@example.org "
    "GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'; unset GIT_DIR; ";
  FILE* pipe = ::popen((settings + "exec 2>&1; " + command).c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> bytes{};
  for (std::size_t n = 0; (n = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
    out.append(bytes.data(), n);
  }
  INFO(command << "\n" << out);
  REQUIRE(::pclose(pipe) == 0);
  while (out.ends_with('\n')) {
    out.pop_back();
  }
  return out;
}

few_descriptors::few_descriptors(std::size_t left) {
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
  rlimit few = before_;
  few.rlim_cur = 256;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  while (auto fd = storage::unique_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))) {
    taken_.push_back(std::move(fd));
  }
  taken_.resize(taken_.size() - left);
}

few_descriptors::~few_descriptors() {
  (void)::setrlimit(RLIMIT_NOFILE, &before_);
}

}  // namespace slipway::tests
