#include "cli/command_line.hpp"

namespace slipway::cli {

namespace {

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

}  // namespace

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

}  // namespace slipway::cli
