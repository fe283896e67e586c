#include "runtime/server/admin_print.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <vector>

namespace slipway::runtime {

using nlohmann::json;

namespace {

/// `2026-11-23 05:22` in UTC.
std::string time_text(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> out{};
  std::strftime(out.data(), out.size(), "%Y-%m-%d %H:%M", &parts);
  return out.data();
}

struct column {
  const char* title;
  const char* member;
};

std::string cell(const json& value, std::string_view member) {
  if (value.is_null()) {
    return "-";
  }
  if (value.is_boolean()) {
    return value.get<bool>() ? "yes" : "no";
  }
  if (member.ends_with("_at")) {
    return time_text(value.get<std::int64_t>());
  }
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string table(const json& rows, const std::vector<column>& columns) {
  std::vector<std::vector<std::string>> lines(1);
  std::vector<std::size_t> widths;
  for (const auto& c : columns) {
    lines[0].emplace_back(c.title);
  }
  for (const auto& r : rows) {
    std::vector<std::string> line;
    for (const auto& c : columns) {
      line.push_back(cell(r.at(c.member), c.member));
    }
    lines.push_back(std::move(line));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t width = 0;
    for (const auto& line : lines) {
      width = std::max(width, line[i].size());
    }
    widths.push_back(width);
  }
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool last = i + 1 == line.size();
      out += line[i] + (last ? "\n" : std::string(widths[i] - line[i].size() + 2, ' '));
    }
  }
  return out;
}

std::string password_line(const json& answer) {
  return answer.contains("password")
           ? "password: " + answer["password"].get<std::string>() + "\n(shown this once)\n"
           : "";
}

}  // namespace

std::string admin_text(const std::string& command, const json& answer) {
  if (command == "user list") {
    return table(
      answer,
      {{"NAME", "username"},
       {"EMAIL", "email"},
       {"ADMINISTRATOR", "administrator"},
       {"2FA", "two_factor"},
       {"SESSIONS", "sessions"},
       {"CREATED", "created_at"},
       {"ID", "id"}});
  }
  if (command == "sessions list") {
    return table(
      answer,
      {{"ID", "id"},
       {"CLIENT", "client"},
       {"ADDRESS", "address"},
       {"LOGGED IN", "authenticated_at"},
       {"EXPIRES", "expires_at"}});
  }
  if (command == "organization list") {
    return table(
      answer,
      {{"HANDLE", "handle"},
       {"NAME", "name"},
       {"MEMBERS", "members"},
       {"FLEETS", "fleets"},
       {"DEVICES", "devices"},
       {"CREATED", "created_at"},
       {"ID", "id"}});
  }
  if (command == "builder list") {
    return table(
      answer,
      {{"NAME", "name"}, {"CREATED", "created_at"}, {"PUBLIC KEY", "public_key"}});
  }
  if (command == "builder add") {
    return answer.at("token").get<std::string>() + "\n";
  }
  if (command == "builder rm") {
    return "removed the worker " + answer.at("name").get<std::string>() + "\n";
  }
  if (command == "organization storage") {
    const auto& limit = answer.at("limit_bytes");
    return answer.at("organization").get<std::string>() + " uses " + answer.at("used_bytes").dump()
           + " bytes for images, of " + (limit.is_null() ? "no limit" : limit.dump()) + "\n";
  }
  if (command == "sessions end") {
    return "sessions ended: " + answer.at("ended").dump() + "\n";
  }
  const auto name = answer.at("username").get<std::string>();
  if (command == "user create") {
    return "created user " + name + "\n" + password_line(answer);
  }
  if (command == "user reset-password") {
    return "reset the password of " + name + "; all sessions ended\n" + password_line(answer);
  }
  if (command == "user disable-2fa") {
    return name + " logs in without a second factor now\n";
  }
  if (command == "user remove") {
    return "removed user " + name + "\n";
  }
  return name
         + (answer.at("administrator").get<bool>() ? " is administrator now\n" : " is no longer administrator\n");
}

}  // namespace slipway::runtime
