#include "cli/command_line.hpp"

namespace slipway::cli {

namespace {

constexpr const char* roles = "administrator, developer, operator or observer";

void add_members_of(CLI::App* c, command_line& l) {
  auto* of = c->add_option_group("Of", "whose members");
  of->add_option("-o,--organization", l.members.organization, "handle");
  of->add_option("-f,--fleet", l.members.fleet, "name or organization/name");
  of->require_option(1);
}

void add_organizations(CLI::App& app, command_line& l) {
  auto* organization = group(app, "organization", "organizations you are in");
  organization->alias("org");
  auto* c =
    command(*organization, "list", "list your organizations", "  slipway organization list");
  choose(c, l, organization_list);
  c = command(
    *organization,
    "create",
    "found an organization",
    "  slipway organization create 'Acme Robots'");
  c->add_option("NAME", l.name, "the handle is made from it")->required();
  choose(c, l, [&l](context& x) { return organization_create(x, l.name); });
  c = command(
    *organization,
    "rename",
    "name an organization",
    "  slipway organization rename acme 'Acme Robotics'");
  c->add_option("HANDLE", l.organization, "its handle, which stays")->required();
  c->add_option("NAME", l.name, "its new name")->required();
  choose(c, l, [&l](context& x) { return organization_rename(x, l.organization, l.name); });
  c = command(
    *organization,
    "rm",
    "remove an organization without fleets",
    "  slipway organization rm acme --yes");
  c->add_option("HANDLE", l.organization, "its handle")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  choose(c, l, [&l](context& x) { return organization_remove(x, l.organization, l.yes); });
}

void add_member_verbs(CLI::App& app, command_line& l) {
  auto* member = group(app, "member", "who may do what in an organization or a fleet");
  auto* c = command(
    *member,
    "list",
    "list members and their roles",
    "  slipway member list --organization acme");
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return member_list(x, l.members); });
  c = command(
    *member,
    "add",
    "give a user a role",
    "  slipway member add bob --role developer --organization acme\n"
    "  slipway member add eve --role observer --fleet acme/gate");
  c->add_option("USER", l.name, "user name")->required();
  c->add_option("-r,--role", l.role, roles)->required();
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return member_add(x, l.members, l.name, l.role); });
  c = command(
    *member,
    "role",
    "give a member another role",
    "  slipway member role bob --role operator --organization acme");
  c->add_option("USER", l.name, "user name")->required();
  c->add_option("-r,--role", l.role, roles)->required();
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return member_role(x, l.members, l.name, l.role); });
  c = command(
    *member,
    "rm",
    "take a member's role away",
    "  slipway member rm bob --organization acme");
  c->add_option("USER", l.name, "user name")->required();
  c->add_flag("-y,--yes", l.yes, "do not ask");
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return member_remove(x, l.members, l.name, l.yes); });
}

void add_invitations(CLI::App& app, command_line& l) {
  auto* invite = group(app, "invite", "invitations to an organization or a fleet");
  auto* c = command(
    *invite,
    "create",
    "invite somebody by e-mail address; prints the token to hand on",
    "  slipway invite create bob@example.com --role developer --organization acme");
  c->add_option("EMAIL", l.name, "who is meant")->required();
  c->add_option("-r,--role", l.role, roles)->required();
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return invite_create(x, l.members, l.name, l.role); });
  c =
    command(*invite, "list", "list open invitations", "  slipway invite list --organization acme");
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return invite_list(x, l.members); });
  c = command(
    *invite,
    "revoke",
    "take an invitation back",
    "  slipway invite revoke 65 --organization acme");
  c->add_option("ID", l.id, "of the invitation")->required();
  add_members_of(c, l);
  choose(c, l, [&l](context& x) { return invite_revoke(x, l.members, l.id); });
  c = command(
    *invite,
    "accept",
    "accept an invitation",
    "  slipway invite accept --token-file invitation.txt");
  c->add_option("--token-file", l.file, "holds the token; - is stdin")->required();
  choose(c, l, [&l](context& x) { return invite_accept(x, l.file); });
}

void add_keys_of(CLI::App* c, command_line& l) {
  auto* fleet = c->add_option("-f,--fleet", l.owner.fleet, "provisioning keys of a fleet");
  c->add_option("-d,--device", l.owner.device, "keys of a device")->excludes(fleet);
}

void add_keys(CLI::App& app, command_line& l) {
  auto* key = group(app, "key", "API keys: your own, a fleet's, a device's");
  auto* c = command(
    *key,
    "create",
    "make an API key and print it",
    "  slipway key create ci --expires 90d\n"
    "  slipway key create factory --fleet acme/gate --expires 12h --uses 100");
  c->add_option("NAME", l.new_key.name, "at most 50 characters")->required();
  c->add_option("--description", l.new_key.description, "at most 150 characters");
  c->add_option("--expires", l.new_key.expires, "90d, 12h or a date; never if absent");
  c->add_option("--scope", l.new_key.scope, "JSON: less than all you may, see docs/permissions.md");
  c->add_option("--uses", l.new_key.uses, "registrations that a provisioning key is good for");
  add_keys_of(c, l);
  choose(c, l, [&l](context& x) { return key_create(x, l.owner, l.new_key); });
  c = command(*key, "list", "list API keys", "  slipway key list --fleet acme/gate");
  add_keys_of(c, l);
  choose(c, l, [&l](context& x) { return key_list(x, l.owner); });
  c = command(*key, "rm", "revoke an API key at once", "  slipway key rm 18");
  c->add_option("ID", l.id, "see key list")->required();
  choose(c, l, [&l](context& x) { return key_remove(x, l.id); });

  auto* ssh = group(app, "ssh-key", "SSH keys with which you reach devices and push");
  c =
    command(*ssh, "add", "add a public key", "  slipway ssh-key add laptop ~/.ssh/id_ed25519.pub");
  c->add_option("TITLE", l.name, "at most 120 characters")->required();
  c->add_option("FILE", l.file, "the public key; - is stdin")->required();
  choose(c, l, [&l](context& x) { return ssh_key_add(x, l.name, l.file); });
  c = command(*ssh, "list", "list your SSH keys", "  slipway ssh-key list");
  choose(c, l, ssh_key_list);
  c = command(*ssh, "show", "print a public key", "  slipway ssh-key show 19");
  c->add_option("ID", l.id, "see ssh-key list")->required();
  choose(c, l, [&l](context& x) { return ssh_key_show(x, l.id); });
  c = command(*ssh, "rm", "remove a public key", "  slipway ssh-key rm 19");
  c->add_option("ID", l.id, "see ssh-key list")->required();
  choose(c, l, [&l](context& x) { return ssh_key_remove(x, l.id); });
}

}  // namespace

void add_access(CLI::App& app, command_line& l) {
  add_organizations(app, l);
  add_member_verbs(app, l);
  add_invitations(app, l);
  add_keys(app, l);
}

}  // namespace slipway::cli
