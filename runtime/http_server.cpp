#include "runtime/http_server.hpp"

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "runtime/http_connection.hpp"
#include "runtime/http_text.hpp"
#include "runtime/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>

#include <csignal>
#include <thread>

namespace slipway::runtime {
namespace {

namespace asio = boost::asio;
using messages::errc;
using messages::fail;
using tcp = asio::ip::tcp;

constexpr auto tick_interval = std::chrono::milliseconds(250);
/// After an accept that failed for want of descriptors or memory.
constexpr auto accept_pause = std::chrono::milliseconds(100);
constexpr int backlog = 4096;
/// What handlers and sockets get, after the grace of `stop`, to notice that it is over.
constexpr std::int64_t abandon_ms = 1000;

/// Why this address cannot be had; "" = it can.
std::string
describe(const std::string& address, std::uint16_t port, const boost::system::error_code& ec) {
  return ec ? "listen on " + address + ":" + std::to_string(port) + ": " + ec.message() : "";
}

/// SO_REUSEPORT would let a second server of the same user share the port unnoticed; a bind without it tells.
boost::system::error_code probe(asio::io_context& context, const tcp::endpoint& at) {
  boost::system::error_code ec;
  tcp::acceptor a(context);
  a.open(at.protocol(), ec);
  if (!ec) {
    a.set_option(tcp::acceptor::reuse_address(true), ec);
    a.bind(at, ec);
  }
  return ec;
}

/// sendfile(2) has no MSG_NOSIGNAL: a client that goes in the middle of a file would end the process.
void ignore_broken_pipes() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

class server final : public http_server {
public:
  explicit server(options o) : options_(std::move(o)) {}
  ~server() override { stop(0); }

  /// Why it cannot; "" when it can.
  std::string bind();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  [[nodiscard]] std::uint16_t tls_port_number() const override { return tls_port_; }
  void start(http_handler handler) override;
  void stop(int grace_ms) override;
  [[nodiscard]] counters count() const override;

private:
  struct running {
    explicit running(const http_limits& l)
      : worker(l), acceptor(worker.context), tls_acceptor(worker.context), tick(worker.context) {}
    http_worker worker;
    http_worker::acceptor acceptor;
    http_worker::acceptor tls_acceptor;
    http_worker::timer tick;
    std::thread thread;
  };

  using acceptor_of = http_worker::acceptor running::*;
  boost::system::error_code
  bind(acceptor_of which, const std::string& address, std::uint16_t& port);
  awaitable<void> accept(running& r, http_worker::acceptor& from, const tls_context* tls);
  awaitable<void> keep_time(running& r);
  void take(running& r, http_worker::socket socket, const tls_context* tls);
  [[nodiscard]] std::uint64_t open_connections() const;
  bool wait_closed(std::int64_t until_ms) const;

