#include "runtime/server/admin_main.hpp"

#include "domain/resource_model.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"
#include "runtime/server/admin_office.hpp"
#include "runtime/server/admin_print.hpp"
#include "runtime/server/admin_socket.hpp"
#include "runtime/server/bootstrap.hpp"
#include "runtime/server/builder_office.hpp"
#include "storage/embedded_store.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <utility>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

constexpr int exit_failed = 1;
constexpr int exit_unusable = 2;

/// What the command line said.
struct asked {
  std::string data_dir;
  bool as_json = false;
  bool password_stdin = false;
  bool generate_password = false;
  bool yes = false;
  json request;
};

bool is_terminal() {
  return ::isatty(STDIN_FILENO) == 1;
}

/// A line from the terminal that it does not show.
std::string read_hidden(const char* prompt) {
  std::fputs(prompt, stderr);
  termios before{};
  ::tcgetattr(STDIN_FILENO, &before);
  auto silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string line;
  std::getline(std::cin, line);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputc('\n', stderr);
  return line;
}

/// From standard input, from the terminal, or "": the server makes one up. Never from the command line, which everybody sees.
result<std::string> password_for(const asked& a) {
  if (a.password_stdin) {
    std::string line;
    std::getline(std::cin, line);
    return line.empty()
             ? result<std::string>(fail(errc::invalid_argument, "no password on standard input"))
             : line;
  }
  if (a.generate_password || !is_terminal()) {
    return "";
  }
  auto first = read_hidden("Password (empty = make one up): ");
  if (!first.empty() && first != read_hidden("Again: ")) {
    return fail(errc::invalid_argument, "the passwords differ");
  }
  return first;
}

bool confirmed(const asked& a, const std::string& what) {
  if (a.yes) {
    return true;
  }
  if (!is_terminal()) {
    std::fprintf(stderr, "slipwayd: give --yes to %s\n", what.c_str());
    return false;
  }
  std::fprintf(stderr, "Really %s? [y/N] ", what.c_str());
  std::string line;
  std::getline(std::cin, line);
  return line == "y" || line == "Y" || line == "yes";
}

/// Files must stay the server's own, so that it can open them again.
result<void> become_owner(const std::string& data_dir) {
  struct stat s {};
  if (::stat((data_dir + "/store").c_str(), &s) != 0) {
    return fail(errc::not_found, data_dir + " is not the data folder of a server");
  }
  const bool other = ::geteuid() == 0 && s.st_uid != 0;
  if (other && (::setegid(s.st_gid) != 0 || ::seteuid(s.st_uid) != 0)) {
    return fail(errc::forbidden, "cannot act as the owner of " + data_dir);
  }
  return {};
}

result<json> ask_directly(const asked& a) {
  const auto model = domain::resource_model();
  auto store = storage::open_embedded({a.data_dir + "/store", nullptr, model});
  if (!store) {
    return tl::unexpected(store.error());
  }
  if (const auto ok = mend_users(*model, *store); !ok) {
    return tl::unexpected(ok.error());
  }
  auto port = direct_admin_port(model, *store);
  port.builder_key = [&a] { return builder_public_key(a.data_dir); };
  return run_admin_command(port, a.request);
}

