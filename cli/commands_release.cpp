#include "cli/commands_release.hpp"

#include "cli/commands_fleet.hpp"
#include "cli/lookup.hpp"
#include "runtime/clock.hpp"

namespace slipway::cli {

using nlohmann::json;

namespace {

json summary(const json& row) {
  return {
    {"id", int_of(row, "id")},
    {"commit", text_of(row, "commit")},
    {"status", text_of(row, "status")},
    {"version", text_of(row, "raw_version")},
    {"is_final", bool_of(row, "is_final")},
    {"created_at", text_of(row, "created_at")}};
}

json images_of(const json& row) {
  auto all = json::array();
  const auto links = row.find("release_image");
  if (links == row.end() || !links->is_array()) {
    return all;
  }
  for (const auto& link : *links) {
    const auto image = expanded(link, "image");
    const auto hash = text_of(image, "content_hash");
    const auto size = text_of(image, "image_size");
    all.push_back(
      {{"service", text_of(expanded(image, "is_a_build_of__service"), "service_name")},
       {"status", text_of(image, "status")},
       {"image", text_of(image, "is_stored_at__image_location") + (hash.empty() ? "" : "@" + hash)},
       {"size", size.empty() ? json() : json(std::strtoll(size.c_str(), nullptr, 10))}});
  }
  return all;
}

std::string release_path(const json& row) {
  return "/v7/release(" + std::to_string(int_of(row, "id")) + ")";
}

}  // namespace

messages::result<void> release_list(context& c, const std::string& fleet) {
  const auto row = find_fleet(c.server, fleet, "id");
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto rows = c.server.query(
    {"release",
     "belongs_to__application eq " + std::to_string(int_of(*row, "id")),
     "id,commit,created_at,status,raw_version,is_final",
     "",
     "created_at desc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  const auto now = runtime::now_ms();
  for (const auto& r : *rows) {
    const auto s = summary(r);
    cells.push_back(
      {text_of(s, "commit"),
       text_of(s, "version"),
       text_of(s, "status"),
       bool_of(s, "is_final") ? "yes" : "draft",
       ago(parse_time(text_of(s, "created_at")), now)});
    all.push_back(s);
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no releases yet; make one with `slipway deploy " + printable(fleet) + "`");
  } else {
    c.out.table({"COMMIT", "VERSION", "STATUS", "FINAL", "CREATED"}, cells, 2);
  }
  return {};
}

messages::result<void> release_show(context& c, const std::string& release) {
  const auto row = find_release(
    c.server,
    release,
    "id,commit,created_at,status,raw_version,is_final,note,composition",
    "belongs_to__application($select=slug),release_tag($select=tag_key,value),"
    "release_image($select=id;$expand=image($select=id,status,is_stored_at__image_location,"
    "content_hash,image_size;$expand=is_a_build_of__service($select=service_name)))");
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto s = summary(*row);
  s["fleet"] = text_of(expanded(*row, "belongs_to__application"), "slug");
  s["note"] = text_of(*row, "note");
  s["images"] = images_of(*row);
  s["tags"] = json::object();
  if (const auto tags = row->find("release_tag"); tags != row->end() && tags->is_array()) {
    for (const auto& t : *tags) {
      s["tags"][text_of(t, "tag_key")] = text_of(t, "value");
    }
  }
  if (c.out.json()) {
    s["composition"] = row->contains("composition") ? (*row)["composition"] : json();
    c.out.print(s);
    return {};
  }
  c.out.details(
    {{"commit", text_of(s, "commit")},
     {"id", text_of(s, "id")},
     {"fleet", text_of(s, "fleet")},
     {"version", text_of(s, "version")},
     {"status", text_of(s, "status")},
     {"final", bool_of(s, "is_final") ? "yes" : "no, a draft"},
     {"created", ago(parse_time(text_of(s, "created_at")), runtime::now_ms())},
     {"note", text_of(s, "note")}});
  std::vector<std::vector<std::string>> cells;
  for (const auto& image : s["images"]) {
    cells.push_back(
      {text_of(image, "service"),
       text_of(image, "status"),
       image["size"].is_null() ? "" : bytes_text(int_of(image, "size")),
       text_of(image, "image")});
  }
  if (!cells.empty()) {
    c.out.line("");
    c.out.table({"SERVICE", "STATUS", "SIZE", "IMAGE"}, cells, 1);
  }
  return {};
}

messages::result<void> release_finalize(context& c, const std::string& release) {
  const auto row = find_release(c.server, release, "id,commit,is_final");
  if (!row) {
    return tl::unexpected(row.error());
  }
  if (bool_of(*row, "is_final")) {
    c.out.note("the release is final already");
    return {};
  }
  return c.server.patch(release_path(*row), {{"is_final", true}});
}

messages::result<void> release_set_valid(context& c, const std::string& release, bool valid) {
  return find_release(c.server, release).and_then([&](const json& row) {
    return c.server.patch(release_path(row), {{"is_invalidated", !valid}});
  });
}

messages::result<void>
release_note(context& c, const std::string& release, const std::string& note) {
  return find_release(c.server, release).and_then([&](const json& row) {
    return c.server.patch(release_path(row), {{"note", note}});
  });
}

messages::result<void> release_remove(context& c, const std::string& release, bool yes) {
  const auto row = find_release(c.server, release);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto commit = printable(text_of(*row, "commit"));
  if (auto sure = confirm("remove the release " + commit, yes); !sure) {
    return sure;
  }
  auto removed = c.server.remove(release_path(*row));
  if (removed) {
    c.out.note("removed release " + commit);
  }
  return removed;
}

}  // namespace slipway::cli
