#include "runtime/builder_supervisor.hpp"
#include "tests/runtime/builder_world.hpp"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace slipway;
using namespace slipway::tests;

namespace {

test::engine_fixture& engine() {
  static test::engine_fixture one;
  return one;
}

plain_registry& registry() {
  static plain_registry one;
  return one;
}

struct dockerd_world : builder_world {
  dockerd_world() : builder_world(engine().endpoint()) { start(); }
};

messages::run_build order_of(std::int64_t build, const std::string& steps) {
  return build_order(registry(), build, steps);
}

const files project{{"Dockerfile", "replaced\n"}, {"src/a.txt", "text\n"}};

/// Networks of the worker that are in the engine.
std::vector<std::string> networks(const builder_world& w) {
  std::string id;
  std::ifstream(w.folder.path() + "/id") >> id;
  std::vector<std::string> out;
  for (const auto& n : engine().client().networks({"io.slipway.builder=" + id}).value()) {
    out.push_back(n.name);
  }
  return out;
}

/// One network is left, the one made ahead of the next build.
bool only_the_next_of(const builder_world& w, const std::vector<std::string>& while_built) {
  const auto now = networks(w);
  return now.size() == 1 && now != while_built;
}

std::size_t build_containers() {
  const auto all = engine().client().containers().value();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& c) {
    return c.network_mode.starts_with("slipway-build-");
  }));
}

/// A shell command that says `reached` or `no` and the words after it.
std::string visit(const std::string& host, const std::string& port) {
  return "r=no; nc -w 3 " + host + " " + port + " </dev/null && r=reached; echo $r";
}

/// The machine, as a build step sees it.
const std::string host = "$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')";

/// Accepts connections on all addresses of this machine, as a server's HTTP port does.
class open_port {
public:
  open_port() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    socklen_t size = sizeof a;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::listen(socket_, 16) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    port_ = std::to_string(ntohs(a.sin_port));
    thread_ = std::thread([this] {
      // Until the socket is shut down.
      for (int s = 0; (s = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(s)) {
        visited_ = true;
      }
    });
  }
  ~open_port() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] const std::string& port() const { return port_; }
  /// Whether somebody came.
  [[nodiscard]] bool visited() const { return visited_; }

private:
  int socket_;
  std::string port_;
  std::atomic<bool> visited_{false};
  std::thread thread_;
};

}  // namespace

