#include "runtime/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace slipway::runtime {

bool hello_guard::admit(std::string_view bytes) {
  constexpr std::uint8_t handshake_record = 22;
  constexpr std::uint8_t ssl2_bit = 0x80;
  if (seen_ == head_bytes) {
    return true;
  }
  const auto n = std::min(bytes.size(), head_bytes - seen_);
  std::copy_n(bytes.begin(), n, head_.begin() + static_cast<std::ptrdiff_t>(seen_));
  seen_ += n;
  if (seen_ > 0 && head_[0] != handshake_record) {
    return (head_[0] & ssl2_bit) == 0;  // nothing that needs memory; OpenSSL says what it is
  }
  if (seen_ < head_bytes) {
    return true;
  }
  const auto record = static_cast<std::size_t>(head_[3] << 8 | head_[4]);
  const auto message = static_cast<std::size_t>(head_[6] << 16 | head_[7] << 8 | head_[8]);
  // A message head that is cut over records would pass unseen; nobody sends it.
  return record >= 4 && message <= hello_bytes_max;
}

/// The socket as OpenSSL sees it.
struct tls_stream::wire {
  int descriptor = -1;
  bool ended = false;
  hello_guard guard;

  static const BIO_METHOD* method();
  static wire& of(BIO* b) { return *static_cast<wire*>(BIO_get_data(b)); }
  static int read(BIO* b, char* out, int length);
  static int write(BIO* b, const char* in, int length);
  static long control(BIO* b, int command, long, void*);
};

int tls_stream::wire::read(BIO* b, char* out, int length) {
  auto& w = of(b);
  BIO_clear_retry_flags(b);
  for (;;) {
    const auto n =
      ::recv(w.descriptor, out, static_cast<std::size_t>(std::max(length, 0)), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      BIO_set_retry_read(b);
      return -1;
    }
    w.ended = n <= 0;
    if (n > 0 && !w.guard.admit({out, static_cast<std::size_t>(n)})) {
      return -1;
    }
    return static_cast<int>(n);
  }
}

int tls_stream::wire::write(BIO* b, const char* in, int length) {
  BIO_clear_retry_flags(b);
  for (;;) {
    const auto n = ::send(
      of(b).descriptor,
      in,
      static_cast<std::size_t>(std::max(length, 0)),
      MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      BIO_set_retry_write(b);
    }
    return static_cast<int>(n);
  }
}

long tls_stream::wire::control(BIO* b, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return of(b).ended ? 1 : 0;
    default:
      return 0;
  }
}

const BIO_METHOD* tls_stream::wire::method() {
  static const BIO_METHOD* const made = [] {
    auto* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slipway socket");
    if (m == nullptr) {
      throw std::bad_alloc();
    }
    BIO_meth_set_read(m, &wire::read);
    BIO_meth_set_write(m, &wire::write);
    BIO_meth_set_ctrl(m, &wire::control);
    return m;
  }();
  return made;
}

tls_stream::tls_stream(std::shared_ptr<const tls_generation> certificates, int descriptor)
  : certificates_(std::move(certificates)), wire_(std::make_unique<wire>()) {
  wire_->descriptor = descriptor;
  ssl_ = SSL_new(certificates_->for_host({}));
  auto* b = ssl_ != nullptr ? BIO_new(wire::method()) : nullptr;
  if (b == nullptr) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
  BIO_set_data(b, wire_.get());
  BIO_set_init(b, 1);
  SSL_set_bio(ssl_, b, b);  // owns it
  SSL_set_accept_state(ssl_);
}

tls_stream::~tls_stream() {
  SSL_free(ssl_);
}

tls_stream::next tls_stream::reason(int outcome) {
  switch (SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_NONE:
      return next::done;
    case SSL_ERROR_WANT_READ:
      return next::readable;
    case SSL_ERROR_WANT_WRITE:
      return next::writable;
    case SSL_ERROR_ZERO_RETURN:
      return next::closed;
    default:
      plain_http_ = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
      broken_ = true;  // OpenSSL must not be called again
      return next::closed;
  }
}

tls_stream::next tls_stream::handshake() {
  ERR_clear_error();
  return reason(SSL_accept(ssl_));
}

tls_stream::progress tls_stream::read(std::span<char> out) {
  progress p;
  // A record holds 16 KiB at most: several fill a large buffer in one go.
  while (p.bytes < out.size() && !broken_) {
    std::size_t n = 0;
    ERR_clear_error();
    const auto outcome = SSL_read_ex(ssl_, out.data() + p.bytes, out.size() - p.bytes, &n);
    if (outcome != 1) {
      p.what = reason(outcome);
      return p;
    }
    p.bytes += n;
  }
  p.what = broken_ ? next::closed : next::done;
  return p;
}

tls_stream::progress tls_stream::write(std::string_view bytes) {
  progress p;
  if (broken_) {
    p.what = next::closed;
    return p;
  }
  ERR_clear_error();
  const auto outcome = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &p.bytes);
  if (outcome != 1) {
    p.what = reason(outcome);
  }
  return p;
}

bool tls_stream::ended() {
  char next_byte = 0;
  std::size_t n = 0;
  ERR_clear_error();
  const bool more = !broken_ && SSL_peek_ex(ssl_, &next_byte, 1, &n) == 1;
  return !more && (broken_ || reason(0) == next::closed);
}

void tls_stream::finish() {
  if (!broken_ && SSL_is_init_finished(ssl_) != 0) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
  }
}

}  // namespace slipway::runtime
