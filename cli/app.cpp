#include "cli/app.hpp"

#include "cli/commands_account.hpp"
#include "cli/commands_device.hpp"
#include "cli/commands_fleet.hpp"
#include "cli/commands_release.hpp"
#include "cli/commands_setting.hpp"
#include "cli/completion.hpp"
#include "cli/deploy.hpp"
#include "cli/exit_code.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>

namespace slipway::cli {

namespace {

using action = std::function<messages::result<void>(context&)>;

/// The command line as CLI11 fills it. Lives until the chosen action has run.
struct command_line {
  std::string server;
  bool json = false;
  bool yes = false;
  std::string fleet, device, release, name, value, shell;
  login_args login_with;
  user_create_args new_user;
  fleet_create_args new_fleet;
  device_config_args config;
  deploy_args deployment;
  setting_target target;
  action chosen;
};

CLI::App*
command(CLI::App& parent, const char* name, const char* about, const char* examples = nullptr) {
  auto* c = parent.add_subcommand(name, about);
  if (examples != nullptr) {
    c->footer(std::string("Examples:\n") + examples);
  }
  return c;
}

CLI::App* group(CLI::App& parent, const char* name, const char* about) {
  auto* g = parent.add_subcommand(name, about);
  g->require_subcommand(1);
  return g;
}

void choose(CLI::App* c, command_line& line, action run) {
  c->callback([&line, run = std::move(run)] { line.chosen = run; });
}

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

void add_fleet(CLI::App& app, command_line& l) {
  auto* fleet = group(app, "fleet", "manage fleets");
  auto* c = command(
    *fleet,
    "create",
    "create a fleet",
    "  slipway fleet create gate --type generic-amd64\n"
    "  slipway fleet create gate --type raspberrypi4-64 --organization acme");
  c->add_option("NAME", l.new_fleet.name, "4 to 100 letters, digits, _ and -")->required();
  c->add_option("-t,--type", l.new_fleet.type, "device type, see device-type list")->required();
  c->add_option("-o,--organization", l.new_fleet.organization, "handle; yours if absent");
  choose(c, l, [&l](context& x) { return fleet_create(x, l.new_fleet); });

  c = command(*fleet, "list", "list your fleets", "  slipway fleet list --json");
  choose(c, l, fleet_list);

  c = command(*fleet, "show", "show one fleet", "  slipway fleet show acme/gate");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  choose(c, l, [&l](context& x) { return fleet_show(x, l.fleet); });

  c = command(*fleet, "rm", "remove a fleet and everything in it", "  slipway fleet rm gate --yes");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return fleet_remove(x, l.fleet, l.yes); });

  auto* types = group(app, "device-type", "device types the server knows");
  c = command(*types, "list", "list device types", "  slipway device-type list");
  choose(c, l, device_type_list);
}

void add_device(CLI::App& app, command_line& l) {
  auto* device = group(app, "device", "manage devices");
  auto* c = command(
    *device,
    "list",
    "list devices",
    "  slipway device list --fleet acme/gate\n"
    "  slipway device list --json");
  c->add_option("-f,--fleet", l.fleet, "only those of this fleet");
  choose(c, l, [&l](context& x) { return device_list(x, l.fleet); });

  c = command(*device, "show", "show a device and its services", "  slipway device show 3fa9c17");
  c->add_option("DEVICE", l.device, "uuid, its first 7 characters or more, or name")->required();
  choose(c, l, [&l](context& x) { return device_show(x, l.device); });

  c = command(
    *device,
    "config",
    "write the config.json with which new devices join a fleet",
    "  slipway device config acme/gate -o config.json\n"
    "  slipway device config acme/gate -o - | ssh device 'cat > /etc/slipway/config.json'");
  c->add_option("FLEET", l.config.fleet, "name or organization/name")->required();
  c->add_option("-o,--output", l.config.output, "file, - is stdout")->capture_default_str();
  c->add_option("-t,--type", l.config.device_type, "device type, the fleet's if absent");
  c->add_flag("--force", l.config.force, "replace the file");
  choose(c, l, [&l](context& x) { return device_config(x, l.config); });

  c = command(*device, "rename", "name a device", "  slipway device rename 3fa9c17 north-gate");
  c->add_option("DEVICE", l.device, "uuid or name")->required();
  c->add_option("NAME", l.name, "its new name")->required();
  choose(c, l, [&l](context& x) { return device_rename(x, l.device, l.name); });

  c = command(*device, "rm", "remove a device", "  slipway device rm 3fa9c17 --yes");
  c->add_option("DEVICE", l.device, "uuid or name")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return device_remove(x, l.device, l.yes); });
}

