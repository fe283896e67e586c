#pragma once

#include "messages/build_bus.hpp"
#include "messages/json.hpp"
#include "runtime/builder_config.hpp"
#include "runtime/bus.hpp"
#include "runtime/child_process.hpp"
#include "runtime/clock.hpp"
#include "storage/source_tree.hpp"
#include "tests/support/engine_fixture.hpp"
#include "tests/support/tar.hpp"
#include "tests/support/temp_folder.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

/// A real worker process beside a real engine and registry, and a core that does as the tests say.
namespace slipway::tests {

using files = std::map<std::string, std::string>;

/// Debian's docker-registry on a free port of loopback.
class plain_registry {
public:
  plain_registry() {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    REQUIRE(::bind(s, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::getsockname(s, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    ::close(s);
    host_ = "127.0.0.1:" + std::to_string(ntohs(a.sin_port));
    const auto config = folder_.path() + "/config.yml";
    std::ofstream(config)
      << "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n"
      << "storage:\n  filesystem:\n    rootdirectory: " << folder_.path()
      << "/data\nhttp:\n  addr: " << host_ << "\n";
    pid_ = runtime::spawn_child("/usr/bin/docker-registry", {"serve", config}, "").value();
    const auto until = runtime::steady_ms() + 30'000;
    while (!answers(ntohs(a.sin_port))) {
      REQUIRE(runtime::steady_ms() < until);
      ::usleep(50'000);
    }
  }
  ~plain_registry() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] const std::string& host() const { return host_; }
  /// Where it keeps what was pushed.
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }

private:
  static bool answers(int port) {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<std::uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool up = ::connect(s, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0;
    ::close(s);
    return up;
  }
  test::temp_folder folder_;
  std::string host_;
  pid_t pid_ = -1;
};

class fake_core {
public:
  fake_core() {
    bus_.emplace(
      runtime::bus_server::options{"tcp://127.0.0.1:0", keys_},
      runtime::bus_server::callbacks{
        nullptr,
        nullptr,
        [this](const std::string& peer, messages::envelope e) { take(peer, std::move(e)); }});
    REQUIRE(bus_->start());
    allow("w", worker_keys);
  }
  ~fake_core() { bus_->stop(); }

  void allow(const std::string& name, const runtime::curve_keys& keys) {
    bus_->allow(name, keys.public_key);
  }
  void allow(const std::string& name, const std::string& key) { bus_->allow(name, key); }
  [[nodiscard]] std::string endpoint() const { return bus_->endpoint(); }
  [[nodiscard]] const std::string& key() const { return keys_.public_key; }
  /// Where it keeps the sources of builds.
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }

  template <class T>
  void send(const T& m, const std::string& peer = "w") {
    REQUIRE(bus_->send(peer, messages::seal(m, 1, 0)));
  }
  /// Gives a build of these files to the worker.
  void run(messages::run_build order, const files& project, const std::string& peer = "w") {
    const auto tar = test::make_tar(project);
    const auto file = folder_.path() + "/" + std::to_string(order.build);
    auto tree = storage::source_tree::receive(test::source_of(tar), file);
    REQUIRE(tree);
    order.source_bytes = (*tree)->bytes();
    {
      const std::lock_guard lock(mutex_);
      sources_[order.build] = file;
    }
    send(order, peer);
  }
  template <class T>
  std::vector<T> said() {
    const std::lock_guard lock(mutex_);
    std::vector<T> out;
    for (const auto& e : said_) {
      if (e.type == T::type) {
        out.push_back(*messages::open<T>(e));
      }
    }
    return out;
  }
  bool wait(const std::function<bool()>& done, int seconds = 90) {
    const auto until = runtime::steady_ms() + seconds * 1000;
    while (!done()) {
      if (runtime::steady_ms() > until) {
        return false;
      }
      ::usleep(20'000);
    }
    return true;
  }
  /// The last word on a build.
  messages::build_ended ended(std::int64_t build, int seconds = 90) {
    messages::build_ended out;
    const bool came = wait(
      [&] {
        for (const auto& e : said<messages::build_ended>()) {
          if (e.build == build) {
            out = e;
            return true;
          }
        }
        return false;
      },
      seconds);
    INFO(output(build));
    REQUIRE(came);
    return out;
  }
  std::string output(std::int64_t build) {
    std::string out;
    for (const auto& o : said<messages::build_output>()) {
      for (const auto& l : o.lines) {
        out += o.build == build ? l.text + "\n" : "";
      }
    }
    return out;
  }
  messages::service_progress last(std::int64_t build) {
    messages::service_progress out;
    for (const auto& m : said<messages::service_changed>()) {
      out = m.build == build ? m.service : out;
    }
    return out;
  }

  runtime::curve_keys worker_keys = runtime::make_curve_keys();

private:
  void take(const std::string& peer, messages::envelope e) {
    if (const auto part = messages::open<messages::get_source>(e)) {
      std::string file;
      {
        const std::lock_guard lock(mutex_);
        file = sources_[part->build];
      }
      std::ifstream in(file, std::ios::binary);
      in.seekg(static_cast<std::streamoff>(part->offset));
      messages::source_part answer{
        part->build,
        part->offset,
        std::vector<char>(messages::source_part_bytes_max)};
      in.read(answer.bytes.data(), static_cast<std::streamsize>(answer.bytes.size()));
      answer.bytes.resize(static_cast<std::size_t>(in.gcount()));
      (void)bus_->send(peer, messages::seal(answer, 1, 0));
      return;
    }
    if (const auto token = messages::open<messages::get_push_token>(e)) {
      const messages::push_token answer{token->build, token->service, "token"};
      (void)bus_->send(peer, messages::seal(answer, 1, 0));
      return;
    }
    const std::lock_guard lock(mutex_);
    said_.push_back(std::move(e));
  }

  test::temp_folder folder_;
  runtime::curve_keys keys_ = runtime::make_curve_keys();
  std::mutex mutex_;
  std::map<std::int64_t, std::string> sources_;
  std::vector<messages::envelope> said_;
  std::optional<runtime::bus_server> bus_;
};

/// What a worker is told at its start.
inline std::string worker_config(
  const fake_core& core,
  const std::string& engine,
  const std::string& work_dir,
  bool open_network) {
  runtime::builder_config c;
  c.core = core.endpoint();
  c.server_key = core.key();
  c.public_key = core.worker_keys.public_key;
  c.secret_key = core.worker_keys.secret_key;
  c.name = "w";
  c.engine = engine;
  c.slots = 2;
  c.work_dir = work_dir;
  c.open_network = open_network;
  return messages::dump_json(c) + "\n";
}

/// A worker's process.
class worker_process {
public:
  worker_process(
    const fake_core& core,
    const std::string& engine,
    const std::string& work_dir,
    bool open_network) {
    pid_ = runtime::spawn_child(
             SLIPWAY_TEST_BUILDER,
             {"--embedded"},
             worker_config(core, engine, work_dir, open_network))
             .value();
  }
  ~worker_process() { end(SIGKILL); }
  /// Answers the exit code, -1 after a signal.
  int end(int signal) {
    int status = 0;
    if (pid_ > 0) {
      ::kill(pid_, signal);
      ::waitpid(pid_, &status, 0);
      pid_ = -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

private:
  pid_t pid_ = -1;
};

/// A core and its one worker.
class builder_world {
public:
  explicit builder_world(std::string engine) : engine_(std::move(engine)) {}
  /// Also in the place of the worker that there is.
  void start(bool open_network = false) {
    worker.reset();  // it holds the folder
    const auto before = core.said<messages::worker_joined>().size();
    worker = std::make_unique<worker_process>(core, engine_, folder.path(), open_network);
    REQUIRE(core.wait([&] { return core.said<messages::worker_joined>().size() > before; }));
  }

  fake_core core;
  test::temp_folder folder;
  std::unique_ptr<worker_process> worker;

private:
  std::string engine_;
};

/// One service that is built from `steps` on the base image.
inline messages::run_build
build_order(const plain_registry& registry, std::int64_t build, const std::string& steps) {
  messages::run_build o;
  o.build = build;
  o.attempt = 1;
  o.organization = build;
  o.architecture = "amd64";
  o.fleet = 65;
  o.plain_http = true;
  o.limits.seconds_max = 80;
  messages::service_plan s;
  s.name = "main";
  s.dockerfile = "Dockerfile";
  s.dockerfile_text = std::string("FROM ") + test::engine_fixture::base_image + "\n" + steps + "\n";
  o.plan.services = {s};
  o.images = {{"main", registry.host() + "/v2/b" + std::to_string(build), ""}};
  return o;
}

}  // namespace slipway::tests
