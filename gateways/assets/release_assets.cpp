#include "gateways/assets/release_assets.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/odata/body.hpp"
#include "gateways/api/odata/executor.hpp"
#include "gateways/counted_slot.hpp"
#include "gateways/registry/completion.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace slipway::gateways {

using domain::numbers::get;
using messages::errc;
using messages::fail;
using messages::field;
using messages::field_value;
using messages::result;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t rows_examined_max = 10'000;

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

std::uint64_t size_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

bool is_form(const exchange& x) {
  const auto type = x.header("content-type");
  return runtime::iequals(type.substr(0, 19), "multipart/form-data");
}

/// ETags may come with their quotes or without.
std::string plain_etag(std::string text) {
  std::erase(text, '"');
  return text;
}

awaitable<result<json>> read_object(exchange& x) {
  const auto body = co_await x.read_body(json_body_bytes_max);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  auto j = messages::parse_json(*body);
  if (j && !j->is_object()) {
    co_return fail(errc::invalid_argument, "the body must be a JSON object");
  }
  co_return j;
}

}  // namespace

struct release_assets::call {
  exchange& x;
  messages::requester by;
  odata::request_line line;
};

release_assets::release_assets(std::shared_ptr<const services> s, asset_store& store)
  : s_(std::move(s)), store_(store) {}

release_assets::~release_assets() {
  stop();
}

void release_assets::stop() {
  pool_.join();
}

bool release_assets::takes(const exchange& x, std::string_view path) {
  const auto resource = path.substr(0, path.find_first_of("(/?"));
  if (resource != "release_asset" && resource != "release__has__asset_key") {
    return false;
  }
  const auto method = x.head().method;
  const bool step = path.ends_with("/beginUpload") || path.ends_with("/commitUpload")
                    || path.ends_with("/cancelUpload");
  return (method == "POST" && step) || ((method == "POST" || method == "PATCH") && is_form(x));
}

awaitable<void> release_assets::handle(exchange& x, std::string path) {
  auto answer = co_await run(x, std::move(path));
  auto r = answer ? std::move(*answer) : error_response(answer.error());
  co_await x.respond(std::move(r));
}

release_assets::outcome release_assets::run(exchange& x, std::string path) {
  auto by = requester_of(*s_, x);
  if (!by) {
    co_return tl::unexpected(by.error());
  }
  auto line = odata::parse_target(*s_->model, "v7", path, x.head().query);
  if (!line) {
    co_return tl::unexpected(line.error());
  }
  call c{x, std::move(*by), std::move(*line)};
  const auto& action = c.line.action;
  // One statement each: the compiler mistakes awaits within `?:`.
  if (action == "beginUpload") {
    co_return co_await begin_upload(c);
  }
  if (action == "commitUpload") {
    co_return co_await commit_upload(c);
  }
  if (action == "cancelUpload") {
    co_return co_await cancel_upload(c);
  }
  const counted_slot slot(bodies_, bodies_max);
  if (!slot) {
    co_return fail(errc::too_many_requests, "too many uploads at once");
  }
  if (x.head().method == "POST") {
    co_return co_await create(c);
  }
  co_return co_await replace(c);
}

result<release_assets::target> release_assets::find(const call& c) const {
  const auto view = s_->store.rows->view();
  const domain::access rights(*s_->model, c.by, *view);
  const odata::access a{
    c.by,
    [&](const domain::resource_def& r, const messages::row& row) { return rights.may_see(r, row); },
    [&](const domain::resource_def& r) { return rights.candidates(r); },
    rows_examined_max};
  auto line = c.line;
  line.action.clear();
  const auto ids = odata::select_ids(line, *view, a);
  if (!ids) {
    return tl::unexpected(ids.error());
  }
  if (ids->size() != 1) {
    return fail(errc::not_found, "no such release asset");
  }
  const auto& def = c.line.resource();
  const auto row = view->get(def.number, ids->front());
  const auto entity = row ? domain::entity_of(*s_->model, def, *row, *view) : std::nullopt;
  if (!entity) {
    return fail(errc::not_found, "no such release asset");
  }
  if (const auto ok = rights.may(domain::verb::change, def, *row); !ok) {
    return tl::unexpected(ok.error());
  }
  return target{ids->front(), *entity};
}

