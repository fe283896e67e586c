#include "runtime/openssl_support.hpp"

#include "runtime/http_text.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>

namespace slipway::runtime::openssl {

std::string why() {
  std::array<char, 256> text{};
  const auto code = ERR_peek_last_error();
  ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return code == 0 ? "there is nothing in it" : text.data();
}

void forget_errors() {
  ERR_clear_error();
}

bio reader(const std::string& pem) {
  return bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

certificate first_certificate(const std::string& pem) {
  return certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}

key private_key(const std::string& pem) {
  const auto no_password = [](char*, int, int, void*) { return 0; };
  return key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_password, nullptr));
}

std::vector<std::string> dns_names(X509* x) {
  std::vector<std::string> out;
  auto* all =
    static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const auto* name = sk_GENERAL_NAME_value(all, i);
    if (name->type == GEN_DNS) {
      const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
      const auto length = static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName));
      out.push_back(ascii_lower({reinterpret_cast<const char*>(text), length}));
    }
  }
  GENERAL_NAMES_free(all);
  return out;
}

}  // namespace slipway::runtime::openssl
