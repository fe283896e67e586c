#include "cli/command_line.hpp"

namespace slipway::cli {

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

  c = command(*fleet, "rename", "name a fleet", "  slipway fleet rename acme/gate north-gate");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_option("NAME", l.name, "4 to 100 letters, digits, _ and -")->required();
  choose(c, l, [&l](context& x) { return fleet_rename(x, l.fleet, l.name); });

  c =
    command(*fleet, "pin", "keep a fleet on one release", "  slipway fleet pin acme/gate 8c1f02d");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return fleet_pin(x, l.fleet, l.release); });

  c = command(
    *fleet,
    "track-latest",
    "let a fleet follow its latest release",
    "  slipway fleet track-latest acme/gate");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  choose(c, l, [&l](context& x) { return fleet_track_latest(x, l.fleet); });

  c = command(
    *fleet,
    "release-branch",
    "name the branch of git whose pushes are built",
    "  slipway fleet release-branch acme/gate deploy\n"
    "  slipway fleet release-branch acme/gate --default");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_option("BRANCH", l.value, "of the fleet's git repository");
  c->add_flag("--default", l.force, "main and master again");
  choose(c, l, [&l](context& x) { return fleet_release_branch(x, l.fleet, l.value, l.force); });

  c = command(
    *fleet,
    "restart",
    "restart the services of all online devices",
    "  slipway fleet restart acme/gate");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  choose(c, l, [&l](context& x) { return fleet_restart(x, l.fleet); });

  c = command(
    *fleet,
    "purge",
    "empty the volumes of all online devices",
    "  slipway fleet purge acme/gate --yes");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return fleet_purge(x, l.fleet, l.yes); });

  c = command(*fleet, "rm", "remove a fleet and everything in it", "  slipway fleet rm gate --yes");
  c->add_option("FLEET", l.fleet, "name or organization/name")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return fleet_remove(x, l.fleet, l.yes); });

  auto* types = group(app, "device-type", "device types the server knows");
  c = command(*types, "list", "list device types", "  slipway device-type list");
  choose(c, l, device_type_list);
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

  c = command(
    *release,
    "invalidate",
    "take a release out of use",
    "  slipway release invalidate 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return release_set_valid(x, l.release, false); });

  c = command(
    *release,
    "validate",
    "take an invalidated release back into use",
    "  slipway release validate 8c1f02d");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  choose(c, l, [&l](context& x) { return release_set_valid(x, l.release, true); });

  c = command(
    *release,
    "note",
    "write a note on a release",
    "  slipway release note 8c1f02d 'fixes the latch'");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  c->add_option("TEXT", l.value, "the note")->required();
  choose(c, l, [&l](context& x) { return release_note(x, l.release, l.value); });

  c = command(*release, "rm", "remove a release", "  slipway release rm 8c1f02d --yes");
  c->add_option("RELEASE", l.release, "id, or the start of its commit")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return release_remove(x, l.release, l.yes); });
  add_assets(*release, l);
}

}  // namespace slipway::cli
