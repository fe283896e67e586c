#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

/// Owners and readers for what OpenSSL gives. Only for .cpp files.
namespace slipway::runtime::openssl {

template <auto Free>
struct deleter {
  template <class T>
  void operator()(T* t) const {
    Free(t);
  }
};
using bio = std::unique_ptr<BIO, deleter<BIO_free_all>>;
using certificate = std::unique_ptr<X509, deleter<X509_free>>;
using key = std::unique_ptr<EVP_PKEY, deleter<EVP_PKEY_free>>;

/// The last error of this thread as text, and forgets all.
[[nodiscard]] std::string why();
void forget_errors();

/// Reads from `pem`, which must outlive it.
[[nodiscard]] bio reader(const std::string& pem);
/// Null when there is none; `why` tells.
[[nodiscard]] certificate first_certificate(const std::string& pem);
/// Null for a key with a password too: nobody is asked for it.
[[nodiscard]] key private_key(const std::string& pem);
/// The DNS names a certificate is for, in lower case.
[[nodiscard]] std::vector<std::string> dns_names(X509* x);

}  // namespace slipway::runtime::openssl
