#include "tests/gateways/odata/fixture.hpp"

namespace slipway::tests::odata {

using messages::value;
using namespace std::string_literals;

std::pair<std::string, std::string> encoded(std::string_view target) {
  const auto encode = [](std::string_view text, std::string_view kept) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
      const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (word || kept.find(c) != std::string_view::npos) {
        out += c;
      } else {
        out += '%';
        out += digits[static_cast<unsigned char>(c) >> 4U];
        out += digits[static_cast<unsigned char>(c) & 0xfU];
      }
    }
    return out;
  };
  const auto mark = target.find('?');
  const auto query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  return {encode(target.substr(0, mark), "_$()=,@-/'"), encode(query, "_$()=,;:&@'-./*%")};
}

messages::result<engine::request_line> parse(std::string_view target, std::string_view version) {
  const auto [path, query] = encoded(target);
  const auto model = version == "v6" ? domain::resource_model_v6() : domain::resource_model();
  return engine::parse_target(*model, version, path, query);
}

world::world() : rows(*domain::resource_model()) {
  alice.kind = messages::requester_kind::user;
  alice.id = ids::alice;
  alice.actor = 101;
  alice.organizations = {{ids::acme, messages::role::administrator}};
  bob = alice;
  bob.id = ids::bob;
  bob.actor = 102;
  bob.organizations = {{ids::other, messages::role::administrator}};
  add_accounts();
  add_catalog();
  add_fleets();
  add_devices();
}

void world::add_accounts() {
  rows.put("user", ids::alice, {{"actor", 101L}, {"username", "alice"s}, {"password", "x"s}});
  rows.put("user", ids::bob, {{"actor", 102L}, {"username", "bob"s}, {"password", "y"s}});
  rows.put("organization", ids::acme, {{"name", "Acme"s}, {"handle", "acme"s}});
  rows.put("organization", ids::other, {{"name", "Other"s}, {"handle", "other"s}});
  rows.put(
    "organization_membership",
    5,
    {{"user", ids::alice}, {"is_member_of__organization", ids::acme}});
  rows.put(
    "organization_membership",
    6,
    {{"user", ids::bob}, {"is_member_of__organization", ids::other}});
}

void world::add_catalog() {
  rows.put("cpu_architecture", 5, {{"slug", "aarch64"s}});
  rows.put("cpu_architecture", 50, {{"slug", "amd64"s}});
  rows.put(
    "device_type",
    ids::raspberry,
    {{"slug", "raspberrypi4-64"s}, {"name", "Raspberry Pi 4"s}, {"is_of__cpu_architecture", 5L}});
  rows.put(
    "device_type",
    ids::nuc,
    {{"slug", "intel-nuc"s}, {"name", "Intel NUC"s}, {"is_of__cpu_architecture", 50L}});
  rows.put(
    "device_type_alias",
    60,
    {{"device_type", ids::raspberry}, {"is_referenced_by__alias", "rpi4"s}});
}

