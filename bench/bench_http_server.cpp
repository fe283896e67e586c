// The HTTP server under wrk: `bench_http` starts it; scripts and people may run it alone.
#include "runtime/certificates.hpp"
#include "runtime/clock.hpp"
#include "runtime/http_server.hpp"
#include "runtime/tls_context.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

using slipway::runtime::awaitable;
using slipway::runtime::exchange;
using slipway::runtime::http_server;
using slipway::runtime::response;

namespace {

/// A certificate for `localhost` of an authority made here, whose root is written to `folder`.
std::shared_ptr<slipway::runtime::tls_context> secured(const std::string& folder) {
  using namespace slipway::runtime;
  const auto root = make_root("localhost", now_ms());
  const auto leaf = root ? make_leaf(*root, {"localhost"}, now_ms()) : root;
  auto context = std::make_shared<tls_context>(tls_context::options{});
  if (!leaf || !context->use({*leaf}, now_ms())) {
    return nullptr;
  }
  std::ofstream(folder + "/root.pem", std::ios::binary) << root->chain;
  return context;
}

}  // namespace

/// Usage: bench_http_server THREADS [FILE [FOLDER]]. Prints its port, serves until its input ends.
/// With FOLDER, where it writes root.pem, a second port speaks TLS and is printed behind the first.
/// `/` is a small answer, `/json` 2 KiB, `/post` reads its body, `/file` is FILE.
int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const int file = argc > 2 ? ::open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
  const auto size = file < 0 ? 0 : ::lseek(file, 0, SEEK_END);
  http_server::options o;
  o.threads = threads;
  if (argc > 3) {
    o.tls = {"127.0.0.1", 0, secured(argv[3])};
    if (o.tls.context == nullptr) {
      std::fprintf(stderr, "no certificate can be made\n");
      return 2;
    }
  }
  auto server = http_server::open(o);
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().detail.c_str());
    return 2;
  }
  const std::string json = "{\"d\":[" + std::string(2040, '1') + "]}";
  (*server)->start([&](exchange& x) -> awaitable<void> {
    const auto path = x.head().path;
    if (path == "/json") {
      co_await x.respond(response::json(200, json));
    } else if (path == "/post") {
      auto body = co_await x.read_body(65536);
      // GCC 12 destroys a conditional's temporary twice when it is part of a co_await expression.
      auto answer = body ? response::text(200, std::to_string(body->size()))
                         : slipway::runtime::body_refused(body.error());
      co_await x.respond(std::move(answer));
    } else if (path == "/file") {
      response r;
      r.content_type = "application/octet-stream";
      co_await x.respond_file(std::move(r), file, 0, static_cast<std::uint64_t>(size));
    } else {
      co_await x.respond(response::text(200, "hello"));
    }
  });
  if (argc > 3) {
    std::printf("%d %d\n", (*server)->port(), (*server)->tls_port_number());
  } else {
    std::printf("%d\n", (*server)->port());
  }
  std::fflush(stdout);
  char c = 0;
  while (::read(0, &c, 1) > 0) {
  }
  (*server)->stop(1000);
  return 0;
}
