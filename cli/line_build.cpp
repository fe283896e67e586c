#include "cli/command_line.hpp"

namespace slipway::cli {

namespace {

void add_push(CLI::App& app, command_line& l) {
  auto& args = l.pushed;
  auto* c = command(
    app,
    "push",
    "build a project on the server and release it to a fleet",
    "  slipway push acme/gate\n"
    "  slipway push gate ./project --note 'fixes the latch'\n"
    "  slipway push ./project --draft --release-tag ticket 4711 branch next\n"
    "  slipway push gate --registry-secrets secrets.yml --detached");
  c->add_option("FLEET", args.fleet, "name or organization/name; the only one if absent");
  c->add_option("PATH", args.path, "folder with docker-compose.yml or a Dockerfile")
    ->capture_default_str();
  c->add_flag("--draft", args.draft, "devices do not get it until it is finalized");
  c->add_flag("--no-cache,--nocache", args.no_cache, "build every step anew");
  c->add_flag("-d,--detached", args.detached, "do not wait for the build");
  c->add_flag("--emulated", args.emulated, "let the builder emulate the device's processor");
  c->add_flag(
    "-m,--multi-dockerignore",
    args.multi_dockerignore,
    "each service's folder has a .dockerignore of its own");
  c->add_option("--dockerfile", args.dockerfile, "the Dockerfile, from the project's root on");
  c->add_option("--note", args.note, "a note on the release");
  c->add_option("--release-tag", args.tags, "tags of the release: KEY VALUE ...");
  c->add_option(
    "--registry-secrets",
    args.registry_secrets,
    "JSON or YAML file: username and password by registry");
  choose(c, l, [&l](context& x) { return push(x, l.pushed); });
}

}  // namespace

void add_build(CLI::App& app, command_line& l) {
  add_push(app, l);

  auto* build = group(app, "build", "builds on the server");
  auto* c = command(*build, "list", "list the latest builds", "  slipway build list acme/gate");
  c->add_option("FLEET", l.fleet, "name or organization/name; all if absent");
  choose(c, l, [&l](context& x) { return build_list(x, l.fleet); });

  c = command(*build, "show", "show a build and its services", "  slipway build show 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return build_show(x, l.release); });

  c = command(
    *build,
    "logs",
    "show what a build printed",
    "  slipway build logs 8c1f02d\n"
    "  slipway build logs 8 --follow");
  c->add_option("RELEASE", l.build_log.release, "id, or the start of its commit")->required();
  c->add_flag("-f,--follow", l.build_log.follow, "go on until the build is over");
  c->add_option("--offset", l.build_log.offset, "begin at that byte of the log");
  choose(c, l, [&l](context& x) { return build_logs(x, l.build_log); });

  c = command(*build, "cancel", "end a build", "  slipway build cancel 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return build_cancel(x, l.release); });
}

}  // namespace slipway::cli
