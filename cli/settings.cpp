#include "cli/settings.hpp"

#include "messages/json.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace slipway::cli {

using messages::errc;
using messages::fail;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t small_file_bytes_max = 1U << 20U;

std::string system_text(const fs::path& path) {
  return path.string() + ": " + std::strerror(errno);
}

messages::result<void> write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const auto n = ::write(descriptor, content.data(), content.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail(errno == ENOSPC ? errc::disk_full : errc::io_failed, std::strerror(errno));
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(descriptor) != 0 && errno != EINVAL) {
    return fail(errc::io_failed, std::strerror(errno));
  }
  return {};
}

}  // namespace

messages::result<settings> settings::load(const environment& e) {
  settings s;
  s.file_ = fs::path(e.config_home) / "slipway" / "logins.json";
  std::error_code missing;
  if (!fs::exists(s.file_, missing)) {
    return s;
  }
  const auto text = read_small_file(s.file_.string());
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto j = messages::parse_json(*text);
  if (!j || !j->is_object()) {
    return fail(errc::corrupt, s.file_.string() + " is damaged: remove it and log in again");
  }
  s.current = j->value("current", "");
  if (const auto logins = j->find("logins"); logins != j->end() && logins->is_object()) {
    for (const auto& [server, login] : logins->items()) {
      if (login.is_object()) {
        s.logins[server] = {
          login.value("token", ""),
          login.value("username", ""),
          login.value("ca", "")};
      }
    }
  }
  return s;
}

messages::result<void> settings::save() const {
  std::error_code failed;
  fs::create_directories(file_.parent_path(), failed);
  if (failed) {
    return fail(errc::io_failed, file_.parent_path().string() + ": " + failed.message());
  }
  ::chmod(file_.parent_path().c_str(), 0700);  // best effort: the file itself is 0600
  auto j = nlohmann::json{{"current", current}, {"logins", nlohmann::json::object()}};
  for (const auto& [server, login] : logins) {
    j["logins"][server] = {{"token", login.token}, {"username", login.username}};
    if (!login.ca.empty()) {
      j["logins"][server]["ca"] = login.ca;
    }
  }
  return write_private_file(file_, messages::dump_json(j) + "\n", true);
}

messages::result<std::string>
choose_server(std::string_view option, const environment& e, const settings& s) {
  std::string server = !option.empty()      ? std::string(option)
                       : !e.server.empty()  ? e.server
                       : !s.current.empty() ? s.current
                                            : "http://127.0.0.1:8080";
  while (server.ends_with('/')) {
    server.pop_back();
  }
  const bool known = server.starts_with("http://") || server.starts_with("https://");
  if (!known || server.find_first_of(" \t\r\n?#") != std::string::npos) {
    return fail(
      errc::invalid_argument,
      "\"" + server + "\" is not a server's URL, such as http://127.0.0.1:8080");
  }
  return server;
}

messages::result<std::string> choose_trust(
  const std::string& option,
  const environment& e,
  const settings& s,
  const std::string& server) {
  const auto& file = option.empty() ? e.ca : option;
  if (file.empty()) {
    const auto login = s.logins.find(server);
    return login != s.logins.end() ? login->second.ca : "";
  }
  auto pem = read_small_file(file);
  if (pem && pem->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return fail(errc::invalid_argument, file + " holds no certificate in PEM form");
  }
  return pem;
}

messages::result<void>
write_private_file(const fs::path& path, std::string_view content, bool replace) {
  std::error_code ignored;
  if (!replace && fs::exists(path, ignored)) {
    return fail(errc::unique_violated, path.string() + " exists already; --force replaces it");
  }
  auto pattern = path.string() + ".XXXXXX";
  const int descriptor = ::mkstemp(pattern.data());  // creates it with mode 0600
  if (descriptor < 0) {
    return fail(errc::io_failed, system_text(path));
  }
  auto written = write_all(descriptor, content);
  ::close(descriptor);
  if (written && ::rename(pattern.c_str(), path.c_str()) != 0) {
    written = fail(errc::io_failed, std::strerror(errno));
  }
  if (!written) {
    ::unlink(pattern.c_str());
    return tl::unexpected(messages::with_context(path.string(), written.error()));
  }
  return {};
}

messages::result<std::string> read_small_file(const std::string& path) {
  const int descriptor = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return fail(errno == ENOENT ? errc::not_found : errc::io_failed, system_text(path));
  }
  std::string text;
  std::array<char, 16384> buffer{};
  messages::result<std::string> out;
  while (true) {
    const auto n = ::read(descriptor, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      out = n < 0 ? messages::result<std::string>(fail(errc::io_failed, system_text(path)))
                  : messages::result<std::string>(std::move(text));
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > small_file_bytes_max) {
      out = fail(errc::too_large, path + " is larger than 1 MiB");
      break;
    }
  }
  if (descriptor != STDIN_FILENO) {
    ::close(descriptor);
  }
  return out;
}

messages::result<std::string> read_secret(const std::string& path) {
  auto text = read_small_file(path);
  if (!text) {
    return text;
  }
  text->resize(std::min(text->find_first_of("\r\n"), text->size()));
  if (text->empty()) {
    return fail(
      errc::invalid_argument,
      (path == "-" ? std::string("standard input") : path) + " holds no text in its first line");
  }
  return text;
}

}  // namespace slipway::cli
