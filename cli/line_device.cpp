#include "cli/command_line.hpp"

namespace slipway::cli {

namespace {

CLI::App* of_device(
  CLI::App& device,
  command_line& l,
  const char* name,
  const char* about,
  const char* examples) {
  auto* c = command(device, name, about, examples);
  c->add_option("DEVICE", l.device, "uuid or name")->required();
  return c;
}

/// What is on record of it.
void add_device_state(CLI::App& device, command_line& l) {
  auto* c = command(
    device,
    "register",
    "make a device before it exists",
    "  slipway device register acme/gate\n"
    "  slipway device register acme/gate --uuid $(openssl rand -hex 16) --json");
  c->add_option("FLEET", l.new_device.fleet, "name or organization/name")->required();
  c->add_option("-u,--uuid", l.new_device.uuid, "32 hex digits, made up if absent");
  c->add_option("-t,--type", l.new_device.device_type, "device type, the fleet's if absent");
  choose(c, l, [&l](context& x) { return device_register(x, l.new_device); });

  c = of_device(
    device,
    l,
    "move",
    "move a device to another fleet",
    "  slipway device move 3fa9c17 acme/barrier");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  choose(c, l, [&l](context& x) { return device_move(x, l.device, l.fleet); });

  c = of_device(
    device,
    l,
    "note",
    "write a note on a device",
    "  slipway device note 3fa9c17 'behind the door'");
  c->add_option("TEXT", l.value, "the note")->required();
  choose(c, l, [&l](context& x) { return device_note(x, l.device, l.value); });

  c = of_device(
    device,
    l,
    "pin",
    "keep a device on one release",
    "  slipway device pin 3fa9c17 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return device_pin(x, l.device, l.release); });

  c = of_device(
    device,
    l,
    "track-fleet",
    "let a device follow its fleet",
    "  slipway device track-fleet 3fa9c17");
  choose(c, l, [&l](context& x) { return device_track_fleet(x, l.device); });

  c = of_device(
    device,
    l,
    "deactivate",
    "take a device out of use",
    "  slipway device deactivate 3fa9c17");
  choose(c, l, [&l](context& x) { return device_set_active(x, l.device, false); });

  c = of_device(
    device,
    l,
    "activate",
    "take a device back into use",
    "  slipway device activate 3fa9c17");
  choose(c, l, [&l](context& x) { return device_set_active(x, l.device, true); });
}

/// What an online device is told to do.
void add_device_actions(CLI::App& device, command_line& l) {
  const auto add_action =
    [&](const char* name, device_action what, const char* about, const char* examples) {
      auto* c = of_device(device, l, name, about, examples);
      c->add_flag("--force", l.force, "even when an update lock is held");
      choose(c, l, [&l, what](context& x) {
        return device_act(x, what, l.device, l.service, l.force);
      });
      return c;
    };
  auto* restart = add_action(
    "restart",
    device_action::restart,
    "restart the services of a device",
    "  slipway device restart 3fa9c17\n  slipway device restart 3fa9c17 --service web");
  restart->add_option("-s,--service", l.service, "only this service");
  add_action("reboot", device_action::reboot, "reboot a device", "  slipway device reboot 3fa9c17");
  add_action(
    "shutdown",
    device_action::shutdown,
    "switch a device off",
    "  slipway device shutdown 3fa9c17");
  add_action(
    "blink",
    device_action::blink,
    "let a device show itself",
    "  slipway device blink 3fa9c17");
  add_action(
    "update",
    device_action::update,
    "let a device fetch its target state now",
    "  slipway device update 3fa9c17");
  auto* purge = of_device(
    device,
    l,
    "purge",
    "empty the volumes of a device",
    "  slipway device purge 3fa9c17 --yes");
  purge->add_flag("--force", l.force, "even when an update lock is held");
  purge->add_flag("-y,--yes", l.yes, "do not ask");
  choose(purge, l, [&l](context& x) {
    return confirm("empty the volumes of " + printable(l.device), l.yes).and_then([&] {
      return device_act(x, device_action::purge, l.device, "", l.force);
    });
  });
  for (const auto* verb : {"start", "stop"}) {
    auto* c = of_device(
      device,
      l,
      (std::string(verb) + "-service").c_str(),
      verb == std::string("start") ? "start a service that was stopped" : "stop a service",
      (std::string("  slipway device ") + verb + "-service 3fa9c17 web").c_str());
    c->add_option("SERVICE", l.service, "its name")->required();
    c->add_flag("--force", l.force, "even when an update lock is held");
    choose(c, l, [&l, verb](context& x) {
      return device_service(x, verb, l.device, l.service, l.force);
    });
  }
}

}  // namespace

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

  add_device_state(*device, l);
  add_device_actions(*device, l);

  c = command(
    app,
    "logs",
    "show what a device's services print",
    "  slipway logs 3fa9c17\n"
    "  slipway logs 3fa9c17 -f --service web\n"
    "  slipway logs 3fa9c17 -n 1000 --json | jq .message");
  c->add_option("DEVICE", l.logs.device, "uuid or name")->required();
  c->add_flag("-f,--follow", l.logs.follow, "go on until Ctrl-C");
  c->add_option("-n,--lines", l.logs.count, "lines of history")
    ->capture_default_str()
    ->check(CLI::Range(0, 100'000));
  c->add_option("-s,--service", l.logs.service, "only this service");
  c->add_flag("--system", l.logs.system, "only what the device itself says");
  choose(c, l, [&l](context& x) { return device_logs(x, l.logs); });
}

}  // namespace slipway::cli
