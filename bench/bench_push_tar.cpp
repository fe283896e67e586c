// The source of a push as a tar: straight from the object store (gateways/git/commit_tar) beside `git archive` of the same commit, in turns in one run.
// Two projects: many small sources that are deltas of each other, and a few large files. Both write into /dev/null by way of a pipe or a buffer.
//   bench_push_tar [--quick] [--dir FOLDER]

#include "gateways/git/commit_tar.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using slipway::gateways::git::commit_tar;
namespace fs = std::filesystem;

namespace {

struct settings {
  bool quick = false;
  std::string folder = "/tmp";
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_push_tar: %s\n", what.c_str());
  std::exit(1);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double cpu_seconds(int who) {
  rusage use{};
  ::getrusage(who, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void shell(const std::string& command) {
  const auto whole =
    "export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=b "
    "GIT_AUTHOR_EMAIL=b@x "
    "GIT_COMMITTER_NAME=b GIT_COMMITTER_EMAIL=b@x; "
    + command;
  if (std::system(whole.c_str()) != 0) {
    die("failed: " + command);
  }
}

struct taken {
  double seconds = 0;
  double cpu = 0;
  std::uint64_t bytes = 0;
};

taken ours(const std::string& repository) {
  taken t;
  const auto began = now_seconds();
  const auto cpu = cpu_seconds(RUSAGE_SELF);
  commit_tar::options o;
  o.repository = repository;
  o.commit = "main";
  auto tar = commit_tar::open(o);
  if (!tar) {
    die(tar.error().detail);
  }
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const auto n = (*tar)->read(buffer.data(), buffer.size());
    if (n < 0) {
      die((*tar)->failure()->detail);
    }
    if (n == 0) {
      break;
    }
    t.bytes += static_cast<std::uint64_t>(n);
  }
  t.seconds = now_seconds() - began;
  t.cpu = cpu_seconds(RUSAGE_SELF) - cpu;
  return t;
}

taken theirs(const std::string& repository) {
  taken t;
  const auto began = now_seconds();
  const auto cpu = cpu_seconds(RUSAGE_CHILDREN);
  FILE* pipe = ::popen(("exec git --git-dir='" + repository + "' archive main").c_str(), "r");
  if (pipe == nullptr) {
    die("git archive");
  }
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const auto n = ::read(::fileno(pipe), buffer.data(), buffer.size());
    if (n <= 0) {
      break;
    }
    t.bytes += static_cast<std::uint64_t>(n);
  }
  if (::pclose(pipe) != 0) {
    die("git archive failed");
  }
  t.seconds = now_seconds() - began;
  t.cpu = cpu_seconds(RUSAGE_CHILDREN) - cpu;
  return t;
}

void run(const char* workload, const std::string& repository, int rounds) {
  std::array<std::vector<taken>, 2> all;
  for (int i = 0; i < rounds; ++i) {
    all[0].push_back(ours(repository));
    all[1].push_back(theirs(repository));
  }
  const auto median = [](std::vector<taken>& v) {
    std::sort(v.begin(), v.end(), [](const auto& a, const auto& b) {
      return a.seconds < b.seconds;
    });
    return v[v.size() / 2];
  };
  const auto a = median(all[0]);
  const auto b = median(all[1]);
  const auto rate = [](const taken& t) { return static_cast<double>(t.bytes) / 1e6 / t.seconds; };
  std::printf(
    "%-12s %6.0f MB  commit_tar %6.0f MB/s %.2f cpu s   git archive %6.0f MB/s %.2f cpu s   ratio "
    "%.2f\n",
    workload,
    static_cast<double>(a.bytes) / 1e6,
    rate(a),
    a.cpu,
    rate(b),
    b.cpu,
    rate(a) / rate(b));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      s.quick = true;
    } else if (word == "--dir" && i + 1 < argc) {
      s.folder = argv[++i];
    } else {
      die("usage: bench_push_tar [--quick] [--dir FOLDER]");
    }
  }
  const auto folder = s.folder + "/bench-push-" + std::to_string(::getpid());
  fs::create_directories(folder);
  const auto files = std::to_string(s.quick ? 500 : 5'000);
  const auto large = std::to_string(s.quick ? 4 : 20);
  std::printf(
    "source of a push, %s build, seed none, small: %s files of 1 to 12 KB, large: %s files of 8 "
    "MiB\n",
    "release",
    files.c_str(),
    large.c_str());
  shell(
    "cd '" + folder + "' && git init -q -b main small && cd small && awk -v n=" + files
    + " 'BEGIN { for (i = 0; i < n; i++) { d = \"d\" int(i / 100); if (i % 100 == 0) system(\"mkdir -p \" d);"
      " f = d \"/f\" i \".txt\"; for (l = 0; l < 20 + (i * 7) % 180; l++) print \"line \" l \" of a source \" (i % 50) \" \" l * i > f;"
      " close(f) } }' && git add -A && git commit -q -m one && git repack -q -a -d -f");
  shell(
    "cd '" + folder + "' && git init -q -b main large && cd large && for i in $(seq " + large
    + "); do head -c 6291456 /dev/urandom > f$i; head -c 2097152 /dev/zero >> f$i; done && git add -A "
      "&& git commit -q -m one && git repack -q -a -d");
  const int rounds = s.quick ? 1 : 5;
  run("small", folder + "/small/.git", rounds);
  run("large", folder + "/large/.git", rounds);
  fs::remove_all(folder);
  return 0;
}
