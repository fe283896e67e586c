#include "cli/command_line.hpp"

namespace slipway::cli {

void add_account(CLI::App& app, command_line& l) {
  auto* c = command(
    app,
    "login",
    "log in to a server and remember it",
    "  slipway login --server http://127.0.0.1:8080\n"
    "  slipway login --username ann --password-file ~/ann.password\n"
    "  pass show slipway | slipway login --token-file -");
  c->add_option("-u,--username", l.login_with.username, "user name or e-mail; asked for if absent");
  auto* password = c->add_option(
    "--password-file",
    l.login_with.password_file,
    "first line is the password; - is stdin");
  c->add_option(
     "--token-file",
     l.login_with.token_file,
     "log in with a token or API key; - is stdin")
    ->excludes(password);
  c->add_option("--code-file", l.login_with.code_file, "code of the second factor; - is stdin");
  choose(c, l, [&l](context& x) { return login(x, l.login_with); });

  c = command(
    app,
    "trust",
    "make this machine's engine trust the server's registry",
    "  slipway login --server https://api.fleet.example --ca root.pem\n"
    "  sudo slipway trust --server https://api.fleet.example --ca root.pem");
  c->add_option("--engine-certs", l.engine_certificates, "where the engine looks for roots")
    ->default_val("/etc/docker/certs.d");
  choose(c, l, [&l](context& x) { return trust_engine(x, l.engine_certificates); });

  c = command(app, "logout", "forget the login", "  slipway logout");
  choose(c, l, logout);

  c = command(app, "whoami", "say who is logged in, and where", "  slipway whoami --json");
  choose(c, l, whoami);

  auto* session = group(app, "session", "your login sessions");
  c = command(*session, "list", "list your sessions", "  slipway session list");
  choose(c, l, session_list);
  c = command(
    *session,
    "end",
    "end a session at once",
    "  slipway session end 65\n  slipway session end --others");
  c->add_option("ID", l.id, "see session list");
  c->add_flag("--others", l.force, "all but this one");
  choose(c, l, [&l](context& x) { return session_end(x, l.id, l.force); });

  c = command(
    app,
    "password",
    "change your password",
    "  slipway password\n  slipway password --new-file new --password-file old");
  c->add_option("--password-file", l.login_with.password_file, "first line is the one until now");
  c->add_option("--new-file", l.file, "first line is the new one; - is stdin");
  choose(c, l, [&l](context& x) { return password_change(x, l.file, l.login_with.password_file); });

  auto* factor = group(app, "two-factor", "a code besides the password");
  c = command(*factor, "enable", "set up a second factor", "  slipway two-factor enable");
  choose(c, l, two_factor_enable);
  c = command(*factor, "disable", "give the second factor up", "  slipway two-factor disable");
  choose(c, l, two_factor_disable);
  c =
    command(*factor, "codes", "print new recovery codes", "  slipway two-factor codes > codes.txt");
  choose(c, l, two_factor_codes);

  auto* user = group(app, "user", "manage users (administrators)");
  c = command(
    *user,
    "create",
    "create a user",
    "  slipway user create ann --email ann@example.com\n"
    "  echo \"$PASSWORD\" | slipway user create ann --email a@b.c --password-file -");
  c->add_option("NAME", l.new_user.username, "user name")->required();
  c->add_option("--email", l.new_user.email, "e-mail address")->required();
  auto* file = c->add_option(
    "--password-file",
    l.new_user.password_file,
    "first line is the password; - is stdin");
  c->add_flag_callback(
     "--password-stdin",
     [&l] { l.new_user.password_file = "-"; },
     "read the password from stdin")
    ->excludes(file);
  choose(c, l, [&l](context& x) { return user_create(x, l.new_user); });
}

}  // namespace slipway::cli
