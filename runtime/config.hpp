#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Settings of a program from a YAML file, the environment and flags; what comes later in this list wins.
namespace slipway::runtime {

enum class setting_type { text, integer, boolean, address, url };

/// One setting, declared once: flag, variable, YAML key, help and checks derive from it.
struct setting {
  std::string
    name;  ///< YAML key, `data_dir`; its variable is SLIPWAY_DATA_DIR, its flag --data-dir
  setting_type type = setting_type::text;
  std::string help = {};
  std::string fallback = {};  ///< the default, as text; "" = none
  std::string flag = {};      ///< another name of the flag, `--http`; "" = from `name`
  bool required = false;
  /// No flag: command lines are seen by every user of the machine. `NAME_file` (SLIPWAY_NAME_FILE) names a file that holds it.
  bool secret = false;
  std::vector<std::string> choices = {};
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

/// What a (sub)command understands.
struct command_settings {
  std::string name;  ///< as typed: `slipwayd serve`
  std::string help = {};
  std::vector<setting> settings = {};
  std::string examples = {};  ///< end of the help text
};

/// Checked values by setting name. Asking for one that is not declared is our mistake and ends the process.
class setting_values {
public:
  [[nodiscard]] const std::string& text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  /// `flag --data-dir`, `environment SLIPWAY_DATA_DIR`, `/etc/slipway.yaml`, `default`.
  [[nodiscard]] const std::string& source(std::string_view name) const;

  struct value {
    std::string text = {};
    std::string source = {};
  };
  std::map<std::string, value, std::less<>> values = {};
};

/// Looks a variable up; nothing when it is not set.
using environment = std::function<std::optional<std::string>(const std::string&)>;
/// The process's own.
environment process_environment();

/// Either values, or a text to print and a status to exit with: 0 after --help, 2 for a bad setting.
struct settings_outcome {
  std::optional<setting_values> values = {};
  std::string text = {};
  int exit_code = 0;
};

/// `arguments` follow the (sub)command. The flag --config or SLIPWAY_CONFIG names the YAML file. An error names the setting, where its
/// value came from and what is wrong; a secret's value is never repeated.
[[nodiscard]] settings_outcome load_settings(
  const command_settings& command,
  const std::vector<std::string>& arguments,
  const environment& env);

/// `host:port`; IPv6 in brackets. Port 0 is allowed.
struct listen_address {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] messages::result<listen_address> parse_listen_address(std::string_view text);

}  // namespace slipway::runtime
