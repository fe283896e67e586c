#include "tests/support/engine_fixture.hpp"

#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "tests/support/tar.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace slipway::test {

namespace {

constexpr int start_ms_max = 60'000;
constexpr int stop_ms_max = 40'000;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Runs a program with its output in a file; its own process group, so that a Ctrl-C of the test ends it by our hand only.
pid_t spawn(std::vector<std::string> command, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (auto& word : command) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  // A machine without CAP_SYS_RESOURCE cannot raise limits, which podman does by default; lowering is always allowed.
  // Processes cannot be limited here: builds would then fail. A test gives its containers that limit.
  const auto conf = log.parent_path() / "containers.conf";
  std::ofstream(conf) << "[containers]\ndefault_ulimits = [\"nofile=1024:1024\"]\n";
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::setenv("CONTAINERS_CONF", conf.c_str(), 1);
    ::setenv("TMPDIR", log.parent_path().c_str(), 1);  // podman leaves files there
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  return pid;
}

bool ended(pid_t pid) {
  return ::waitpid(pid, nullptr, WNOHANG) == pid;
}

}  // namespace

engine_fixture::engine_fixture(kind which) {
  const char* given = std::getenv("SLIPWAY_TEST_ENGINE");
  try {
    if (given != nullptr && which == kind::dockerd) {
      endpoint_ = given;
    } else {
      start(which);
    }
    make_base_image();
  } catch (...) {
    stop();  // no destructor runs for what was not constructed
    throw;
  }
}

engine_fixture::~engine_fixture() {
  stop();
}

void engine_fixture::start(kind which) {
  folder_ = std::filesystem::temp_directory_path() / ("slipway-engine-" + runtime::random_hex(8));
  std::filesystem::create_directories(folder_);
  endpoint_ = "unix://" + folder_.string() + "/engine.sock";
  kind_ = which;
  launch(which);
}

void engine_fixture::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void engine_fixture::restart() {
  launch(kind_);
}

void engine_fixture::launch(kind which) {
  const auto d = folder_.string();
  const auto log = folder_ / "log";
  pid_ = which == kind::dockerd ? spawn(
           {"dockerd",
            "--data-root",
            d + "/data",
            "--exec-root",
            d + "/exec",
            "--pidfile",
            d + "/pid",
            "-H",
            endpoint_},
           log)
                                : spawn(
                                  {"podman",
                                   "--root",
                                   d + "/data",
                                   "--runroot",
                                   d + "/run",
                                   "--tmpdir",
                                   d + "/tmp",
                                   "system",
                                   "service",
                                   "--time=0",
                                   endpoint_},
                                  log);
  const auto until = runtime::steady_ms() + start_ms_max;
  for (;;) {
    if (client().ping()) {
      return;
    }
    if (ended(pid_) || runtime::steady_ms() > until) {
      pid_ = -1;
      throw std::runtime_error("no container engine for this test: " + read_file(log));
    }
    ::poll(nullptr, 0, 50);
  }
}

void engine_fixture::stop() noexcept {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    const auto until = runtime::steady_ms() + stop_ms_max;
    while (!ended(pid_)) {
      if (runtime::steady_ms() > until) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        break;
      }
      ::poll(nullptr, 0, 20);
    }
    pid_ = -1;
  }
  if (folder_.empty()) {
    return;
  }
  // Mounts that the engine left would make the removal fail, or worse, follow them.
  std::ifstream mounts("/proc/self/mounts");
  std::vector<std::string> ours;
  std::string device;
  std::string at;
  for (std::string rest; mounts >> device >> at && std::getline(mounts, rest);) {
    if (at.starts_with(folder_.string() + "/")) {
      ours.push_back(at);
    }
  }
  std::for_each(ours.rbegin(), ours.rend(), [](const auto& m) {
    ::umount2(m.c_str(), MNT_DETACH);
  });
  std::error_code ignored;  // the next run does not need this folder
  std::filesystem::remove_all(folder_, ignored);
}

void engine_fixture::make_base_image() {
  auto engine = client();
  if (engine.inspect_image(base_image)) {
    return;
  }
  const auto busybox = read_file("/bin/busybox");
  if (busybox.size() < 100'000) {
    throw std::runtime_error("no /bin/busybox: install busybox-static");
  }
  const auto context = make_tar(
    {{"Dockerfile",
      "FROM scratch\nCOPY bin/busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", "
      "\"/bin\"]\nCMD [\"/bin/sh\"]\n"},
     {"bin/busybox", busybox}});
  runtime::build_request request;
  request.tags = {base_image};
  std::string output;
  const auto built = engine.build(request, source_of(context), [&](std::string_view text) {
    output += text;
    return true;
  });
  if (!built) {
    throw std::runtime_error("base image: " + built.error().detail + "\n" + output);
  }
}

}  // namespace slipway::test