void world::add_fleets() {
  rows.put(
    "application",
    ids::fleet,
    {{"actor", 103L},
     {"app_name", "f"s},
     {"slug", "acme/f"s},
     {"uuid", "ffff"s},
     {"organization", ids::acme},
     {"is_for__device_type", ids::raspberry},
     {"should_be_running__release", ids::release_2},
     {"is_host", false},
     {"is_public", false}});
  rows.put(
    "application",
    ids::hidden_fleet,
    {{"actor", 104L},
     {"app_name", "secret"s},
     {"slug", "other/secret"s},
     {"uuid", "eeee"s},
     {"organization", ids::other},
     {"is_for__device_type", ids::raspberry},
     {"is_host", true},
     {"is_public", false}});
  for (const auto& [id, commit, state, revision] :
       {std::tuple{ids::release_1, "c1"s, "success"s, value{0L}},
        std::tuple{ids::release_2, "c2"s, "success"s, value{1L}},
        std::tuple{std::int64_t{82}, "c3"s, "failed"s, value{}}}) {
    rows.put(
      "release",
      id,
      {{"belongs_to__application", ids::fleet},
       {"created_at", id * 1000},
       {"commit", commit},
       {"status", state},
       {"revision", revision},
       {"semver_major", 1L},
       {"semver_minor", 0L},
       {"semver_patch", 0L},
       {"is_invalidated", false},
       {"is_passing_tests", true},
       {"composition", messages::json_text{R"({"services":{}})"}}});
  }
  rows.put("service", ids::main, {{"application", ids::fleet}, {"service_name", "main"s}});
  rows.put(
    "image",
    ids::image_1,
    {{"is_a_build_of__service", ids::main}, {"image_size", 12345678901L}, {"status", "success"s}});
  rows.put("release_image", 11, {{"image", ids::image_1}, {"is_part_of__release", ids::release_1}});
  rows.put(
    "application_tag",
    31,
    {{"application", ids::fleet}, {"tag_key", "site"s}, {"value", "o'b \"q\" \n ü"s}});
  rows.put(
    "application_tag",
    32,
    {{"application", ids::hidden_fleet}, {"tag_key", "site"s}, {"value", "hidden"s}});
}

void world::add_devices() {
  const auto add = [this](std::int64_t id, std::string uuid, value name, std::int64_t fleet) {
    const bool online = id % 2 == 1;
    rows.put(
      "device",
      id,
      {{"actor", 200 + id},
       {"created_at", 1'700'000'000'000 + id},
       {"uuid", std::move(uuid)},
       {"device_name", std::move(name)},
       {"is_of__device_type", ids::raspberry},
       {"belongs_to__application", fleet},
       {"is_online", online},
       {"is_connected_to_vpn", online},
       {"memory_usage", id == ids::device_b ? value{} : value{id * 10}},
       {"presence_edge", 7L}});
  };
  add(ids::device_a, "aaaa1111", "alpha"s, ids::fleet);
  add(ids::device_b, "aaaa2222", "Beta"s, ids::fleet);
  add(ids::device_c, "cccc3333", {}, ids::fleet);
  add(ids::hidden_device, "dddd4444", "hidden"s, ids::hidden_fleet);
  rows.put("device_tag", 41, {{"device", ids::device_a}, {"tag_key", "rack"s}, {"value", "1"s}});
  rows.put("device_tag", 42, {{"device", ids::device_a}, {"tag_key", "row"s}, {"value", "2"s}});
  rows.put(
    "image_install",
    43,
    {{"device", ids::device_a},
     {"installs__image", ids::image_1},
     {"is_provided_by__release", ids::release_1},
     {"install_date", 0L},
     {"status", "Running"s}});
}

nlohmann::json world::get(std::string_view target, std::string_view version) {
  return get_as(alice, target, version);
}

nlohmann::json
world::get_as(const messages::requester& by, std::string_view target, std::string_view version) {
  const auto line = parse(target, version);
  if (!line) {
    return {{"error", line.error().detail}};
  }
  const domain::access rights(*domain::resource_model(), by, rows);
  engine::access granted{by, [&](const auto& resource, const auto& row) {
                           return rights.may_see(resource, row);
                         }};
  if (hints) {
    granted.candidates = [&](const auto& resource) { return rights.candidates(resource); };
  }
  granted.rows_examined_max = rows_examined_max;
  granted.response_bytes_max = response_bytes_max;
  granted.expired = [this] { return expired; };
  const auto body = engine::read(*line, rows, granted, &stats);
  return body ? nlohmann::json::parse(*body) : nlohmann::json{{"error", body.error().detail}};
}

std::vector<std::int64_t> world::ids_of(std::string_view target) {
  std::vector<std::int64_t> found;
  const auto body = get(target);
  if (body.contains("error")) {
    return {-1};
  }
  for (const auto& row : body.at("d")) {
    found.push_back(row.at("id").get<std::int64_t>());
  }
  return found;
}

}  // namespace slipway::tests::odata
