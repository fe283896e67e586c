// The HTTP server under wrk: `bench_http` starts it; scripts and people may run it alone.
#include "runtime/http_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

using slipway::runtime::awaitable;
using slipway::runtime::exchange;
using slipway::runtime::http_server;
using slipway::runtime::response;

/// Usage: bench_http_server THREADS [FILE]. Prints its port, serves until its input ends.
/// `/` is a small answer, `/json` 2 KiB, `/post` reads its body, `/file` is FILE.
int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const int file = argc > 2 ? ::open(argv[2], O_RDONLY | O_CLOEXEC) : -1;
  const auto size = file < 0 ? 0 : ::lseek(file, 0, SEEK_END);
  http_server::options o;
  o.threads = threads;
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
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  char c = 0;
  while (::read(0, &c, 1) > 0) {
  }
  (*server)->stop(1000);
  return 0;
}
