#include "gateways/ssh/ssh_server.hpp"

#include "tests/gateways/git/git_user.hpp"
#include "tests/support/installation.hpp"
#include "tests/support/server_world.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <thread>

using namespace slipway;
using namespace slipway::gateways::ssh;
using namespace std::chrono_literals;
using tests::shell;

namespace {

/// Is over, and what it said has no end.
class endless final : public program {
public:
  endless() { output = storage::unique_fd(::open("/dev/zero", O_RDONLY | O_CLOEXEC)); }
  int over() const override { return event_.get(); }
  std::optional<int> status() const override { return 0; }

private:
  storage::unique_fd event_{::eventfd(1, EFD_CLOEXEC)};
};

/// A server that knows ann's key.
struct world {
  tests::store_in_memory rows;
  tests::installation all;
  test::temp_folder folder;
  std::unique_ptr<ssh_server> server;

  explicit world(ssh_limits limits) {
    const auto user = all.given_user("ann");
    keep();
    const auto key = folder.path() + "/key";
    shell("ssh-keygen -q -t ed25519 -N '' -f " + key);
    std::ifstream file(key + ".pub");
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    (void)all.given("user_public_key", {{"user", user}, {"title", "laptop"}, {"public_key", line}});
    keep();
    ssh_server::options o;
    o.keys_folder = folder.path();
    o.store = rows.store;
    o.limits = limits;
    o.exec = [](const exec_request&) { return std::make_unique<endless>(); };
    auto opened = ssh_server::open(std::move(o));
    REQUIRE(opened);
    server = std::move(*opened);
    server->start();
  }
  void keep() {
    all.last.expected_version = messages::any_version;
    REQUIRE(rows.store.log->append({&all.last, 1}).at(0));
  }

  /// How a client ended.
  [[nodiscard]] std::string run(const std::string& command) const {
    return shell(
      "timeout 60 ssh -F /dev/null -i " + folder.path()
      + "/key -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o LogLevel=ERROR"
        " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p "
      + std::to_string(server->port()) + " git@127.0.0.1 " + command
      + " > /dev/null 2>&1 < /dev/null && echo 0 || echo $?");
  }
};

}  // namespace

TEST_CASE("a connection whose program is over is cut when the client does not take the rest") {
  ssh_limits limits;
  limits.idle_seconds = 1;
  const world w(limits);
  CHECK(w.run("anything") == "255");
}

TEST_CASE("a server without descriptors waits for some, at rest") {
  const world w({});
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(w.server->port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const storage::unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto began = std::clock();
  {
    const tests::few_descriptors left(0);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    std::this_thread::sleep_for(1s);
  }
  CHECK(std::clock() - began < CLOCKS_PER_SEC / 4);
  pollfd greeted{client.get(), POLLIN, 0};
  CHECK(::poll(&greeted, 1, 30'000) == 1);
}
