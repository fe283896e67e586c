#include "cli/commands_account.hpp"

#include "cli/lookup.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "messages/json.hpp"

namespace slipway::cli {

using messages::errc;
using nlohmann::json;

namespace {

messages::result<std::string> secret(const std::string& file, const char* prompt) {
  return file.empty() ? ask(prompt, true) : read_secret(file);
}

messages::result<std::string> token_of(context& c, const login_args& args) {
  if (!args.token_file.empty()) {
    return read_secret(args.token_file);
  }
  auto username =
    args.username.empty() ? ask("user name", false) : messages::result<std::string>(args.username);
  if (!username) {
    return username;
  }
  const auto password = secret(args.password_file, "password");
  if (!password) {
    return password;
  }
  c.server.set_token("");  // a login never carries an old credential
  auto token = c.server.post_text("/login_", {{"username", *username}, {"password", *password}});
  if (!token && token.error().code == errc::unauthorized) {
    return messages::fail(errc::unauthorized, "wrong user name or password");
  }
  return token;
}

std::string name_of(const json& me) {
  for (const auto* member : {"username", "slug", "uuid"}) {
    if (auto name = text_of(me, member); !name.empty()) {
      return name;
    }
  }
  return text_of(me, "actorType");
}

}  // namespace

messages::result<void> login(context& c, const login_args& args) {
  auto token = token_of(c, args);
  if (!token) {
    return tl::unexpected(token.error());
  }
  c.server.set_token(*token);
  if (owes_code(*token)) {
    const auto code = secret(args.code_file, "code of your second factor");
    if (!code) {
      return tl::unexpected(code.error());
    }
    token = c.server.post_text("/auth/totp/verify", {{"code", *code}});
    if (!token) {
      return tl::unexpected(token.error());
    }
    c.server.set_token(*token);
  }
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(messages::with_context("the server does not accept it", me.error()));
  }
  c.saved.current = c.server.server();
  c.saved.logins[c.server.server()] = {*token, name_of(*me), c.trusted};
  if (auto saved = c.saved.save(); !saved) {
    return saved;
  }
  if (c.out.json()) {
    c.out.print({{"server", c.server.server()}, {"username", name_of(*me)}});
  } else {
    c.out.line("logged in to " + c.server.server() + " as " + printable(name_of(*me)));
  }
  return {};
}

messages::result<void> logout(context& c) {
  const bool was = c.saved.logins.erase(c.server.server()) > 0;
  if (c.saved.current == c.server.server()) {
    c.saved.current.clear();
  }
  if (auto saved = c.saved.save(); !saved) {
    return saved;
  }
  c.out.note(was ? "logged out of " + c.server.server() : "not logged in");
  return {};
}

messages::result<void> whoami(context& c) {
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  if (c.out.json()) {
    auto all = *me;
    all["server"] = c.server.server();
    c.out.print(all);
    return {};
  }
  c.out.details(
    {{"server", c.server.server()},
     {"name", name_of(*me)},
     {"kind", text_of(*me, "actorType")},
     {"email", text_of(*me, "email")}});
  return {};
}

messages::result<void> session_list(context& c) {
  const auto text = c.server.get_text("/user/v1/sessions");
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto rows = messages::parse_json(*text);
  if (!rows || !rows->is_array()) {
    return messages::fail(errc::corrupt, c.server.server() + " does not tell sessions");
  }
  if (c.out.json()) {
    c.out.print(*rows);
    return {};
  }
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    cells.push_back(
      {text_of(row, "id"),
       text_of(row, "client"),
       text_of(row, "address"),
       bool_of(row, "current") ? "this one" : ""});
  }
  c.out.table({"ID", "CLIENT", "ADDRESS", ""}, cells);
  return {};
}

messages::result<void> session_end(context& c, std::int64_t id, bool others) {
  if (others == (id != 0)) {
    return messages::fail(errc::invalid_argument, "name a session or --others");
  }
  return c.server.remove("/user/v1/sessions" + (others ? "" : "/" + std::to_string(id)));
}

messages::result<void>
password_change(context& c, const std::string& new_file, const std::string& old_file) {
  const auto before = secret(old_file, "password until now");
  if (!before) {
    return tl::unexpected(before.error());
  }
  const auto password = secret(new_file, "new password");
  if (!password) {
    return tl::unexpected(password.error());
  }
  const auto token = c.server.post_text(
    "/user/v1/password",
    {{"password", *password}, {"currentPassword", *before}});
  if (!token) {
    return tl::unexpected(token.error());
  }
  c.out.note("changed; all other sessions have ended");
  return keep_token(c, *token);
}

messages::result<void> two_factor_enable(context& c) {
  const auto made = with_fresh_login(c, [&] { return c.server.get_text("/auth/totp/setup"); });
  if (!made) {
    return tl::unexpected(made.error());
  }
  c.out.line(printable(*made));
  c.out.note("give this secret to your authenticator app, then type the code it shows");
  const auto code = ask("code", false);
  if (!code) {
    return tl::unexpected(code.error());
  }
  const auto token = c.server.post_text("/auth/totp/verify", {{"code", *code}});
  if (!token) {
    return tl::unexpected(token.error());
  }
  c.out.note("enabled; `slipway two-factor codes` prints codes for a lost telephone");
  return keep_token(c, *token);
}

messages::result<void> two_factor_disable(context& c) {
  const auto token =
    with_fresh_login(c, [&] { return c.server.post_text("/auth/totp/disable", json::object()); });
  return token ? keep_token(c, *token) : messages::result<void>(tl::unexpected(token.error()));
}

messages::result<void> two_factor_codes(context& c) {
  const auto text = with_fresh_login(c, [&] {
    return c.server.post_text("/auth/totp/recovery-codes", json::object());
  });
  if (!text) {
    return tl::unexpected(text.error());
  }
  const auto codes = messages::parse_json(*text);
  for (const auto& code : codes && codes->is_array() ? *codes : json::array()) {
    c.out.line(code.is_string() ? printable(code.get<std::string>()) : "");
  }
  c.out.note("each is good once; they are shown only now");
  return {};
}

messages::result<void> user_create(context& c, const user_create_args& args) {
  const auto password = secret(args.password_file, "password of the new user");
  if (!password) {
    return tl::unexpected(password.error());
  }
  const auto user = c.server.post(
    "/v7/user",
    {{"username", args.username}, {"email", args.email}, {"password", *password}});
  if (!user) {
    return tl::unexpected(user.error());
  }
  if (c.out.json()) {
    c.out.print({{"id", int_of(*user, "id")}, {"username", args.username}});
  } else {
    c.out.line("created user " + args.username);
  }
  return {};
}

}  // namespace slipway::cli
