#include "cli/app.hpp"

#include "cli/command_line.hpp"
#include "cli/completion.hpp"
#include "cli/exit_code.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>

namespace slipway::cli {

CLI::App* command(CLI::App& parent, const char* name, const char* about, const char* examples) {
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

namespace {

std::unique_ptr<CLI::App> make_app(command_line& l) {
  auto app = std::make_unique<CLI::App>("Deploy software to fleets of Linux devices.", "slipway");
  app->set_version_flag("--version", std::string("slipway ") + SLIPWAY_VERSION);
  app->set_help_all_flag("--help-all", "help of every command");
  app->add_option("--server", l.server, "the server's URL, e.g. http://127.0.0.1:8080");
  app->add_option("--ca", l.ca, "PEM file of a root certificate to trust beside the system's");
  app->add_flag("--json", l.json, "answer in JSON");
  app->require_subcommand(1);
  app->fallthrough();  // --server and --json work after the command too
  app->get_formatter()->column_width(34);
  app->footer(
    "Environment: SLIPWAY_SERVER, SLIPWAY_TOKEN, SLIPWAY_CA, DOCKER_HOST, NO_COLOR.\n"
    "Examples:\n"
    "  slipway login --server http://127.0.0.1:8080\n"
    "  slipway fleet create gate --type generic-amd64\n"
    "  slipway device config gate -o config.json\n"
    "  slipway push gate ./project\n"
    "  slipway deploy gate ./project");
  add_account(*app, l);
  add_access(*app, l);
  add_fleet(*app, l);
  add_device(*app, l);
  add_build(*app, l);
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
  const auto trusted = choose_trust(l.ca, env, *saved, *server);
  if (!trusted) {
    out.fail(trusted.error());
    return exit_usage;
  }
  const auto login = saved->logins.find(*server);
  api client(
    *server,
    !env.token.empty()             ? env.token
    : login != saved->logins.end() ? login->second.token
                                   : "",
    *trusted);
  context c{out, *saved, env, client, *trusted};
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
