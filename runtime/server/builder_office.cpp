#include "runtime/server/builder_office.hpp"

#include "domain/numbers.hpp"
#include "runtime/join_token.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <optional>

namespace slipway::runtime {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using messages::row;
using nlohmann::json;

namespace {

constexpr entity_ref catalog{entity_kind::catalog, messages::partition_count};

messages::requester platform() {
  messages::requester by;
  by.kind = messages::requester_kind::platform;
  return by;
}

result<std::string> name_in(const json& request) {
  const auto it = request.find("name");
  const auto name = it != request.end() && it->is_string() ? it->get<std::string>() : "";
  if (!is_builder_name(name) || name == embedded_builder) {
    return fail(
      errc::invalid_argument,
      "a worker's name has lower-case letters, digits and `-`, at most 63; `embedded` is taken");
  }
  return name;
}

std::optional<row> builder_named(const domain::row_source& rows, const std::string& name) {
  const auto& b = get().builder;
  const std::array<messages::value, 1> key{name};
  const auto id = rows.first(b.resource, b.name, key);
  return id ? rows.get(b.resource, *id) : std::nullopt;
}

}  // namespace

result<curve_keys> builder_keys(const std::string& data_dir) {
  return load_or_make_curve_keys(data_dir + "/keys/builders");
}

result<std::string> builder_public_key(const std::string& data_dir) {
  auto keys = builder_keys(data_dir);
  return keys ? result<std::string>(std::move(keys->public_key)) : tl::unexpected(keys.error());
}

result<json> add_builder(const admin_port& port, const json& request) {
  const auto name = name_in(request);
  if (!name) {
    return tl::unexpected(name.error());
  }
  auto server_key = port.builder_key();
  if (!server_key) {
    return tl::unexpected(server_key.error());
  }
  const auto& b = get().builder;
  const join_token token{*name, std::move(*server_key), make_curve_keys()};
  messages::create_row cmd;
  cmd.by = platform();
  cmd.resource = b.resource;
  cmd.values = {{b.name, *name}, {b.public_key, token.keys.public_key}};
  const auto done = port.ask(catalog, std::move(cmd));
  if (!done) {
    return tl::unexpected(
      done.error().code == errc::unique_violated
        ? messages::error{errc::unique_violated, "there is a worker " + *name + " already"}
        : done.error());
  }
  return json{{"name", *name}, {"token", write_join_token(token)}};
}

result<json> list_builders(const admin_port& port, const json&) {
  const auto& b = get().builder;
  json out = json::array();
  const auto view = port.store.rows->view();
  view->scan(b.resource, 0, [&](const row& r) {
    out.push_back(
      {{"name", as_text(field(r, b.name))},
       {"public_key", as_text(field(r, b.public_key))},
       {"created_at", as_int(field(r, 1))}});
    return true;
  });
  return out;
}

result<json> remove_builder(const admin_port& port, const json& request) {
  const auto name = name_in(request);
  if (!name) {
    return tl::unexpected(name.error());
  }
  const auto found = builder_named(*port.store.rows->view(), *name);
  if (!found) {
    return fail(errc::not_found, "there is no worker " + *name);
  }
  messages::remove_row cmd;
  cmd.by = platform();
  cmd.resource = get().builder.resource;
  cmd.id = messages::id_of(*found);
  if (const auto done = port.ask(catalog, std::move(cmd)); !done) {
    return tl::unexpected(done.error());
  }
  return json{{"name", *name}};
}

}  // namespace slipway::runtime
