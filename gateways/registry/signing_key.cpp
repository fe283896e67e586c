#include "gateways/registry/signing_key.hpp"

#include "runtime/assert.hpp"
#include "runtime/crypto.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

constexpr std::size_t key_file_bytes_max = 16 * 1024;

struct release {
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  void operator()(BIO* b) const { BIO_free(b); }
};
using pkey = std::unique_ptr<EVP_PKEY, release>;
using bio = std::unique_ptr<BIO, release>;

std::string text_of(BIO* b) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(b, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string private_pem(EVP_PKEY* key) {
  const bio out(BIO_new(BIO_s_mem()));
  SLIPWAY_ASSERT(
    PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(out.get());
}

std::string public_pem(EVP_PKEY* key) {
  const bio out(BIO_new(BIO_s_mem()));
  SLIPWAY_ASSERT(PEM_write_bio_PUBKEY(out.get(), key) == 1);
  return text_of(out.get());
}

std::string spki_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  SLIPWAY_ASSERT(size > 0);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

bool is_p256(EVP_PKEY* key) {
  std::array<char, 64> group{};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
         && EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1
         && std::string_view(group.data(), size) == SN_X9_62_prime256v1;
}

result<signing_key> from_pem(const std::string& pem, const std::string& path) {
  const bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const pkey key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  if (!key || !is_p256(key.get())) {
    return fail(errc::corrupt, path + " holds no P-256 private key");
  }
  return signing_key{
    private_pem(key.get()),
    public_pem(key.get()),
    libtrust_fingerprint(spki_of(key.get()))};
}

result<void> write_new(const std::string& path, const std::string& pem) {
  const auto temporary = path + ".new";
  ::unlink(temporary.c_str());
  auto file = storage::open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) {
    return tl::unexpected(file.error());
  }
  std::uint64_t offset = 0;
  if (auto written = storage::write_at(file->get(), offset, pem); !written) {
    return written;
  }
  if (::fdatasync(file->get()) != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return tl::unexpected(storage::from_errno("keep " + path, errno));
  }
  const auto slash = path.find_last_of('/');
  return storage::sync_folder(slash == std::string::npos ? "." : path.substr(0, slash));
}

result<std::string> read_file(int fd) {
  std::string out(key_file_bytes_max, '\0');
  const auto n = ::read(fd, out.data(), out.size());
  if (n < 0) {
    return tl::unexpected(storage::from_errno("read signing key", errno));
  }
  out.resize(static_cast<std::size_t>(n));
  return out;
}

}  // namespace

std::string libtrust_fingerprint(std::string_view spki_der) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  unsigned char md[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  SLIPWAY_ASSERT(
    EVP_Digest(spki_der.data(), spki_der.size(), md, &size, EVP_sha256(), nullptr) == 1);
  std::string out;
  unsigned int bits = 0;
  unsigned int held = 0;
  int letters = 0;
  for (int i = 0; i < 30; ++i) {  // 240 bits are 48 letters, no padding
    held = (held << 8U) | md[i];
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out.append(letters > 0 && letters % 4 == 0 ? ":" : "");
      out += alphabet[(held >> bits) & 31U];
      ++letters;
    }
    held &= (1U << bits) - 1U;
  }
  return out;
}

result<signing_key> load_signing_key(const std::string& path) {
  auto file = storage::open_file(path, O_RDONLY);
  if (file) {
    auto pem = read_file(file->get());
    return pem ? from_pem(*pem, path) : tl::unexpected(pem.error());
  }
  if (file.error().code != errc::not_found) {
    return tl::unexpected(file.error());
  }
  const pkey made(EVP_EC_gen("P-256"));
  SLIPWAY_ASSERT(made);
  const auto pem = private_pem(made.get());
  if (auto kept = write_new(path, pem); !kept) {
    return tl::unexpected(kept.error());
  }
  return from_pem(pem, path);
}

}  // namespace slipway::gateways
