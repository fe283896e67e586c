#pragma once

#include "messages/error.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace slipway::cli {

/// What the process was started with, read once in main: everything else takes it as a value.
struct environment {
  std::string config_home;  ///< XDG_CONFIG_HOME, or HOME/.config
  std::string server;       ///< SLIPWAY_SERVER
  std::string token;        ///< SLIPWAY_TOKEN
  std::string ca;           ///< SLIPWAY_CA, a file
  std::string docker_host;  ///< DOCKER_HOST
  std::string temp_folder;  ///< TMPDIR or /tmp
};

struct saved_login {
  std::string token;
  std::string username;
  std::string ca = {};  ///< PEM of the root to trust; "" = the system's
};

/// Logins by server, in `<config home>/slipway/logins.json`: readable by the owner only, replaced as a whole.
class settings {
public:
  /// A missing file is empty settings. Errors: io_failed, corrupt (the detail names the file).
  [[nodiscard]] static messages::result<settings> load(const environment& e);
  [[nodiscard]] messages::result<void> save() const;

  /// The server of the last login, "" if none.
  std::string current;
  std::map<std::string, saved_login> logins;

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

private:
  std::filesystem::path file_;
};

/// `--server`, else SLIPWAY_SERVER, else the last login's, else http://127.0.0.1:8080; without a slash at the end.
/// Errors: invalid_argument when it is no http or https URL.
messages::result<std::string>
choose_server(std::string_view option, const environment& e, const settings& s);

/// PEM of a root to trust for `server`: of the file `option`, else of SLIPWAY_CA, else what its login saved; "" = none. Errors: as
/// read_small_file, invalid_argument when the file holds no certificate.
messages::result<std::string> choose_trust(
  const std::string& option,
  const environment& e,
  const settings& s,
  const std::string& server);

/// Writes a file that only the owner can read, whole or not at all. Errors: io_failed, unique_violated (exists, and not `replace`).
messages::result<void>
write_private_file(const std::filesystem::path& path, std::string_view content, bool replace);

/// A whole small file; "-" is standard input. Errors: not_found, io_failed, too_large (past 1 MiB).
messages::result<std::string> read_small_file(const std::string& path);

/// First line of a file that holds a secret, without the line's end. Errors: as above, invalid_argument when it is empty.
messages::result<std::string> read_secret(const std::string& path);

}  // namespace slipway::cli