result<messages::entity_ref> release_assets::may_create(
  const messages::requester& by,
  const std::string& release) const {
  std::int64_t id = 0;
  const auto [end, failed] = std::from_chars(release.data(), release.data() + release.size(), id);
  const auto& n = get();
  const auto& def = s_->model->at("release_asset");
  const auto view = s_->store.rows->view();
  const bool whole = failed == std::errc{} && end == release.data() + release.size();
  const auto parent = whole ? view->get(n.release.resource, id) : std::nullopt;
  const auto entity =
    parent ? domain::entity_of(*s_->model, s_->model->at("release"), *parent, *view) : std::nullopt;
  if (!entity) {
    return fail(errc::rule_violated, "\"release\" refers to a release that does not exist.");
  }
  messages::row would(def.fields.size());
  would[n.release_asset.release] = id;
  const auto ok = domain::access(*s_->model, by, *view).may(domain::verb::create, def, would);
  return ok ? result<messages::entity_ref>(*entity) : tl::unexpected(ok.error());
}

awaitable<result<stored_asset>> release_assets::store(
  asset_form& form,
  std::shared_ptr<asset_store::hold>& held) {
  const auto size = form.file->offset();
  std::function<result<std::shared_ptr<asset_store::hold>>()> work = [&] {
    return store_.finish(*form.file);
  };
  auto done = co_await run_on<result<std::shared_ptr<asset_store::hold>>>(pool_, std::move(work));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  form.file.reset();
  held = std::move(*done);
  stored_asset a;
  a.filename = safe_filename(form.file_head.filename);
  a.content_type = safe_content_type(form.file_head.content_type);
  a.size = size;
  a.digest = held->what().text;
  co_return a;
}

release_assets::outcome release_assets::create(call& c) {
  asset_form form;
  const asset_sink sink{store_, pool_, asset_bytes_max};
  // A client that names the release first, as they do, is refused before its bytes are kept.
  std::function<result<void>()> before_file = [&]() -> result<void> {
    const auto release = form.fields.find("release");
    if (release == form.fields.end()) {
      return c.by.kind == messages::requester_kind::user
               ? result<void>{}
               : fail(errc::unauthorized, "not permitted");
    }
    const auto ok = may_create(c.by, release->second);
    return ok ? result<void>{} : tl::unexpected(ok.error());
  };
  const auto read = co_await read_form(c.x, sink, std::move(before_file), form);
  if (!read) {
    co_return tl::unexpected(read.error());
  }
  const auto entity = may_create(c.by, form.fields["release"]);
  if (!entity) {
    co_return tl::unexpected(entity.error());
  }
  if (form.fields["asset_key"].empty()) {
    co_return fail(errc::rule_violated, "\"asset_key\" is required.");
  }
  const auto& def = c.line.resource();
  auto values = odata::parse_body(
    def,
    {{"release", form.fields["release"]}, {"asset_key", form.fields["asset_key"]}});
  if (!values) {
    co_return tl::unexpected(values.error());
  }
  std::shared_ptr<asset_store::hold> held;  // until the row is there
  if (form.file) {
    const auto stored = co_await store(form, held);
    if (!stored) {
      co_return tl::unexpected(stored.error());
    }
    values->push_back({get().release_asset.asset, asset_json(*stored)});
  }
  messages::create_row cmd;
  cmd.by = c.by;
  cmd.resource = def.number;
  cmd.values = std::move(*values);
  const auto done = co_await s_->ask->ask(c.x.executor(), *entity, std::move(cmd));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  response r = response::json(201, "{\"id\":" + std::to_string(done->answer) + "}");
  r.headers.emplace_back("Location", "/release_asset(" + std::to_string(done->answer) + ")");
  const auto view = s_->store.rows->view();
  if (auto row = view->get(def.number, done->answer)) {
    row->resize(def.fields.size());
    auto& asset = (*row)[get().release_asset.asset];
    asset = s_->asset_links->shown(done->answer, asset);
    r.body = odata::row_json(def, *row, *view);
  }
  co_return r;
}