TEST_CASE("a worker builds, pushes, and builds the same again from its cache") {
  dockerd_world w;
  const auto joined = w.core.said<messages::worker_joined>().at(0);
  CHECK(joined.architectures.at(0) == "amd64");
  CHECK(joined.slots == 2);
  const std::string steps = "COPY src /src\nRUN cat /src/a.txt && echo built-$((40 + 2)) > /out";
  w.core.run(order_of(1, steps), project);
  CHECK(w.core.ended(1).error.empty());
  const auto first = w.core.last(1);
  CHECK(first.status == "success");
  CHECK(first.content_hash.starts_with("sha256:"));
  CHECK(first.image_bytes > 100'000);
  CHECK_FALSE(first.cached);
  CHECK(w.core.output(1).find("text\n") != std::string::npos);
  const auto between = networks(w);
  w.core.run(order_of(2, steps), project);
  CHECK(w.core.ended(2).error.empty());
  const auto second = w.core.last(2);
  CHECK(second.cached);
  CHECK(second.content_hash == first.content_hash);
  CHECK(second.ended - second.started < 10'000);
  CHECK(w.core.wait([&] { return only_the_next_of(w, between); }));
  // Only the name that keeps the cache is left.
  const auto images = engine().client().images().value();
  for (const auto& i : images) {
    for (const auto& tag : i.repo_tags) {
      CHECK(tag.find("/v2/") == std::string::npos);
    }
  }
}

TEST_CASE("an image that only the registry has is the cache of another engine") {
  dockerd_world w;
  const std::string steps = "RUN echo slow-step > /out";
  auto first = order_of(3, steps);
  w.core.run(first, project);
  REQUIRE(w.core.ended(3).error.empty());
  auto e = engine().client();
  const auto images = e.images().value();
  for (const auto& i : images) {
    for (const auto& tag : i.repo_tags) {
      if (tag.starts_with("slipway.build/")) {
        REQUIRE(e.remove_image(tag));
      }
    }
  }
  auto second = order_of(4, steps);
  second.images[0].previous = first.images[0].location + "@" + w.core.last(3).content_hash;
  w.core.run(second, project);
  CHECK(w.core.ended(4).error.empty());
  INFO(w.core.output(4));
  CHECK(w.core.last(4).cached);
}

TEST_CASE("a build reaches neither the machine nor another build, but itself") {
  dockerd_world w;
  const open_port platform;
  // A build that listens, tells its address and waits.
  w.core.run(
    order_of(
      10,
      "RUN mkdir /www && echo hello > /www/index.html && httpd -p 8000 -h /www && "
      "echo address=$(hostname -i)= && wget -q -O - http://127.0.0.1:8000/ && sleep 40"),
    project);
  std::string address;
  REQUIRE(w.core.wait([&] {
    const auto text = w.core.output(10);
    const auto at = text.find("address=1");
    const auto end = at == std::string::npos ? at : text.find('=', at + 8);
    address = end == std::string::npos ? "" : text.substr(at + 8, end - at - 8);
    return !address.empty() && text.find("hello") != std::string::npos;
  }));
  w.core.run(
    order_of(
      11,
      "RUN " + visit(host, platform.port()) + " host; " + visit(address, "8000")
        + " build; httpd -p 8000 -h / && " + visit("127.0.0.1", "8000") + " self"),
    project);
  CHECK(w.core.ended(11).error.empty());
  const auto text = w.core.output(11);
  INFO(text);
  CHECK(text.find("\nno host\n") != std::string::npos);
  CHECK(text.find("\nno build\n") != std::string::npos);
  CHECK(text.find("\nreached self\n") != std::string::npos);
  CHECK_FALSE(platform.visited());
  w.core.send(messages::cancel_build{10});
  CHECK(w.core.ended(10).cancelled);
  // The same step does reach the machine where nothing keeps it from that.
  w.start(true);
  w.core.run(order_of(12, "RUN " + visit(host, platform.port()) + " host"), project);
  CHECK(w.core.ended(12).error.empty());
  CHECK(w.core.output(12).find("\nreached host\n") != std::string::npos);
  CHECK(platform.visited());
}

TEST_CASE("a build that is cancelled in the middle of a step leaves nothing running") {
  dockerd_world w;
  w.core.run(order_of(20, "RUN echo begun; sleep 300"), project);
  REQUIRE(w.core.wait([&] { return w.core.output(20).find("\nbegun\n") != std::string::npos; }));
  CHECK(build_containers() == 1);
  const auto of_build = networks(w);
  const auto at = runtime::steady_ms();
  w.core.send(messages::cancel_build{20});
  CHECK(w.core.ended(20) == messages::build_ended{20, 1, "cancelled", true, false});
  CHECK(runtime::steady_ms() - at < 15'000);
  CHECK(build_containers() == 0);
  CHECK(w.core.wait([&] { return only_the_next_of(w, of_build); }));
}

TEST_CASE("a step that needs more memory than it may fails") {
  dockerd_world w;
  auto order = order_of(21, "RUN dd if=/dev/zero of=/dev/null bs=300M count=1");
  order.limits.memory_bytes_max = 64 << 20;
  w.core.run(order, project);
  const auto end = w.core.ended(21);
  CHECK(end.error.find("more memory than the 64 MiB") != std::string::npos);
  CHECK_FALSE(end.may_retry);
}

TEST_CASE("a project with build secrets is refused by a worker with dockerd") {
  dockerd_world w;
  auto order = order_of(22, "RUN cat /run/secrets/x");
  order.plan.secrets = {{"", ".balena/secrets/x", "x"}};
  w.core.run(order, {{"Dockerfile", "replaced\n"}, {".balena/secrets/x", "secret"}});
  const auto end = w.core.ended(22);
  CHECK(end.error.find("the engine of this worker cannot") != std::string::npos);
  CHECK_FALSE(end.may_retry);
  CHECK(w.core.output(22).find("Step") == std::string::npos);
}

TEST_CASE("a killed worker leaves nothing running, and the next one removes the rest") {
  dockerd_world w;
  w.core.run(order_of(30, "RUN echo begun; sleep 300"), project);
  REQUIRE(w.core.wait([&] { return w.core.output(30).find("\nbegun\n") != std::string::npos; }));
  const auto of_build = networks(w);
  w.worker->end(SIGKILL);
  CHECK(w.core.wait([] { return build_containers() == 0; }, 30));
  w.start();
  CHECK(w.core.said<messages::worker_joined>().back().builds.empty());
  CHECK(only_the_next_of(w, of_build));
  for (const auto& f : std::filesystem::directory_iterator(w.folder.path())) {
    CHECK((f.path().filename() == "id" || f.path().filename() == "lock"));
  }
  w.core.run(order_of(31, "RUN echo again"), project);
  CHECK(w.core.ended(31).error.empty());
}

TEST_CASE("a killed engine gives the build back, and the next build works") {
  dockerd_world w;
  w.core.run(order_of(40, "RUN echo begun; sleep 300"), project);
  REQUIRE(w.core.wait([&] { return w.core.output(40).find("\nbegun\n") != std::string::npos; }));
  engine().kill();
  // The job clears up once the engine is back; nothing is lost while it waits.
  engine().restart();
  const auto of_build = networks(w);
  const auto end = w.core.ended(40);
  CHECK(end.may_retry);
  CHECK_FALSE(end.cancelled);
  CHECK(build_containers() == 0);
  CHECK(w.core.wait([&] { return only_the_next_of(w, of_build); }));
  w.core.run(order_of(41, "RUN echo again"), project);
  CHECK(w.core.ended(41).error.empty());
}

TEST_CASE("a worker that is told to stop gives its builds back and clears up") {
  dockerd_world w;
  w.core.run(order_of(50, "RUN echo begun; sleep 300"), project);
  REQUIRE(w.core.wait([&] { return w.core.output(50).find("\nbegun\n") != std::string::npos; }));
  CHECK(w.worker->end(SIGTERM) == 0);
  CHECK(w.core.ended(50) == messages::build_ended{50, 1, "the worker stops", false, true});
  CHECK(build_containers() == 0);
  CHECK(networks(w).empty());  // for good: none is made ahead
}

TEST_CASE("a worker without root builds nothing unless it is told to be open") {
  test::temp_folder folder;
  fake_core core;
  const auto socket = engine().endpoint().substr(7);
  ::chmod(socket.c_str(), 0666);
  for (auto at = std::filesystem::path(socket).parent_path(); at != at.root_path();
       at = at.parent_path()) {
    std::filesystem::permissions(
      at,
      std::filesystem::perms::others_exec,
      std::filesystem::perm_options::add);
  }
  constexpr int nobody = 65534;
  REQUIRE(::chown(folder.path().c_str(), nobody, nobody) == 0);
  runtime::builder_config c;
  c.core = core.endpoint();
  c.server_key = core.key();
  c.public_key = core.worker_keys.public_key;
  c.secret_key = core.worker_keys.secret_key;
  c.name = "w";
  c.engine = engine().endpoint();
  c.work_dir = folder.path();
  const std::vector<std::string> command{
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    SLIPWAY_TEST_BUILDER,
    "--embedded"};
  const auto refused = runtime::run_child("setpriv", command, messages::dump_json(c) + "\n");
  REQUIRE(refused);
  CHECK(refused->status == 2);
  CHECK(refused->output.find("firewall rules take root") != std::string::npos);
  CHECK(refused->output.find("--build-network open") != std::string::npos);
  c.open_network = true;
  const auto pid =
    runtime::spawn_child("/usr/bin/setpriv", command, messages::dump_json(c) + "\n").value();
  CHECK(core.wait([&] { return !core.said<messages::worker_joined>().empty(); }, 30));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_CASE("the server's own worker joins, comes back with another key, and stops with it") {
  fake_core core;
  test::temp_folder folder;
  std::mutex mutex;
  std::vector<std::string> keys;
  runtime::builder_supervisor::options o;
  o.program = SLIPWAY_TEST_BUILDER;
  o.arguments = {"--embedded"};
  o.engine = engine().endpoint();
  o.core = core.endpoint();
  o.server_key = core.key();
  o.work_dir = folder.path();
  runtime::builder_supervisor s(o, [&](const std::string& name, const std::string& key) {
    const std::lock_guard lock(mutex);
    CHECK(name == "embedded");
    keys.push_back(key);
    core.allow(name, key);
  });
  s.start();
  REQUIRE(core.wait([&] { return core.said<messages::worker_joined>().size() == 1; }));
  CHECK(core.said<messages::worker_joined>()[0].name == "embedded");
  ::kill(s.pid(), SIGKILL);
  REQUIRE(core.wait([&] { return core.said<messages::worker_joined>().size() == 2; }));
  {
    const std::lock_guard lock(mutex);
    REQUIRE(keys.size() == 2);
    CHECK(keys[0] != keys[1]);
  }
  s.stop();
  CHECK(s.pid() == -1);
}

TEST_CASE("a server without an engine has no worker of its own, and stops at once") {
  runtime::builder_supervisor::options o;
  o.engine = "unix:///nowhere/engine.sock";
  o.engine_poll_ms = 50;
  bool asked = false;
  runtime::builder_supervisor s(o, [&](const std::string&, const std::string&) { asked = true; });
  s.start();
  ::usleep(300'000);
  CHECK(s.pid() == -1);
  const auto at = runtime::steady_ms();
  s.stop();
  CHECK(runtime::steady_ms() - at < 2'000);
  CHECK_FALSE(asked);
}
