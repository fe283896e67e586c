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