awaitable<result<void>> release_assets::write(call& c, const target& t, const stored_asset& a) {
  messages::change_row cmd;
  cmd.by = c.by;
  cmd.resource = get().release_asset.resource;
  cmd.id = t.id;
  cmd.values = {{get().release_asset.asset, asset_json(a)}};
  const auto done = co_await s_->ask->ask(c.x.executor(), t.entity, std::move(cmd));
  co_return done ? result<void>{} : tl::unexpected(done.error());
}

release_assets::outcome release_assets::replace(call& c) {
  const auto t = find(c);
  if (!t) {
    co_return tl::unexpected(t.error());
  }
  asset_form form;
  const asset_sink sink{store_, pool_, asset_bytes_max};
  std::function<result<void>()> before_file = [] { return result<void>{}; };
  const auto read = co_await read_form(c.x, sink, std::move(before_file), form);
  if (!read) {
    co_return tl::unexpected(read.error());
  }
  if (!form.file) {
    co_return fail(errc::invalid_argument, R"(the form has no file "asset")");
  }
  std::shared_ptr<asset_store::hold> held;
  const auto stored = co_await store(form, held);
  if (!stored) {
    co_return tl::unexpected(stored.error());
  }
  const auto done = co_await write(c, *t, *stored);
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return empty_response(200);
}

release_assets::outcome release_assets::begin_upload(call& c) {
  const auto t = find(c);
  if (!t) {
    co_return tl::unexpected(t.error());
  }
  const auto body = co_await read_object(c.x);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  const auto about = body->value("asset", json());
  if (!about.is_object()) {
    co_return fail(errc::invalid_argument, "\"asset\" must be an object");
  }
  stored_asset a;
  a.filename = safe_filename(text_of(about, "filename"));
  a.content_type = safe_content_type(text_of(about, "content_type"));
  a.size = size_of(about, "size");
  if (a.size > asset_bytes_max) {
    co_return fail(
      errc::too_large,
      "an asset must not be larger than " + std::to_string(asset_bytes_max) + " bytes");
  }
  const auto name = uploads_.begin(t->id, std::move(a), size_of(about, "chunk_size"), s_->now());
  if (!name) {
    co_return tl::unexpected(name.error());
  }
  const auto upload = uploads_.find(*name, s_->now());
  auto parts = json::array();
  for (std::int64_t n = 1; upload && n <= upload->parts(); ++n) {
    parts.push_back(
      {{"url", s_->asset_links->part(*name, n)},
       {"chunkSize", upload->part_bytes(n)},
       {"partNumber", n}});
  }
  const json out{{"asset", {{"uuid", *name}, {"uploadParts", std::move(parts)}}}};
  co_return response::json(200, messages::dump_json(out));
}

awaitable<void> release_assets::put_part(exchange& x, route_args args) {
  const auto name = args.text("upload");
  const auto number = args.number("part");
  const bool ours = number && s_->asset_links->is_part(name, *number, x.head().query);
  auto upload = ours ? uploads_.find(name, s_->now()) : nullptr;
  if (!upload || upload->part_bytes(*number) == 0) {
    const auto code = ours ? errc::upload_unknown : errc::forbidden;
    co_return co_await x.respond(error_response(code, "no such upload, or not by this link"));
  }
  auto answer = co_await receive_part(x, std::move(upload), *number);
  auto r = answer ? std::move(*answer) : error_response(answer.error());
  co_await x.respond(std::move(r));
}

release_assets::outcome
release_assets::receive_part(exchange& x, std::shared_ptr<asset_upload> upload, std::int64_t n) {
  const counted_slot slot(bodies_, bodies_max);
  if (!slot) {
    co_return fail(errc::too_many_requests, "too many uploads at once");
  }
  asset_form part;  // drops what is not finished
  auto writer = store_.begin();
  if (!writer) {
    co_return tl::unexpected(writer.error());
  }
  part.file = std::move(*writer);
  const auto bytes = upload->part_bytes(n);
  const asset_sink sink{store_, pool_, bytes};
  const auto read = co_await read_bytes(x, sink, *part.file, bytes);
  if (!read) {
    co_return tl::unexpected(read.error());
  }
  std::shared_ptr<asset_store::hold> held;
  const auto stored = co_await store(part, held);
  if (!stored) {
    co_return tl::unexpected(stored.error());
  }
  upload->put(n, {bytes, held});
  auto r = empty_response(200);
  r.headers.emplace_back("ETag", "\"" + stored->digest + "\"");
  co_return r;
}

