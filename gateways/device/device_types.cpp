#include "gateways/device/device_types.hpp"

#include "domain/numbers.hpp"
#include "gateways/device/device_type_json.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::field;
using messages::row;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

std::vector<std::string> aliases_of(const domain::row_source& rows, std::int64_t type) {
  const auto& a = get().device_type_alias;
  const std::array<value, 1> key{type};
  std::vector<std::string> found;
  for (const auto id : rows.all(a.resource, a.device_type, key)) {
    if (const auto r = rows.get(a.resource, id)) {
      found.push_back(as_text(field(*r, a.is_referenced_by__alias)));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

device_type_facts
facts_of(const domain::schema& model, const domain::row_source& rows, const row& type) {
  const auto& def = model.at("device_type");
  const auto architecture = rows.get(
    get().cpu_architecture,
    as_int(field(type, get().device_type.is_of__cpu_architecture)));
  device_type_facts facts;
  facts.slug = as_text(field(type, get().device_type.slug));
  facts.name = as_text(field(type, get().device_type.name));
  facts.logo = as_text(field(type, def.field("logo")));
  facts.contract = as_text(field(type, def.field("contract")));
  facts.aliases = aliases_of(rows, messages::id_of(type));
  if (architecture) {
    facts.architecture = as_text(field(*architecture, model.at("cpu_architecture").field("slug")));
  }
  return facts;
}

}  // namespace

std::shared_ptr<const device_types::catalog> device_types::compose(std::uint64_t version) const {
  auto made = std::make_shared<catalog>();
  made->version = version;
  const auto view = s_->store.rows->view();
  std::vector<device_type_facts> types;
  view->scan(get().device_type.resource, 0, [&](const row& r) {
    types.push_back(facts_of(*s_->model, *view, r));
    return true;
  });
  std::sort(types.begin(), types.end(), [](const auto& a, const auto& b) {
    return a.slug < b.slug;
  });
  const auto document_of = [](const json& j) {
    document d;
    d.body = messages::dump_json(j);
    d.etag = "\"" + runtime::sha256_hex(d.body).substr(0, 32) + "\"";
    return d;
  };
  auto all = json::array();
  for (const auto& t : types) {
    auto one = device_type_json(t);
    for (const auto& alias : t.aliases) {
      made->by_name.try_emplace(alias, document_of(one));
    }
    made->by_name.insert_or_assign(t.slug, document_of(one));
    made->asked.insert_or_assign(t.slug, question_names(one));
    all.push_back(std::move(one));
  }
  made->all = document_of(all);
  return made;
}

messages::result<std::shared_ptr<const device_types::catalog>> device_types::current() {
  // The version before the rows: a change in between makes the copy stale, never wrong.
  const auto version =
    s_->store.log->version({messages::entity_kind::catalog, messages::partition_count});
  if (!version) {
    return tl::unexpected(version.error());
  }
  {
    const std::lock_guard lock(mutex_);
    if (known_ && known_->version == *version) {
      return known_;
    }
  }
  auto fresh = compose(*version);
  const std::lock_guard lock(mutex_);
  known_ = fresh;
  return fresh;
}

std::vector<std::string> device_types::asked_by(const std::string& slug) {
  const auto known = current();
  if (!known) {
    return {};
  }
  const auto found = (*known)->asked.find(slug);
  return found == (*known)->asked.end() ? std::vector<std::string>{} : found->second;
}

awaitable<void> device_types::send(exchange& x, const document& d) {
  const bool known = x.header("if-none-match").find(d.etag) != std::string_view::npos;
  auto answer = known ? empty_response(304) : response::json(200, d.body);
  answer.headers.emplace_back("ETag", d.etag);
  answer.headers.emplace_back("Cache-Control", "no-cache");
  co_await x.respond(std::move(answer));
}

awaitable<void> device_types::list(exchange& x) {
  const auto known = current();
  if (!known) {
    co_return co_await x.respond(error_response(known.error()));
  }
  co_await send(x, (*known)->all);
}

awaitable<void> device_types::one(exchange& x, std::string slug) {
  const auto known = current();
  if (!known) {
    co_return co_await x.respond(error_response(known.error()));
  }
  const auto found = (*known)->by_name.find(slug);
  if (found == (*known)->by_name.end()) {
    co_return co_await x.respond(error_response(errc::not_found, "no such device type"));
  }
  co_await send(x, found->second);
}

awaitable<void> device_types::download_size(exchange& x, std::string slug) {
  const auto known = current();
  if (!known) {
    co_return co_await x.respond(error_response(known.error()));
  }
  const std::string why = (*known)->by_name.contains(slug)
                            ? "this server stores no operating system images"
                            : "no such device type";
  co_await x.respond(error_response(errc::not_found, why));
}

}  // namespace slipway::gateways::device
