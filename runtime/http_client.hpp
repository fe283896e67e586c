#pragma once

#include "messages/error.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::runtime {

struct http_request {
  std::string method = "GET";
  std::string url = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  /// Streams the request body instead of `body`: fills the buffer, returns bytes, 0 = end, or -1 to give up.
  std::function<std::ptrdiff_t(char*, std::size_t)> body_source = {};
  std::int64_t body_length = -1;  ///< of body_source; -1 = chunked
  /// Receives the body of a 2xx answer as it comes, instead of http_reply::body; false gives up. What is refused is in the reply.
  std::function<bool(std::string_view)> body_sink = {};
  std::size_t body_bytes_max = 64U << 20U;  ///< of http_reply::body
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds timeout{60'000};  ///< whole request; 0 = none (streams)
  std::chrono::seconds stall_timeout{0};      ///< no byte for this long; 0 = none
  /// Connects to no address of this machine or its link (local_address.hpp), whatever the name resolves to: unavailable.
  bool no_local_address = false;
};

struct http_reply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< names in lower case
  std::string body = {};
  [[nodiscard]] std::string_view header(std::string_view lower_case_name) const;
};

/// What is wrong with a server's certificate.
enum class distrust {
  none,
  chain,  ///< no trusted root signed it, it has expired, or the root to trust cannot be read
  name,   ///< it is for other hosts
};

/// Blocking HTTP(S) on libcurl; keeps connections. One thread at a time: use it from a detached actor or a plain program.
class http_client {
public:
  struct options {
    std::string unix_socket;  ///< "" = TCP
    std::string ca_file;      ///< further trusted roots, PEM; "" = the system's only
    std::string ca_pem;       ///< the same as text; wins over the file
    std::string user_agent;
  };
  explicit http_client(options o);
  ~http_client();
  http_client(http_client&&) noexcept;
  http_client& operator=(http_client&&) noexcept;

  /// Any HTTP status is a reply. Errors: unavailable (cannot connect or resolve), timed_out, too_large, io_failed, invalid_argument (url).
  [[nodiscard]] messages::result<http_reply> send(const http_request& r);
  /// Why the last `send` failed (unavailable) on the server's certificate, if it did: trying again does not help.
  [[nodiscard]] distrust distrusted() const;
  /// Whether what answered last, the server or a proxy, has an address of this machine or its link.
  [[nodiscard]] bool reached_local_address() const;
  /// Whether the last `send` failed since the other end closed the connection before its answer was whole.
  [[nodiscard]] bool broken() const;
  /// Makes a `send` of another thread end with an error; sticky until the next `send` begins.
  void cancel();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
