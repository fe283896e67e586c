#include "runtime/certificates.hpp"

#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"
#include "runtime/openssl_support.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;
using openssl::why;

namespace {

/// Clocks of clients may be behind.
constexpr std::int64_t back_ms = day_ms;
constexpr std::size_t serial_bytes = 16;

std::string text_of(const ASN1_STRING* s) {
  const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(s));
  return ascii_lower({bytes, static_cast<std::size_t>(ASN1_STRING_length(s))});
}

std::int64_t ms_of(const ASN1_TIME* t) {
  tm parts{};
  return ASN1_TIME_to_tm(t, &parts) == 1 ? std::int64_t{timegm(&parts)} * 1000 : 0;
}

std::string fingerprint(X509* x) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  X509_digest(x, EVP_sha256(), digest.data(), &length);
  const auto digits = hex({reinterpret_cast<const char*>(digest.data()), length});
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    out += i > 0 && i % 2 == 0 ? ":" : "";
    out += static_cast<char>(digits[i] >= 'a' ? digits[i] - 'a' + 'A' : digits[i]);
  }
  return out;
}

std::vector<std::string> constraints_of(X509* x) {
  std::vector<std::string> out;
  auto* all =
    static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(x, NID_name_constraints, nullptr, nullptr));
  for (int i = 0; all != nullptr && i < sk_GENERAL_SUBTREE_num(all->permittedSubtrees); ++i) {
    const auto* name = sk_GENERAL_SUBTREE_value(all->permittedSubtrees, i)->base;
    if (name->type == GEN_DNS) {
      out.push_back(text_of(name->d.dNSName));
    }
  }
  NAME_CONSTRAINTS_free(all);
  return out;
}

bool add_extension(X509* x, X509* issuer, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x, nullptr, nullptr, 0);
  auto* e = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
  const bool added = e != nullptr && X509_add_ext(x, e, -1) == 1;
  X509_EXTENSION_free(e);
  return added;
}

bool set_serial(X509* x) {
  auto bytes = random_bytes(serial_bytes);
  bytes[0] = static_cast<char>((static_cast<unsigned char>(bytes[0]) & 0x7fU) | 0x40U);
  auto* number = BN_bin2bn(
    reinterpret_cast<const unsigned char*>(bytes.data()),
    static_cast<int>(bytes.size()),
    nullptr);
  const bool set =
    number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != nullptr;
  BN_free(number);
  return set;
}

bool set_common_name(X509_NAME* name, const std::string& text) {
  return X509_NAME_add_entry_by_txt(
           name,
           "CN",
           MBSTRING_UTF8,
           reinterpret_cast<const unsigned char*>(text.c_str()),
           -1,
           -1,
           0)
         == 1;
}

void set_times(X509* x, std::int64_t from_ms, std::int64_t to_ms) {
  ASN1_TIME_set(X509_getm_notBefore(x), static_cast<time_t>(from_ms / 1000));
  ASN1_TIME_set(X509_getm_notAfter(x), static_cast<time_t>(to_ms / 1000));
}

std::string drain(BIO* b) {
  char* data = nullptr;
  const auto n = BIO_get_mem_data(b, &data);
  return {data, static_cast<std::size_t>(n)};
}

tls_identity write_pem(X509* x, EVP_PKEY* key) {
  const openssl::bio chain(BIO_new(BIO_s_mem()));
  const openssl::bio secret(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(chain.get(), x);
  PEM_write_bio_PKCS8PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return {drain(chain.get()), drain(secret.get())};
}

/// A certificate for `name` with a new key, neither extended nor signed.
bool begin(X509* x, EVP_PKEY* key, const std::string& name) {
  return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x)
         && set_common_name(X509_get_subject_name(x), name) && X509_set_pubkey(x, key) == 1;
}

}  // namespace