void add_release(CLI::App& app, command_line& l) {
  auto* c = command(
    app,
    "deploy",
    "build a project with the local engine and release it to a fleet",
    "  slipway deploy acme/gate\n"
    "  slipway deploy gate ./project --note 'fixes the latch'\n"
    "  slipway deploy gate --draft --engine unix:///run/podman/podman.sock");
  c->add_option("FLEET", l.deployment.fleet, "name or organization/name")->required();
  c->add_option("PATH", l.deployment.path, "folder with docker-compose.yml or a Dockerfile")
    ->capture_default_str();
  c->add_flag("--draft", l.deployment.draft, "devices do not get it until it is finalized");
  c->add_option("--note", l.deployment.note, "a note on the release");
  c->add_flag("--no-cache", l.deployment.no_cache, "build every step anew");
  c->add_option("--engine", l.deployment.engine, "socket of the engine; DOCKER_HOST if absent");
  choose(c, l, [&l](context& x) { return deploy(x, l.deployment); });

  auto* release = group(app, "release", "manage releases");
  c = command(*release, "list", "list a fleet's releases", "  slipway release list acme/gate");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  choose(c, l, [&l](context& x) { return release_list(x, l.fleet); });

  c = command(*release, "show", "show a release and its images", "  slipway release show 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return release_show(x, l.release); });

  c = command(
    *release,
    "finalize",
    "give a draft to the devices",
    "  slipway release finalize 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return release_finalize(x, l.release); });
}

void add_target(CLI::App* c, command_line& l, bool tags) {
  auto* target = c->add_option_group("Target", "what it hangs on");
  target->add_option("-f,--fleet", l.target.fleet, "name or organization/name");
  target->add_option("-d,--device", l.target.device, "uuid or name");
  if (tags) {
    target->add_option("-r,--release", l.target.release, "id or start of the commit");
  } else {
    c->add_option("-s,--service", l.target.service, "of the fleet");
  }
  target->require_option(1);
}

void add_settings(CLI::App& app, command_line& l) {
  auto* env = group(app, "env", "variables of fleets, services and devices");
  auto* c = command(*env, "list", "list variables", "  slipway env list --fleet gate");
  add_target(c, l, false);
  choose(c, l, [&l](context& x) { return env_list(x, l.target); });
  c = command(
    *env,
    "set",
    "set a variable",
    "  slipway env set LEVEL debug --fleet gate\n"
    "  slipway env set LEVEL debug --fleet gate --service web\n"
    "  slipway env set BALENA_SUPERVISOR_POLL_INTERVAL 900000 --device 3fa9c17");
  c->add_option("NAME", l.name, "with BALENA_ or RESIN_ first: configures the device")->required();
  c->add_option("VALUE", l.value, "its value")->required();
  add_target(c, l, false);
  choose(c, l, [&l](context& x) { return env_set(x, l.target, l.name, l.value); });
  c = command(*env, "rm", "remove a variable", "  slipway env rm LEVEL --fleet gate");
  c->add_option("NAME", l.name, "its name")->required();
  add_target(c, l, false);
  choose(c, l, [&l](context& x) { return env_remove(x, l.target, l.name); });

  auto* tag = group(app, "tag", "tags of fleets, devices and releases");
  c = command(*tag, "list", "list tags", "  slipway tag list --device 3fa9c17");
  add_target(c, l, true);
  choose(c, l, [&l](context& x) { return tag_list(x, l.target); });
  c = command(*tag, "set", "set a tag", "  slipway tag set site north --device 3fa9c17");
  c->add_option("KEY", l.name, "without blanks")->required();
  c->add_option("VALUE", l.value, "its value")->required();
  add_target(c, l, true);
  choose(c, l, [&l](context& x) { return tag_set(x, l.target, l.name, l.value); });
  c = command(*tag, "rm", "remove a tag", "  slipway tag rm site --device 3fa9c17");
  c->add_option("KEY", l.name, "its name")->required();
  add_target(c, l, true);
  choose(c, l, [&l](context& x) { return tag_remove(x, l.target, l.name); });
}

std::unique_ptr<CLI::App> make_app(command_line& l) {
  auto app = std::make_unique<CLI::App>("Deploy software to fleets of Linux devices.", "slipway");
  app->set_version_flag("--version", std::string("slipway ") + SLIPWAY_VERSION);
  app->set_help_all_flag("--help-all", "help of every command");
  app->add_option("--server", l.server, "the server's URL, e.g. http://127.0.0.1:8080");
  app->add_flag("--json", l.json, "answer in JSON");
  app->require_subcommand(1);
  app->fallthrough();  // --server and --json work after the command too
  app->get_formatter()->column_width(34);
  app->footer(
    "Environment: SLIPWAY_SERVER, SLIPWAY_TOKEN, DOCKER_HOST, NO_COLOR.\n"
    "Examples:\n"
    "  slipway login --server http://127.0.0.1:8080\n"
    "  slipway fleet create gate --type generic-amd64\n"
    "  slipway device config gate -o config.json\n"
    "  slipway deploy gate ./project");
  add_account(*app, l);
  add_fleet(*app, l);
  add_device(*app, l);
  add_release(*app, l);
  add_settings(*app, l);
  auto* c = command(
    *app,
    "completion",
    "print a completion script for a shell",
    "  source <(slipway completion bash)");
  c->add_option("SHELL", l.shell, "bash, zsh or fish")->required();
  choose(c, l, [&l](context& x) {
    return completion_script(l.shell, describe_commands()).map([&x](const std::string& text) {
      x.out.line(text);
    });
  });
  return app;
}

void describe(const CLI::App& app, const std::string& path, std::vector<command_description>& out) {
  command_description d{path, app.get_description(), {}, {}};
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      d.options.push_back("--" + name);
    }
  }
  std::vector<const CLI::App*> children;
  for (const auto* child : app.get_subcommands({})) {
    if (child->get_name().empty()) {  // an option group
      for (const auto* option : child->get_options()) {
        d.options.push_back("--" + option->get_lnames().at(0));
      }
      continue;
    }
    d.subcommands.push_back(child->get_name());
    children.push_back(child);
  }
  out.push_back(std::move(d));
  for (const auto* child : children) {
    describe(*child, path + (path.empty() ? "" : " ") + child->get_name(), out);
  }
}