result<std::shared_ptr<asset_store::hold>> release_assets::join(
  const std::vector<asset_part>& parts) {
  if (parts.size() == 1) {
    return parts.front().bytes;
  }
  asset_form whole;  // drops what is not finished
  auto writer = store_.begin();
  if (!writer) {
    return tl::unexpected(writer.error());
  }
  whole.file = std::move(*writer);
  std::vector<char> buffer(std::size_t{256} * 1024);
  for (const auto& part : parts) {
    auto reader = store_.open(part.bytes->what().text);
    if (!reader) {
      return tl::unexpected(reader.error());
    }
    for (std::uint64_t at = 0; at < part.size;) {
      const auto n = (*reader)->read_at(at, buffer);
      if (!n || *n == 0) {
        return n ? fail(errc::io_failed, "a part is shorter than it was")
                 : tl::unexpected(n.error());
      }
      if (auto ok = whole.file->append({buffer.data(), *n}); !ok) {
        return tl::unexpected(ok.error());
      }
      at += *n;
    }
  }
  auto held = store_.finish(*whole.file);
  if (held) {
    whole.file.reset();
  }
  return held;
}

release_assets::outcome release_assets::commit_upload(call& c) {
  const auto t = find(c);
  if (!t) {
    co_return tl::unexpected(t.error());
  }
  const auto body = co_await read_object(c.x);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  const auto name = text_of(*body, "uuid");
  const auto upload = uploads_.find(name, s_->now());
  if (!upload || upload->asset() != t->id) {
    co_return fail(errc::upload_unknown, "no such upload of this asset");
  }
  std::map<std::int64_t, std::string> etags;
  const auto data = body->value("providerCommitData", json::object());
  const auto told = data.is_object() ? data.value("Parts", json::array()) : json::array();
  for (const auto& part : told) {
    const auto number = part.is_object() ? size_of(part, "PartNumber") : 0;
    if (number > 0) {
      etags[static_cast<std::int64_t>(number)] = plain_etag(text_of(part, "ETag"));
    }
  }
  const auto parts = upload->all(etags);
  if (!parts) {
    co_return tl::unexpected(parts.error());
  }
  std::function<result<std::shared_ptr<asset_store::hold>>()> work = [&] { return join(*parts); };
  const auto held =
    co_await run_on<result<std::shared_ptr<asset_store::hold>>>(pool_, std::move(work));
  if (!held) {
    co_return tl::unexpected(held.error());
  }
  auto a = upload->about();
  a.digest = (*held)->what().text;
  const auto done = co_await write(c, *t, a);
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  uploads_.end(name);
  const auto shown = s_->asset_links->shown(t->id, asset_json(a));
  co_return response::json(200, messages::as_text(shown));
}

release_assets::outcome release_assets::cancel_upload(call& c) {
  const auto t = find(c);
  if (!t) {
    co_return tl::unexpected(t.error());
  }
  const auto body = co_await read_object(c.x);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  const auto name = text_of(*body, "uuid");
  const auto upload = uploads_.find(name, s_->now());
  if (!upload || upload->asset() != t->id) {
    co_return fail(errc::upload_unknown, "no such upload of this asset");
  }
  uploads_.end(name);
  co_return empty_response(204);
}

void release_assets::sweep() {
  uploads_.sweep(s_->now());
  const auto in_use = [this] {
    const auto& a = get().release_asset;
    std::set<std::string> digests;
    s_->store.rows->view()->scan(a.resource, 0, [&](const messages::row& r) {
      if (auto stored = parse_stored_asset(field(r, a.asset))) {
        digests.insert(std::move(stored->digest));
      }
      return true;
    });
    return digests;
  };
  const auto gone = store_.sweep(in_use);
  if (!gone) {
    runtime::log::warn("release assets: sweep failed", {{"why", gone.error().detail}});
  } else if (*gone > 0) {
    runtime::log::info("release assets: removed", {{"blobs", std::to_string(*gone)}});
  }
}

}  // namespace slipway::gateways
