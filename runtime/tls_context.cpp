#include "runtime/tls_context.hpp"

#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"
#include "runtime/openssl_support.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

using openssl::why;
using context = std::unique_ptr<SSL_CTX, openssl::deleter<SSL_CTX_free>>;

constexpr std::int64_t ticket_keys_ms = 24 * 3600 * 1000;
constexpr std::size_t ticket_keys_bytes = 80;  // what SSL_CTX_set_tlsext_ticket_keys takes
constexpr std::size_t chain_length_max = 16;

/// Only HTTP/1.1 is spoken. A client that insists on something else is told at once (RFC 7301, 3.2).
int choose_protocol(
  SSL*,
  const unsigned char** out,
  unsigned char* out_length,
  const unsigned char* in,
  unsigned int in_length,
  void*) {
  for (const std::string_view offered : {"\x08http/1.1", "\x08http/1.0"}) {
    for (unsigned int at = 0; at < in_length; at += in[at] + 1U) {
      const auto length = in[at] + 1U;
      if (
        at + length <= in_length
        && std::string_view(reinterpret_cast<const char*>(in + at), length) == offered) {
        *out = in + at + 1;
        *out_length = in[at];
        return SSL_TLSEXT_ERR_OK;
      }
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int choose_certificate(SSL* ssl, int*, void* generation) {
  const auto* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (host != nullptr) {
    auto* wanted = static_cast<const tls_generation*>(generation)->for_host(host);
    if (wanted != SSL_get_SSL_CTX(ssl)) {
      SSL_set_SSL_CTX(ssl, wanted);
    }
  }
  return SSL_TLSEXT_ERR_OK;
}

result<void>
read_identity(SSL_CTX* into, const tls_identity& from, std::vector<std::string>& names) {
  const auto chain = openssl::reader(from.chain);
  ERR_clear_error();
  const openssl::certificate leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(into, leaf.get()) != 1) {
    return fail(errc::invalid_argument, "the certificate cannot be read: " + why());
  }
  for (std::size_t length = 1;; ++length) {
    openssl::certificate next(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    if (!next) {
      // Only the end of the text may end the chain.
      if (
        ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || length > chain_length_max) {
        return fail(errc::invalid_argument, "the certificate's chain cannot be read: " + why());
      }
      break;
    }
    if (SSL_CTX_add0_chain_cert(into, next.get()) != 1) {
      return fail(errc::invalid_argument, "the certificate's chain cannot be used: " + why());
    }
    (void)next.release();  // the context's now
  }
  ERR_clear_error();
  const auto secret = openssl::private_key(from.key);
  if (!secret) {
    return fail(errc::invalid_argument, "the private key cannot be read: " + why());
  }
  if (SSL_CTX_use_PrivateKey(into, secret.get()) != 1 || SSL_CTX_check_private_key(into) != 1) {
    return fail(errc::invalid_argument, "the private key is not the certificate's: " + why());
  }
  names = openssl::dns_names(leaf.get());
  return {};
}

bool set_rules(SSL_CTX* c, std::string& ticket_keys) {
  constexpr std::string_view session_id = "slipway";
  SSL_CTX_set_options(
    c,
    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE
      | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Idle connections hold no record buffers.
  SSL_CTX_set_mode(
    c,
    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets need no memory of ours
  SSL_CTX_set_num_tickets(c, 1);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1
         && SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
         && SSL_CTX_set_ciphersuites(
              c,
              "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")
              == 1
         && SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") == 1
         && SSL_CTX_set_session_id_context(
              c,
              reinterpret_cast<const unsigned char*>(session_id.data()),
              static_cast<unsigned int>(session_id.size()))
              == 1
         && SSL_CTX_set_tlsext_ticket_keys(
              c,
              ticket_keys.data(),
              static_cast<long>(ticket_keys.size()))
              == 1;
}

}  // namespace

bool name_covers(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) {
    return pattern == host;
  }
  const auto dot = host.find('.');
  return dot != std::string_view::npos && dot > 0 && host.substr(dot) == pattern.substr(1);
}

tls_generation::~tls_generation() {
  for (auto& e : entries_) {
    SSL_CTX_free(e.context);
  }
}

ssl_ctx_st* tls_generation::for_host(std::string_view host) const {
  auto wanted = ascii_lower(host);
  if (wanted.ends_with('.')) {
    wanted.pop_back();
  }
  for (const auto& e : entries_) {
    for (const auto& name : e.names) {
      if (name_covers(name, wanted)) {
        return e.context;
      }
    }
  }
  return entries_.front().context;
}

result<void> tls_context::use(const std::vector<tls_identity>& identities, std::int64_t now_ms) {
  if (identities.empty()) {
    return fail(errc::invalid_argument, "no certificate is given");
  }
  const std::lock_guard lock(guard_);
  if (ticket_keys_.empty() || now_ms - ticket_keys_since_ms_ >= ticket_keys_ms) {
    ticket_keys_ = random_bytes(ticket_keys_bytes);
    ticket_keys_since_ms_ = now_ms;
  }
  auto made = std::make_shared<tls_generation>();
  for (std::size_t i = 0; i < identities.size(); ++i) {
    context c(SSL_CTX_new(TLS_server_method()));
    if (!c || !set_rules(c.get(), ticket_keys_)) {
      return fail(errc::internal, "TLS cannot be set up: " + why());
    }
    tls_generation::entry e;
    if (auto read = read_identity(c.get(), identities[i], e.names); !read) {
      return tl::unexpected(
        messages::with_context("certificate " + std::to_string(i), read.error()));
    }
    SSL_CTX_set_tlsext_servername_callback(c.get(), choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(c.get(), made.get());
    e.context = c.release();
    made->entries_.push_back(std::move(e));
  }
  current_ = std::move(made);
  return {};
}

std::shared_ptr<const tls_generation> tls_context::current() const {
  const std::lock_guard lock(guard_);
  return current_;
}

}  // namespace slipway::runtime