int execute(command_line& l, const environment& env, console& out) {
  auto saved = settings::load(env);
  if (!saved) {
    out.fail(saved.error());
    return exit_failed;
  }
  const auto server = choose_server(l.server, env, *saved);
  if (!server) {
    out.fail(server.error());
    return exit_usage;
  }
  const auto login = saved->logins.find(*server);
  api client(
    *server,
    !env.token.empty()             ? env.token
    : login != saved->logins.end() ? login->second.token
                                   : "");
  context c{out, *saved, env, client};
  const auto done = l.chosen(c);
  if (!done) {
    out.fail(done.error());
  }
  return c.interrupted ? static_cast<int>(exit_interrupted)
         : done        ? static_cast<int>(exit_ok)
                       : exit_code_of(done.error().code);
}

}  // namespace

std::vector<command_description> describe_commands() {
  command_line l;
  const auto app = make_app(l);
  std::vector<command_description> all;
  describe(*app, "", all);
  return all;
}

int run(
  std::vector<std::string> arguments,
  const environment& env,
  const console::options& terminal,
  std::ostream& out,
  std::ostream& error) {
  console printer(out, error, terminal);
  try {
    command_line l;
    const auto app = make_app(l);
    try {
      std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants it
      app->parse(std::move(arguments));
    } catch (const CLI::ParseError& e) {
      const bool asked_for_help = e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
      app->failure_message([](const CLI::App*, const CLI::Error& what) {
        return std::string("slipway: ") + what.what()
               + "\nhint: --help after a command explains it\n";
      });
      app->exit(e, out, error);
      return asked_for_help ? exit_ok : exit_usage;
    }
    printer.set_json(l.json);
    return execute(l, env, printer);
  } catch (const std::exception& e) {
    printer.fail({messages::errc::internal, e.what()});
    return exit_failed;
  }
}

}  // namespace slipway::cli
