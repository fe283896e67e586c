#pragma once

#include "runtime/http_pace.hpp"
#include "runtime/http_parser.hpp"
#include "runtime/http_server.hpp"
#include "runtime/tls_stream.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <chrono>
#include <optional>

/// Insides of the HTTP server; nothing outside runtime/ includes this.
namespace slipway::runtime {

class http_connection;

/// One thread: an io_context, its connections, one clock tick that enforces every deadline.
struct http_worker {
  using tcp = boost::asio::ip::tcp;
  using socket = boost::asio::basic_stream_socket<tcp, boost::asio::io_context::executor_type>;
  using acceptor = boost::asio::basic_socket_acceptor<tcp, boost::asio::io_context::executor_type>;
  using timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock,
    boost::asio::wait_traits<std::chrono::steady_clock>,
    boost::asio::io_context::executor_type>;

  explicit http_worker(const http_limits& l) : limits(l) {}

  const http_limits& limits;
  http_handler handler;
  bool stopping = false;
  std::string date_line;                      ///< `Date: ...\r\n`, renewed by the tick
  std::vector<http_connection*> connections;  ///< each knows its place
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> tls_accepted{0};
  std::atomic<std::uint64_t> tls_failed{0};
  // Last: destroying it destroys the coroutines, and their connections sign off above.
  boost::asio::io_context context{1};
};

/// One TCP connection, with TLS or without, and the exchange that is on it. Lives in the frame of its coroutine; used by its worker's thread only.
class http_connection final : public exchange {
public:
  /// With `tls` the handshake comes first.
  http_connection(
    http_worker& worker,
    http_worker::socket socket,
    const tls_context* tls = nullptr);
  ~http_connection() override;

  /// Serves requests until the connection ends.
  awaitable<void> run();
  /// Ends pending input and output when the deadline has passed.
  void check_deadline(std::int64_t now_ms);
  /// No request is being handled or received.
  [[nodiscard]] bool idle() const { return idle_; }
  /// Its request has no end of its own.
  [[nodiscard]] bool long_lived() const { return read_seconds_ != 0; }
  /// Ends pending input and output.
  void interrupt();
  /// Ends the connection for good: nothing is read or sent any more.
  void cut();

  // Its place among the worker's connections.
  std::size_t place = 0;

  [[nodiscard]] const request_head& head() const override { return head_; }
  [[nodiscard]] std::string_view header(std::string_view name) const override;
  [[nodiscard]] boost::asio::any_io_executor executor() const override;
  [[nodiscard]] awaitable<messages::result<std::string>> read_body(std::size_t bytes_max) override;
  [[nodiscard]] std::int64_t content_length() const override;
  [[nodiscard]] awaitable<messages::result<std::size_t>> read_some(std::span<char> out) override;
  awaitable<void> respond(response r) override;
  awaitable<void>
  respond_file(response r, int descriptor, std::uint64_t offset, std::uint64_t length) override;
  awaitable<void> respond_head(response r, std::uint64_t content_length) override;
  awaitable<void> begin(response r) override;
  awaitable<bool> write(std::string_view bytes) override;
  awaitable<void> end() override;
  void become_long_lived(int read_seconds) override;
  [[nodiscard]] bool client_gone() const override;

private:
  enum class parsed { need_more, ready, refused };
  enum class body_kind { none, length, chunked };
  enum class answer { none, streaming, complete };
  /// Bytes on their way out; the span shrinks as they leave.
  using pieces = std::span<iovec>;

  void start_request();
  parsed parse_head();
  parsed accept_head();
  void split_target();
  awaitable<void> serve_one();
  awaitable<void> refuse(int status);
  awaitable<bool> drain();
  awaitable<void> linger();

  [[nodiscard]] bool body_done() const { return body_ == body_kind::none; }
  [[nodiscard]] std::size_t buffered() const { return filled_ - used_; }
  void make_room(std::size_t capacity);
  std::size_t take_buffered(std::span<char> out);
  messages::result<std::size_t> take_chunked(std::span<char> out);
  awaitable<messages::result<std::size_t>> receive(std::span<char> out);
  awaitable<bool> fill(std::size_t capacity);
  awaitable<void> send_continue();
  messages::error break_off(messages::errc code, std::string why);
  awaitable<messages::result<std::string>> read_inflated(std::size_t bytes_max);

  bool start_answer(const response& r);
  void put_head(const response& r, std::int64_t content_length);
  [[nodiscard]] bool has_no_body(int status) const;
  static void advance(pieces& out, std::size_t sent);
  /// Sends what the kernel takes at once. False when the client is gone.
  bool try_send(pieces& out, int flags = 0);
  awaitable<bool> send(pieces out);
  awaitable<bool> send_file(int descriptor, std::uint64_t offset, std::uint64_t length);
  awaitable<bool> copy_file(int descriptor, std::uint64_t offset, std::uint64_t length);
  awaitable<bool> writable();
  void set_deadline(int seconds) { expect_within(std::int64_t{seconds} * 1000); }
  void expect_within(std::int64_t ms);

  // TLS only.
  awaitable<bool> shake_hands();
  awaitable<std::size_t> read_tls(std::span<char> out, boost::system::error_code& ec);
  awaitable<bool> ready(tls_stream::next what);
  bool try_send_tls(pieces& out);
  std::string_view one_record(pieces out);
  awaitable<void> turn(std::size_t bytes);

  http_worker& worker_;
  http_worker::socket socket_;
  std::int64_t deadline_ms_ = 0;  ///< 0 = none
  bool expired_ = false;
  int read_seconds_ = 0;  ///< of a long-lived exchange, 0 = an ordinary one
  bool idle_ = true;
  bool served_ = false;  ///< at least one request

  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::size_t filled_ = 0;

  http_parser::storage store_;
  std::optional<http_parser> parser_;
  std::size_t header_bytes_ = 0;
  int refusal_ = 0;
  request_head head_;
  std::string host_;

  body_kind body_ = body_kind::none;
  std::uint64_t body_left_ = 0;
  std::int64_t content_length_ = -1;
  std::int64_t body_deadline_ms_ = 0;
  pace body_pace_;
  bool expect_continue_ = false;
  std::optional<messages::error> broken_;  ///< why the request's body cannot be read to its end

  answer answer_ = answer::none;
  bool keep_alive_ = true;
  bool gone_ = false;  ///< nothing more can be sent
  bool chunked_ = false;
  std::int64_t stream_left_ = -1;  ///< of a streamed answer with a Content-Length of its own
  std::string out_;
  pace answer_pace_;
  bool answer_waited_ = false;      ///< the answer's pace has begun
  std::uint64_t acknowledged_ = 0;  ///< by the client's kernel, when the answer was last waited for

  /// Of a connection on the TLS port.
  struct secured {
    tls_stream stream;
    bool hsts = false;
    std::size_t since_turn = 0;
    std::string record = {};  ///< small pieces on their way into one record
  };
  std::unique_ptr<secured> tls_;
};

}  // namespace slipway::runtime
