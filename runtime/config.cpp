#include "runtime/config.hpp"

#include "runtime/assert.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <yaml-cpp/yaml.h>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr int bad_setting = 2;
constexpr std::uintmax_t config_bytes_max = 1024 * 1024;
constexpr std::uintmax_t secret_bytes_max = 64 * 1024;
constexpr const char* file_suffix = "_file";

using value = setting_values::value;

std::string variable_of(std::string_view name) {
  std::string out = "SLIPWAY_";
  for (const char c : name) {
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  }
  return out;
}

std::string flag_of(const setting& s) {
  if (!s.flag.empty()) {
    return s.flag;
  }
  auto out = "--" + s.name;
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

tl::unexpected<messages::error>
bad(const setting& s, const std::string& source, const std::string& what) {
  return fail(errc::invalid_argument, "setting `" + s.name + "` (" + source + "): " + what);
}

bool parse_integer(std::string_view text, std::int64_t& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc() && end == text.data() + text.size();
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") {
    return true;
  }
  if (text == "false" || text == "no" || text == "off" || text == "0") {
    return false;
  }
  return std::nullopt;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) {
    out += out.empty() ? w : ", " + w;
  }
  return out;
}

result<void> check(const setting& s, const value& v) {
  const auto shown = s.secret ? std::string() : "`" + v.text + "` ";
  if (v.text.empty()) {
    return s.required ? bad(
             s,
             v.source,
             "is required: give " + (s.secret ? variable_of(s.name) : flag_of(s)))
                      : result<void>{};
  }
  if (
    !s.choices.empty()
    && std::find(s.choices.begin(), s.choices.end(), v.text) == s.choices.end()) {
    return bad(s, v.source, shown + "is not one of " + join(s.choices));
  }
  if (s.type == setting_type::integer) {
    std::int64_t n = 0;
    if (!parse_integer(v.text, n)) {
      return bad(s, v.source, shown + "is not a whole number");
    }
    if (n < s.least || n > s.most) {
      return bad(
        s,
        v.source,
        shown + "is not from " + std::to_string(s.least) + " to " + std::to_string(s.most));
    }
  }
  if (s.type == setting_type::boolean && !parse_boolean(v.text)) {
    return bad(s, v.source, shown + "is neither true nor false");
  }
  if (s.type == setting_type::address && !parse_listen_address(v.text)) {
    return bad(s, v.source, shown + "is not host:port");
  }
  if (
    s.type == setting_type::url && !v.text.starts_with("http://")
    && !v.text.starts_with("https://")) {
    return bad(s, v.source, shown + "is not an http:// or https:// address");
  }
  return {};
}

