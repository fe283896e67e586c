#include "gateways/ssh/host_keys.hpp"

#include "gateways/ssh/handle.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace slipway::gateways::ssh {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

result<void> make(const std::string& file, ssh_keytypes_e type, int parameter) {
  ssh_key made = nullptr;
  if (ssh_pki_generate(type, parameter, &made) != SSH_OK) {
    return fail(errc::internal, "an SSH host key cannot be made");
  }
  const key_handle owned(made);
  const auto passing = file + ".new";
  std::remove(passing.c_str());
  // The library creates the file, so it is made here with its mode before there is anything in it.
  if (auto empty = storage::open_file(passing, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      !empty) {
    return tl::unexpected(empty.error());
  }
  if (ssh_pki_export_privkey_file(made, nullptr, nullptr, nullptr, passing.c_str()) != SSH_OK) {
    return fail(errc::io_failed, passing + ": an SSH host key cannot be written");
  }
  const auto written = storage::open_file(passing, O_WRONLY | O_CLOEXEC);
  const bool kept = written && ::fchmod(written->get(), 0600) == 0
                    && ::fdatasync(written->get()) == 0
                    && ::rename(passing.c_str(), file.c_str()) == 0;
  return kept ? result<void>{} : tl::unexpected(storage::from_errno(file, errno));
}

/// There is none, or one that a power cut left without a byte.
bool is_missing(const std::string& file) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(file, failed);
  return failed ? failed == std::errc::no_such_file_or_directory : size == 0;
}

}  // namespace

result<std::vector<std::string>> host_keys(const std::string& folder) {
  struct kind {
    const char* name;
    ssh_keytypes_e type;
    int parameter;
  };
  std::vector<std::string> out;
  for (const auto& [name, type, parameter] :
       {kind{"ed25519", SSH_KEYTYPE_ED25519, 0}, kind{"ecdsa", SSH_KEYTYPE_ECDSA_P256, 256}}) {
    auto file = folder + "/ssh_host_" + name;
    if (is_missing(file)) {
      if (auto ok = make(file, type, parameter); !ok) {
        return tl::unexpected(ok.error());
      }
    }
    out.push_back(std::move(file));
  }
  if (auto ok = storage::sync_folder(folder); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

}  // namespace slipway::gateways::ssh