/// A running server's answer, else the store's own.
result<json> ask(const asked& a) {
  if (const auto ok = become_owner(a.data_dir); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto line = ask_admin_socket(a.data_dir, messages::dump_json(a.request));
  const bool needs_server = a.request["command"] == "organization storage";
  if (!line && needs_server && line.error().code == errc::unavailable) {
    return fail(errc::unavailable, "no server runs on " + a.data_dir);
  }
  if (!line) {
    return line.error().code == errc::unavailable ? ask_directly(a)
                                                  : result<json>(tl::unexpected(line.error()));
  }
  auto answer = messages::parse_json(*line);
  if (!answer || !answer->is_object()) {
    return fail(errc::internal, "the server's answer is not understood");
  }
  if (answer->contains("error")) {
    const auto code = static_cast<errc>(answer->value("code", 15));
    return fail(code, answer->value("error", std::string("it failed")));
  }
  return (*answer)["answer"];
}

int report(const asked& a, const result<json>& answer) {
  if (!answer) {
    std::fprintf(stderr, "slipwayd: %s\n", answer.error().detail.c_str());
    return exit_failed;
  }
  const auto text = a.as_json ? messages::dump_json(*answer) + "\n"
                              : admin_text(a.request["command"].get<std::string>(), *answer);
  std::fputs(text.c_str(), stdout);
  return 0;
}

int carry_out(asked& a) {
  const auto command = a.request["command"].get<std::string>();
  if (command == "user create" || command == "user reset-password") {
    const auto password = password_for(a);
    if (!password) {
      std::fprintf(stderr, "slipwayd: %s\n", password.error().detail.c_str());
      return exit_unusable;
    }
    a.request["password"] = *password;
  }
  if (command == "sessions end" && !a.request.contains("id") && !a.request.contains("all")) {
    std::fputs("slipwayd: sessions end: give a SESSION or --all\n", stderr);
    return exit_unusable;
  }
  if (
    command == "user remove"
    && !confirmed(a, "remove the user " + a.request["user"].get<std::string>())) {
    return exit_failed;
  }
  return report(a, ask(a));
}

/// The tree of commands; each leaf fills in the request.
class command_line {
public:
  explicit command_line(asked& a)
    : a_(a), app_("Runs the accounts of a server, on its machine.", "slipwayd admin") {
    app_.require_subcommand(1);
    app_.add_option("--data-dir", a.data_dir, "folder of the server's data")
      ->required()
      ->envname("SLIPWAY_DATA_DIR");
    app_.add_flag("--json", a.as_json, "answer as JSON");
    app_.fallthrough();
    app_.footer(
      "Works while the server runs, through a socket in its folder, and while it does not.\n\n"
      "Examples:\n"
      "  slipwayd admin --data-dir /var/lib/slipway user create ann --email ann@example.org\n"
      "  slipwayd admin user list --json\n"
      "  pwgen 20 1 | slipwayd admin user reset-password ann --password-stdin\n"
      "  slipwayd admin user disable-2fa ann\n"
      "  slipwayd admin sessions end ann --all\n"
      "  slipwayd admin organization list\n"
      "  slipwayd admin builder add big-machine > token\n\n"
      "Exit codes: 0 done, 1 refused or failed, 2 a command line that cannot be used.");
    users();
    sessions();
    auto* organization = group("organization", "organizations");
    leaf(organization, "organization list", "list", "list all organizations");
    storage_of(organization);
    builders();
  }

  CLI::App& app() { return app_; }

private:
  CLI::App* group(const char* name, const char* help) {
    auto* g = app_.add_subcommand(name, help);
    g->require_subcommand(1);
    g->fallthrough();
    return g;
  }

  CLI::App* leaf(CLI::App* parent, const char* command, const char* name, const char* help) {
    auto* l = parent->add_subcommand(name, help);
    l->fallthrough();
    l->callback([this, command] { a_.request["command"] = command; });
    return l;
  }

  void name_of(CLI::App* l, const char* member) {
    l->add_option_function<std::string>(
       "USER",
       [this, member](const std::string& name) { a_.request[member] = name; },
       member == std::string("user") ? "user name or e-mail address" : "user name")
      ->required();
  }

  void password_of(CLI::App* l) {
    l->add_flag("--password-stdin", a_.password_stdin, "read the password from standard input");
    l->add_flag("--generate-password", a_.generate_password, "make one up and print it once");
    l->footer("Without either flag the password is asked for on the terminal.");
  }

  void mark(CLI::App* l, const char* option, const char* member, const char* help) {
    l->add_flag_callback(
      option,
      [this, member] { a_.request[member] = true; },
      help);
  }

  void users() {
    auto* user = group("user", "users");
    auto* create = leaf(user, "user create", "create", "make a user");
    name_of(create, "username");
    create->add_option_function<std::string>(
      "--email",
      [this](const std::string& email) { a_.request["email"] = email; },
      "e-mail address");
    mark(create, "--administrator", "administrator", "of the whole server");
    password_of(create);
    leaf(user, "user list", "list", "list all users");
    auto* reset =
      leaf(user, "user reset-password", "reset-password", "set a password; ends all sessions");
    name_of(reset, "user");
    password_of(reset);
    name_of(
      leaf(user, "user disable-2fa", "disable-2fa", "take the second factor away, when it is lost"),
      "user");
    auto* remove = leaf(user, "user remove", "remove", "remove a user with its keys");
    name_of(remove, "user");
    remove->add_flag("--yes", a_.yes, "do not ask");
    auto* promote = leaf(
      user,
      "user make-administrator",
      "make-administrator",
      "make a user administrator of the whole server");
    name_of(promote, "user");
    mark(promote, "--revoke", "revoke", "take it back");
  }

  void storage_of(CLI::App* organization) {
    auto* l = leaf(
      organization,
      "organization storage",
      "storage",
      "what its images take, and may take; needs a running server");
    l->add_option_function<std::string>(
       "ORGANIZATION",
       [this](const std::string& handle) { a_.request["organization"] = handle; },
       "its handle")
      ->required();
    auto* limit = l->add_option_function<std::int64_t>(
      "--limit",
      [this](std::int64_t bytes) { a_.request["limit"] = bytes; },
      "bytes that its images may take; 0 = no limit");
    limit->check(CLI::NonNegativeNumber);
    auto* usual = l->add_flag_callback(
      "--default",
      [this] { a_.request["limit"] = -1; },
      "what --organization-storage-bytes of `serve` says");
    usual->excludes(limit);
  }

  void builders() {
    auto* builder = group("builder", "build workers");
    const auto named = [this](CLI::App* l) {
      l->add_option_function<std::string>(
         "NAME",
         [this](const std::string& name) { a_.request["name"] = name; },
         "lower-case letters, digits and `-`")
        ->required();
    };
    named(
      leaf(builder, "builder add", "add", "let a worker join; prints its join token, a secret"));
    leaf(builder, "builder list", "list", "list the workers that may join");
    named(leaf(builder, "builder rm", "rm", "let a worker join no more; cuts it"));
  }

  void sessions() {
    auto* s = group("sessions", "login sessions");
    name_of(leaf(s, "sessions list", "list", "list a user's sessions"), "user");
    auto* end = leaf(s, "sessions end", "end", "end a session of a user, or all");
    name_of(end, "user");
    auto* id = end->add_option_function<std::int64_t>(
      "SESSION",
      [this](std::int64_t session) { a_.request["id"] = session; },
      "id, from `sessions list`");
    auto* all = end->add_flag_callback(
      "--all",
      [this] { a_.request["all"] = true; },
      "all of them");
    id->excludes(all);
  }

  asked& a_;
  CLI::App app_;
};

}  // namespace

int admin_main(const std::vector<std::string>& arguments) {
  asked a;
  a.request = json::object();
  command_line line(a);
  try {
    line.app().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    return line.app().exit(e) == 0 ? 0 : exit_unusable;
  }
  return carry_out(a);
}

}  // namespace slipway::runtime