result<std::string> read_file(const std::string& path, std::uintmax_t bytes_max) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  std::ifstream in(path, std::ios::binary);
  if (ec || !in) {
    return fail(errc::invalid_argument, "cannot read " + path);
  }
  if (size > bytes_max) {
    return fail(
      errc::invalid_argument,
      path + " is larger than " + std::to_string(bytes_max) + " bytes");
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// The text of a secret's file, without the line end that editors add.
result<value> secret_from(const setting& s, const std::string& path, const std::string& source) {
  auto text = read_file(path, secret_bytes_max);
  if (!text) {
    return bad(s, source, text.error().detail);
  }
  while (text->ends_with('\n') || text->ends_with('\r')) {
    text->pop_back();
  }
  return value{std::move(*text), source + ", file " + path};
}

class loader {
public:
  loader(const command_settings& command, const environment& env) : command_(command), env_(env) {
    for (const auto& s : command.settings) {
      out_.values[s.name] = {s.fallback, "default"};
    }
  }

  result<void> file(const std::string& path);
  result<void> variables();
  void flag(const setting& s, std::string text) {
    out_.values[s.name] = {std::move(text), "flag " + flag_of(s)};
  }
  result<setting_values> finish() {
    for (const auto& s : command_.settings) {
      if (const auto ok = check(s, out_.values[s.name]); !ok) {
        return tl::unexpected(ok.error());
      }
    }
    return std::move(out_);
  }

private:
  result<void> entry(const std::string& path, const YAML::Node& key, const YAML::Node& node);

  const command_settings& command_;
  const environment& env_;
  setting_values out_;
};

result<void> loader::entry(const std::string& path, const YAML::Node& key, const YAML::Node& node) {
  const auto where = path + ":" + std::to_string(key.Mark().line + 1);
  const auto name = key.as<std::string>();
  for (const auto& s : command_.settings) {
    if (name != s.name && !(s.secret && name == s.name + file_suffix)) {
      continue;
    }
    if (!node.IsScalar()) {
      return bad(s, where, "is not a single value");
    }
    if (name != s.name) {
      const auto secret = secret_from(s, node.Scalar(), where);
      if (!secret) {
        return tl::unexpected(secret.error());
      }
      out_.values[s.name] = *secret;
    } else {
      out_.values[s.name] = {node.Scalar(), where};
    }
    return {};
  }
  return fail(
    errc::invalid_argument,
    "setting `" + name + "` (" + where + "): there is no such setting");
}

result<void> loader::file(const std::string& path) {
  const auto text = read_file(path, config_bytes_max);
  if (!text) {
    return fail(errc::invalid_argument, "setting `config`: " + text.error().detail);
  }
  try {
    const auto root = YAML::Load(*text);
    if (root.IsNull()) {
      return {};
    }
    if (!root.IsMap()) {
      return fail(
        errc::invalid_argument,
        "setting `config`: " + path + " is not a map of settings");
    }
    for (const auto& pair : root) {
      if (const auto ok = entry(path, pair.first, pair.second); !ok) {
        return ok;
      }
    }
    return {};
  } catch (const YAML::Exception& e) {
    return fail(errc::invalid_argument, "setting `config`: " + path + ": " + e.what());
  }
}

result<void> loader::variables() {
  for (const auto& s : command_.settings) {
    const auto variable = variable_of(s.name);
    if (auto text = env_(variable)) {
      out_.values[s.name] = {std::move(*text), "environment " + variable};
    } else if (const auto path = s.secret ? env_(variable + "_FILE") : std::nullopt) {
      const auto secret = secret_from(s, *path, "environment " + variable + "_FILE");
      if (!secret) {
        return tl::unexpected(secret.error());
      }
      out_.values[s.name] = *secret;
    }
  }
  return {};
}

std::string describe(const setting& s) {
  auto out = s.help;
  if (!s.choices.empty()) {
    out += ": " + join(s.choices);
  }
  if (!s.fallback.empty()) {
    out += " [" + s.fallback + "]";
  }
  if (s.required) {
    out += " (required)";
  }
  return out + " (" + variable_of(s.name) + ")";
}

std::string footer(const command_settings& command) {
  std::string out;
  for (const auto& s : command.settings) {
    if (s.secret) {
      out += out.empty() ? "Secrets, from the environment or the file only:\n" : "";
      out += "  " + variable_of(s.name) + " or " + variable_of(s.name) + "_FILE  " + s.help + "\n";
    }
  }
  out +=
    "Settings come from the YAML file (keys as in the variables, lower case, without SLIPWAY_), "
    "then the environment, then flags; the last wins.\n";
  if (!command.examples.empty()) {
    out += "Examples:\n" + command.examples;
  }
  return out;
}

/// Flags given on the command line by setting name, or an outcome that ends the program.
struct flags {
  std::map<std::string, std::string> given;
  std::optional<settings_outcome> end;
};

flags parse_flags(const command_settings& command, const std::vector<std::string>& arguments) {
  CLI::App app(command.help, command.name);
  flags out;
  std::string config;
  std::map<std::string, std::string> texts;
  app.add_option("--config", config, "YAML file of settings (SLIPWAY_CONFIG)")->type_name("FILE");
  for (const auto& s : command.settings) {
    if (!s.secret) {
      const bool flag = s.type == setting_type::boolean;
      app.add_option(flag_of(s), texts[s.name], describe(s))
        ->type_name(
          flag                              ? "BOOL"
          : s.type == setting_type::integer ? "N"
          : s.type == setting_type::address ? "HOST:PORT"
                                            : "TEXT");
    }
  }
  app.footer(footer(command));
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    out.end = settings_outcome{.values = {}, .text = app.help(), .exit_code = 0};
  } catch (const CLI::ParseError& e) {
    out.end = settings_outcome{
      .values = {},
      .text = command.name + ": " + e.what() + "\nSee " + command.name + " --help.\n",
      .exit_code = bad_setting};
  }
  if (app.count("--config") > 0) {
    out.given["config"] = config;
  }
  for (const auto& s : command.settings) {
    if (!s.secret && app.count(flag_of(s)) > 0) {
      out.given[s.name] = texts[s.name];
    }
  }
  return out;
}

}  // namespace

const std::string& setting_values::text(std::string_view name) const {
  const auto it = values.find(name);
  SLIPWAY_ASSERT(it != values.end());
  return it->second.text;
}

std::int64_t setting_values::integer(std::string_view name) const {
  std::int64_t n = 0;
  const auto& t = text(name);
  SLIPWAY_ASSERT(t.empty() || parse_integer(t, n));
  return n;
}

bool setting_values::boolean(std::string_view name) const {
  return parse_boolean(text(name)).value_or(false);
}

const std::string& setting_values::source(std::string_view name) const {
  const auto it = values.find(name);
  SLIPWAY_ASSERT(it != values.end());
  return it->second.source;
}

environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* found = std::getenv(name.c_str());
    return found == nullptr ? std::nullopt : std::optional<std::string>(found);
  };
}

settings_outcome load_settings(
  const command_settings& command,
  const std::vector<std::string>& arguments,
  const environment& env) {
  auto parsed = parse_flags(command, arguments);
  if (parsed.end) {
    return *parsed.end;
  }
  const auto refuse = [&](const messages::error& e) {
    return settings_outcome{
      .values = {},
      .text = command.name + ": " + e.detail + "\n",
      .exit_code = bad_setting};
  };
  loader load(command, env);
  auto file =
    parsed.given.contains("config") ? std::optional(parsed.given["config"]) : env("SLIPWAY_CONFIG");
  if (file && !file->empty()) {
    if (const auto ok = load.file(*file); !ok) {
      return refuse(ok.error());
    }
  }
  if (const auto ok = load.variables(); !ok) {
    return refuse(ok.error());
  }
  for (const auto& s : command.settings) {
    if (parsed.given.contains(s.name)) {
      load.flag(s, parsed.given[s.name]);
    }
  }
  auto values = load.finish();
  if (!values) {
    return refuse(values.error());
  }
  return {.values = std::move(*values), .text = {}, .exit_code = 0};
}

result<listen_address> parse_listen_address(std::string_view text) {
  const auto colon = text.rfind(':');
  std::int64_t port = 0;
  if (
    colon == std::string_view::npos || colon == 0 || !parse_integer(text.substr(colon + 1), port)
    || port < 0 || port > 65535) {
    return fail(errc::invalid_argument, "not host:port");
  }
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fail(errc::invalid_argument, "an IPv6 address needs brackets");
  }
  return listen_address{std::string(host), static_cast<std::uint16_t>(port)};
}

}  // namespace slipway::runtime
