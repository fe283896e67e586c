#pragma once

#include "runtime/tls_context.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

struct ssl_st;

namespace slipway::runtime {

/// The first bytes of a connection, checked before OpenSSL sets memory aside for what they announce.
class hello_guard {
public:
  /// A ClientHello with tickets and post-quantum key shares is about 2 KiB; OpenSSL would take 128 KiB per connection.
  static constexpr std::size_t hello_bytes_max = 16 * 1024;

  /// False once the bytes so far announce a handshake that no client of ours sends.
  [[nodiscard]] bool admit(std::string_view bytes);

private:
  static constexpr std::size_t head_bytes = 9;  // of the record and of the handshake message
  std::array<std::uint8_t, head_bytes> head_{};
  std::size_t seen_ = 0;
};

/// The server's side of TLS on a non-blocking socket that somebody else owns and waits for (ADR 59). One thread at a time.
class tls_stream {
public:
  /// What must happen before the call is worth repeating.
  enum class next { done, readable, writable, closed };
  struct progress {
    std::size_t bytes = 0;
    next what = next::done;
  };

  tls_stream(std::shared_ptr<const tls_generation> certificates, int descriptor);
  tls_stream(const tls_stream&) = delete;
  tls_stream& operator=(const tls_stream&) = delete;
  ~tls_stream();

  [[nodiscard]] next handshake();
  /// After a failed handshake: the client spoke HTTP without TLS.
  [[nodiscard]] bool was_plain_http() const { return plain_http_; }
  /// Fills `out` as far as bytes are there. `bytes` > 0, or the reason why there are none.
  [[nodiscard]] progress read(std::span<char> out);
  /// After `readable` or `writable` the same bytes must be given again.
  [[nodiscard]] progress write(std::string_view bytes);
  /// Has the client said that it sends nothing more, or gone away, as far as the socket knows now?
  [[nodiscard]] bool ended();
  /// Tells the client that nothing follows, if the socket takes it at once.
  void finish();

private:
  struct wire;
  [[nodiscard]] next reason(int outcome);
  std::shared_ptr<const tls_generation> certificates_;
  std::unique_ptr<wire> wire_;
  ssl_st* ssl_ = nullptr;
  bool plain_http_ = false;
  bool broken_ = false;
};

}  // namespace slipway::runtime