  options options_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::vector<std::unique_ptr<running>> running_;
  bool started_ = false;
  bool stopped_ = false;
};

boost::system::error_code share_port(http_worker::acceptor& a, const tcp::endpoint& at) {
  boost::system::error_code ec;
  a.open(at.protocol(), ec);
  if (ec) {
    return ec;
  }
  a.set_option(tcp::acceptor::reuse_address(true), ec);
  const int yes = 1;
  if (::setsockopt(a.native_handle(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) != 0) {
    return {errno, boost::system::system_category()};
  }
  a.bind(at, ec);
  return ec;
}

boost::system::error_code
server::bind(acceptor_of which, const std::string& address, std::uint16_t& port) {
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(address == "localhost" ? "127.0.0.1" : address, ec);
  if (ec) {
    return ec;
  }
  tcp::endpoint at(ip, port);
  if (port != 0) {
    ec = probe(running_[0]->worker.context, at);
  }
  for (auto& r : running_) {
    if (!ec) {
      ec = share_port((*r).*which, at);
    }
    if (ec) {
      return ec;
    }
    at = ((*running_[0]).*which).local_endpoint(ec);
  }
  port = at.port();
  // All are bound before one listens: connections spread over those that listen.
  for (auto& r : running_) {
    ((*r).*which).listen(backlog, ec);
    if (ec) {
      return ec;
    }
  }
  return ec;
}

std::string server::bind() {
  for (int i = 0; i < std::max(options_.threads, 1); ++i) {
    running_.push_back(std::make_unique<running>(options_.limits));
  }
  port_ = options_.port;
  auto failed =
    describe(options_.address, port_, bind(&running::acceptor, options_.address, port_));
  if (failed.empty() && options_.tls.context) {
    SLIPWAY_ASSERT(options_.tls.context->current() != nullptr);
    const auto& address = options_.tls.address;
    tls_port_ = options_.tls.port;
    failed = describe(address, tls_port_, bind(&running::tls_acceptor, address, tls_port_));
  }
  return failed;
}

void server::start(http_handler handler) {
  started_ = true;
  for (auto& one : running_) {
    auto& r = *one;
    r.worker.handler = handler;
    r.worker.date_line = "Date: " + http_date(now_ms()) + "\r\n";
    asio::co_spawn(r.worker.context, accept(r, r.acceptor, nullptr), asio::detached);
    if (const auto* tls = options_.tls.context.get(); tls != nullptr) {
      asio::co_spawn(r.worker.context, accept(r, r.tls_acceptor, tls), asio::detached);
    }
    asio::co_spawn(r.worker.context, keep_time(r), asio::detached);
    r.thread = std::thread([&r] {
      ignore_broken_pipes();
      r.worker.context.run();
    });
  }
}

awaitable<void> server::keep_time(running& r) {
  boost::system::error_code ec;
  while (!ec) {
    r.tick.expires_after(tick_interval);
    co_await r.tick.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto now = steady_ms();
    for (auto* c : r.worker.connections) {
      c->check_deadline(now);
    }
    r.worker.date_line = "Date: " + http_date(now_ms()) + "\r\n";
  }
}

awaitable<void> server::accept(running& r, http_worker::acceptor& from, const tls_context* tls) {
  for (;;) {
    boost::system::error_code ec;
    auto socket = co_await from.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (r.worker.stopping || !from.is_open()) {
      co_return;
    }
    if (
      ec == asio::error::no_descriptors || ec == asio::error::no_memory
      || ec == boost::system::errc::too_many_files_open_in_system) {
      log::warn("cannot accept a connection", {{"what", ec.message()}});
      http_worker::timer pause(r.worker.context, accept_pause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    } else if (!ec) {
      take(r, std::move(socket), tls);
    }
  }
}

void server::take(running& r, http_worker::socket socket, const tls_context* tls) {
  if (open_connections() >= options_.limits.connections_max) {
    ++r.worker.refused;
    if (tls != nullptr) {
      return;  // an answer would cost the handshake that it is about
    }
    constexpr std::string_view sorry =
      "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
      "Content-Type: application/json; charset=utf-8\r\nContent-Length: 21\r\n\r\n\"Service "
      "Unavailable\"";
    // One try: a client that cannot take it learns as much from the close.
    [[maybe_unused]] const auto n =
      ::send(socket.native_handle(), sorry.data(), sorry.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  ++r.worker.open;
  auto connection = std::make_unique<http_connection>(r.worker, std::move(socket), tls);
  asio::co_spawn(
    r.worker.context,
    [c = std::move(connection)]() -> awaitable<void> { co_await c->run(); },
    asio::detached);
}

std::uint64_t server::open_connections() const {
  std::uint64_t n = 0;
  for (const auto& r : running_) {
    n += r->worker.open.load(std::memory_order_relaxed);
  }
  return n;
}

bool server::wait_closed(std::int64_t until_ms) const {
  while (open_connections() > 0) {
    if (steady_ms() >= until_ms) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void server::stop(int grace_ms) {
  if (stopped_) {
    return;
  }
  stopped_ = true;
  if (started_) {
    for (auto& one : running_) {
      asio::post(one->worker.context, [&r = *one] {
        r.worker.stopping = true;
        boost::system::error_code ec;
        r.acceptor.close(ec);
        r.tls_acceptor.close(ec);
        for (auto* c : r.worker.connections) {
          if (c->idle()) {
            c->interrupt();
          } else if (c->long_lived()) {
            c->cut();
          }
        }
      });
    }
    if (!wait_closed(steady_ms() + grace_ms)) {
      for (auto& one : running_) {
        asio::post(one->worker.context, [&r = *one] {
          for (auto* c : r.worker.connections) {
            c->cut();
          }
        });
      }
      wait_closed(steady_ms() + abandon_ms);
    }
  }
  for (auto& r : running_) {
    r->worker.context.stop();
    if (r->thread.joinable()) {
      r->thread.join();
    }
    // A worker that had no connection may have been stopped before it came to this: nobody must wait in its queue.
    boost::system::error_code ec;
    r->acceptor.close(ec);
    r->tls_acceptor.close(ec);
  }
}

http_server::counters server::count() const {
  counters c;
  for (const auto& r : running_) {
    c.requests += r->worker.requests.load(std::memory_order_relaxed);
    c.connections += r->worker.accepted.load(std::memory_order_relaxed);
    c.connections_open += r->worker.open.load(std::memory_order_relaxed);
    c.refused += r->worker.refused.load(std::memory_order_relaxed);
    c.tls_connections += r->worker.tls_accepted.load(std::memory_order_relaxed);
    c.tls_failed += r->worker.tls_failed.load(std::memory_order_relaxed);
  }
  return c;
}

}  // namespace

messages::result<std::unique_ptr<http_server>> http_server::open(options o) {
  try {
    auto s = std::make_unique<server>(o);
    if (auto why = s->bind(); !why.empty()) {
      return fail(errc::unavailable, std::move(why));
    }
    return s;
  } catch (const std::exception& e) {
    return fail(errc::internal, e.what());
  }
}

}  // namespace slipway::runtime
