#include "runtime/curve.hpp"

#include "runtime/assert.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace slipway::runtime {
namespace {

using messages::errc;
using messages::fail;

constexpr std::size_t key_characters = 40;
constexpr std::string_view public_label = "public ";
constexpr std::string_view secret_label = "secret ";

std::string reason() {
  return std::strerror(errno);
}

struct descriptor {
  int fd = -1;
  ~descriptor() {
    if (fd >= 0) {
      ::close(fd);
    }
  }
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

messages::result<void> sync_folder(const std::filesystem::path& folder) {
  const descriptor dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.fd < 0 || ::fsync(dir.fd) != 0) {
    return fail(errc::io_failed, folder.string() + ": " + reason());
  }
  return {};
}

messages::result<curve_keys> parse(std::string_view text) {
  constexpr auto line = public_label.size() + key_characters + 1;
  if (
    text.size() != 2 * line || !text.starts_with(public_label)
    || !text.substr(line).starts_with(secret_label)) {
    return fail(errc::corrupt, "not a key file");
  }
  curve_keys keys{
    std::string(text.substr(public_label.size(), key_characters)),
    std::string(text.substr(line + secret_label.size(), key_characters))};
  const auto derived = curve_public_of(keys.secret_key);
  if (!derived || *derived != keys.public_key) {
    return fail(errc::corrupt, "the halves of the key pair do not belong together");
  }
  return keys;
}

}  // namespace

curve_keys make_curve_keys() {
  std::array<char, key_characters + 1> public_key{};
  std::array<char, key_characters + 1> secret_key{};
  SLIPWAY_ASSERT(zmq_curve_keypair(public_key.data(), secret_key.data()) == 0);
  return {public_key.data(), secret_key.data()};
}

bool is_curve_key(std::string_view text) {
  if (text.size() != key_characters) {
    return false;
  }
  // libzmq 4.3.4 reads characters outside its table past the end of an array: look before it does.
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e || std::string_view("\"',;\\_`|~").find(c) != std::string_view::npos) {
      return false;
    }
  }
  std::array<std::uint8_t, 32> bytes{};
  return zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

messages::result<std::string> curve_public_of(std::string_view secret_key) {
  std::array<char, key_characters + 1> public_key{};
  if (
    !is_curve_key(secret_key)
    || zmq_curve_public(public_key.data(), std::string(secret_key).c_str()) != 0) {
    return fail(errc::invalid_argument, "not a CURVE key");
  }
  return std::string(public_key.data());
}

messages::result<void> store_curve_keys(const std::filesystem::path& file, const curve_keys& keys) {
  const auto part = file.string() + ".part";
  ::unlink(part.c_str());
  const descriptor out{::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  const auto text = std::string(public_label) + keys.public_key + "\n" + std::string(secret_label)
                    + keys.secret_key + "\n";
  if (
    out.fd < 0 || !write_all(out.fd, text) || ::fsync(out.fd) != 0
    || ::rename(part.c_str(), file.c_str()) != 0) {
    return fail(errc::io_failed, file.string() + ": " + reason());
  }
  return sync_folder(file.has_parent_path() ? file.parent_path() : ".");
}

messages::result<curve_keys> load_curve_keys(const std::filesystem::path& file) {
  const descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat about {};
  if (in.fd < 0 || ::fstat(in.fd, &about) != 0) {
    return fail(
      errno == ENOENT ? errc::not_found : errc::io_failed,
      file.string() + ": " + reason());
  }
  if ((about.st_mode & 077U) != 0) {
    return fail(errc::forbidden, file.string() + ": others may read this key file; chmod 600 it");
  }
  std::array<char, 256> buffer{};
  const auto n = ::read(in.fd, buffer.data(), buffer.size());
  if (n < 0) {
    return fail(errc::io_failed, file.string() + ": " + reason());
  }
  auto keys = parse({buffer.data(), static_cast<std::size_t>(n)});
  if (!keys) {
    return tl::unexpected(messages::with_context(file.string(), keys.error()));
  }
  return keys;
}

messages::result<curve_keys> load_or_make_curve_keys(const std::filesystem::path& file) {
  auto keys = load_curve_keys(file);
  if (keys || keys.error().code != errc::not_found) {
    return keys;
  }
  const auto made = make_curve_keys();
  if (auto stored = store_curve_keys(file, made); !stored) {
    return tl::unexpected(stored.error());
  }
  return made;
}

}  // namespace slipway::runtime