result<certificate_facts> read_certificate(const std::string& pem) {
  const auto x = openssl::first_certificate(pem);
  if (!x) {
    return fail(errc::invalid_argument, "the certificate cannot be read: " + why());
  }
  certificate_facts f;
  f.names = openssl::dns_names(x.get());
  f.constrained = constraints_of(x.get());
  f.not_before_ms = ms_of(X509_get0_notBefore(x.get()));
  f.not_after_ms = ms_of(X509_get0_notAfter(x.get()));
  f.sha256 = fingerprint(x.get());
  return f;
}

result<tls_identity> make_root(const std::string& domain, std::int64_t now_ms) {
  const openssl::key key(EVP_EC_gen("P-256"));
  const openssl::certificate x(X509_new());
  const auto tree = "permitted;DNS:" + domain;
  const bool made = key && x && begin(x.get(), key.get(), "Slipway CA of " + domain)
                    && X509_set_issuer_name(x.get(), X509_get_subject_name(x.get())) == 1;
  if (!made) {
    return fail(errc::internal, "no certificate authority can be made: " + why());
  }
  set_times(x.get(), now_ms - back_ms, now_ms + root_valid_ms);
  const bool extended =
    add_extension(x.get(), x.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
    && add_extension(x.get(), x.get(), NID_key_usage, "critical,keyCertSign,cRLSign")
    && add_extension(x.get(), x.get(), NID_subject_key_identifier, "hash")
    && add_extension(
      x.get(),
      x.get(),
      NID_name_constraints,
      "critical," + tree + ",excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::");
  if (!extended || X509_sign(x.get(), key.get(), EVP_sha256()) == 0) {
    return fail(errc::internal, "no certificate authority can be made: " + why());
  }
  return write_pem(x.get(), key.get());
}

result<tls_identity>
make_leaf(const tls_identity& root, const std::vector<std::string>& names, std::int64_t now_ms) {
  const auto issuer = openssl::first_certificate(root.chain);
  const auto issuer_key = openssl::private_key(root.key);
  if (!issuer || !issuer_key || names.empty()) {
    return fail(errc::invalid_argument, "the certificate authority cannot be read: " + why());
  }
  const openssl::key key(EVP_EC_gen("P-256"));
  const openssl::certificate x(X509_new());
  if (
    !key || !x || !begin(x.get(), key.get(), names.front())
    || X509_set_issuer_name(x.get(), X509_get_subject_name(issuer.get())) != 1) {
    return fail(errc::internal, "no certificate can be made: " + why());
  }
  set_times(
    x.get(),
    now_ms - back_ms,
    std::min(now_ms + leaf_valid_ms, ms_of(X509_get0_notAfter(issuer.get()))));
  std::string alternatives;
  for (const auto& name : names) {
    alternatives += (alternatives.empty() ? "DNS:" : ",DNS:") + name;
  }
  const bool extended =
    add_extension(x.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE")
    && add_extension(x.get(), issuer.get(), NID_key_usage, "critical,digitalSignature")
    && add_extension(x.get(), issuer.get(), NID_ext_key_usage, "serverAuth")
    && add_extension(x.get(), issuer.get(), NID_subject_key_identifier, "hash")
    && add_extension(x.get(), issuer.get(), NID_authority_key_identifier, "keyid:always")
    && add_extension(x.get(), issuer.get(), NID_subject_alt_name, alternatives);
  if (!extended || X509_sign(x.get(), issuer_key.get(), EVP_sha256()) == 0) {
    return fail(errc::internal, "no certificate can be made: " + why());
  }
  return write_pem(x.get(), key.get());
}

bool signed_by(const std::string& pem, const tls_identity& root) {
  const auto x = openssl::first_certificate(pem);
  const auto issuer = openssl::first_certificate(root.chain);
  const bool yes = x && issuer && X509_verify(x.get(), X509_get0_pubkey(issuer.get())) == 1;
  openssl::forget_errors();
  return yes;
}

std::vector<std::string> names_of_domain(const std::string& domain) {
  return {domain, "*." + domain, "*.devices." + domain};
}

}  // namespace slipway::runtime
