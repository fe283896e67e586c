#include "cli/commands_account.hpp"

#include "cli/lookup.hpp"
#include "cli/terminal.hpp"

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
  const auto token = token_of(c, args);
  if (!token) {
    return tl::unexpected(token.error());
  }
  c.server.set_token(*token);
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
