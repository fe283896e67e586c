#pragma once

#include "messages/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::runtime {

template <class T>
using awaitable = boost::asio::awaitable<T>;

/// A request's line and header fields. Views stay valid as long as the exchange.
struct request_head {
  std::string_view method;     ///< upper case
  std::string_view target;     ///< as received, path and query, percent-encoded
  std::string_view path;       ///< before '?', percent-encoded
  std::string_view query;      ///< after '?', percent-encoded, "" if none
  std::string_view host;       ///< Host without port, lower case
  std::string_view host_port;  ///< Host as received
  std::string peer = {};       ///< address of the client
  bool tls = false;
};

struct response {
  int status = 200;
  std::string content_type = {};  ///< "" = no such field
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< further fields

  static response text(int status, std::string body);
  static response json(int status, std::string body);
};

/// What a failed `read_body` or `read_some` deserves: 413, 408, 415 or 400, with a JSON string as its body.
response body_refused(const messages::error& e);

/// One request and the answer to it. A handler reads the body if it wants it, and answers exactly once; the server answers
/// 500 for a handler that did not. What is left of the body is read and dropped up to a limit, else the connection closes.
class exchange {
public:
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  virtual ~exchange() = default;

  [[nodiscard]] virtual const request_head& head() const = 0;
  /// First field of that name (any case), "" if absent.
  [[nodiscard]] virtual std::string_view header(std::string_view name) const = 0;
  [[nodiscard]] virtual boost::asio::any_io_executor executor() const = 0;

  /// The whole body. Errors: too_large (past `bytes_max`), timed_out, invalid_argument (broken framing or connection).
  /// Bodies with Content-Encoding gzip are inflated, the limit then counts inflated bytes.
  [[nodiscard]] virtual awaitable<messages::result<std::string>> read_body(
    std::size_t bytes_max) = 0;
  /// Length if the client gave one, else -1.
  [[nodiscard]] virtual std::int64_t content_length() const = 0;
  /// The next bytes of the body, as they come, not inflated; 0 = end. Same errors, no size limit.
  [[nodiscard]] virtual awaitable<messages::result<std::size_t>> read_some(std::span<char> out) = 0;

  /// Whole answers. Errors are only that the client went away: nothing a handler could do about it.
  virtual awaitable<void> respond(response r) = 0;
  /// `r` without body, followed by `length` bytes of a file from `offset`: sendfile(2) on plain sockets.
  virtual awaitable<void>
  respond_file(response r, int descriptor, std::uint64_t offset, std::uint64_t length) = 0;
  /// Header fields only but with this Content-Length, as for HEAD.
  virtual awaitable<void> respond_head(response r, std::uint64_t content_length) = 0;

  /// An answer of unknown length, chunked. `write` is false once the client went away.
  virtual awaitable<void> begin(response r) = 0;
  virtual awaitable<bool> write(std::string_view bytes) = 0;
  virtual awaitable<void> end() = 0;

  /// This exchange goes on for as long as the client likes: a read may wait `read_seconds`, and the end of the server ends it at
  /// once instead of after the grace of `stop`. It may also be as slow as it likes.
  virtual void become_long_lived(int read_seconds) = 0;
  /// Whether the client has closed its end, as far as is known here by now. Costs a system call, never waits.
  [[nodiscard]] virtual bool client_gone() const = 0;

protected:
  exchange() = default;
};

class tls_context;

using http_handler = std::function<awaitable<void>(exchange&)>;

struct http_limits {
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t connections_max =
    8192;  ///< further ones are accepted and closed at once, and counted
  /// From accept to the end of the TLS handshake, and from there, or from the end of the last answer with data pending, to the end
  /// of the header.
  int header_seconds = 20;
  int idle_seconds = 75;           ///< keep-alive without a request
  int body_seconds_per_read = 30;  ///< a body that makes no progress
  int write_seconds = 60;          ///< a client that reads nothing
  /// Every so many bytes of a body, or of an answer, give one second of the above back; slower ones run out of it.
  std::uint64_t bytes_per_second_min = 1024;
};

/// HTTP/1.1 on Boost.Beast with C++20 coroutines: `threads` io_contexts, each with an acceptor of its own per port (SO_REUSEPORT).
class http_server {
public:
  /// A second port, which speaks TLS only. Its connections share the threads and the limits of the first.
  struct tls_port {
    std::string address;
    std::uint16_t port = 0;
    std::shared_ptr<tls_context> context = {};  ///< null = there is no such port
  };
  struct options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0 = any free one
    int threads = 2;
    http_limits limits;
    tls_port tls = {};
  };
  /// Binds; errors name the address. Nothing is accepted before `start`.
  [[nodiscard]] static messages::result<std::unique_ptr<http_server>> open(options o);
  virtual ~http_server() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// 0 = none.
  [[nodiscard]] virtual std::uint16_t tls_port_number() const = 0;
  virtual void start(http_handler handler) = 0;
  /// Stops accepting, gives requests in flight up to `grace_ms`, then closes. Blocks.
  virtual void stop(int grace_ms) = 0;
  struct counters {
    std::uint64_t requests = 0, connections = 0, connections_open = 0, refused = 0;
    std::uint64_t tls_connections = 0;  ///< accepted on the TLS port
    std::uint64_t tls_failed = 0;       ///< ended before the handshake did
  };
  [[nodiscard]] virtual counters count() const = 0;
};

}  // namespace slipway::runtime
