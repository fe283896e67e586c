#include "domain/access.hpp"
#include "domain/resource_model.hpp"
#include "domain/rules.hpp"
#include "gateways/api/can_access.hpp"
#include "gateways/api/odata/metadata.hpp"
#include "gateways/api/resource_call.hpp"
#include "gateways/api/resources.hpp"

#include <algorithm>
#include <utility>

/// What the OData service does besides reading and writing rows.
namespace slipway::gateways::api {

using messages::errc;
using messages::result;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

awaitable<void> resources::metadata(exchange& x, std::string_view version) {
  // The model does not change while the process runs, and guests may ask as often as they like.
  static const auto seven = odata::metadata_xml(*s_->model);
  static const auto six = odata::metadata_xml(*domain::resource_model_v6());
  response r;
  r.content_type = "application/xml";
  r.body = version == "v6" ? six : seven;
  co_await x.respond(std::move(r));
}

awaitable<void> resources::ask_access(call& c) {
  const auto body = co_await c.x.read_body(json_body_bytes_max);
  if (!body) {
    co_return co_await c.x.respond(error_response(body.error()));
  }
  if (c.line.action != "canAccess" || c.line.key.empty()) {
    co_return co_await c.x.respond(
      error_response(errc::invalid_argument, "the only action is canAccess, of a row with a key"));
  }
  c.line.action.clear();
  const auto ids = co_await select(c);
  if (!ids) {
    co_return co_await c.x.respond(error_response(ids.error()));
  }
  std::string answer;
  result<bool> may = false;
  if (ids->size() == 1) {
    const auto view = s_->store.rows->view();
    const auto row = view->get(c.resource().number, ids->front());
    const domain::access rights(*s_->model, c.by, *view);
    may = row ? can_access(*body, rights, c.resource(), *row) : result<bool>(false);
    answer = "{\"d\":[{\"id\":" + std::to_string(ids->front()) + "}]}";
  }
  if (!may) {
    co_return co_await c.x.respond(error_response(may.error()));
  }
  if (!*may) {
    co_return co_await c.x.respond(error_response(errc::unauthorized, "not permitted"));
  }
  co_await c.x.respond(response::json(200, std::move(answer)));
}

awaitable<void>
resources::follow(call& c, std::vector<std::int64_t> changed, const messages::change_row& change) {
  std::vector<target> rows;
  {
    const auto view = s_->store.rows->view();
    for (const auto id : changed) {
      for (const auto& [resource, other] :
           domain::changed_after(*view, change.resource, id, change.values)) {
        add_target(rows, *view, resource, other);
      }
    }
  }
  messages::change_row nothing;
  nothing.by.kind = messages::requester_kind::platform;
  // Who does not follow now does when it is changed next, or when the device reports.
  const auto done = co_await change_rows(c, std::move(rows), std::move(nothing), true);
  static_cast<void>(done);
}

void resources::add_target(
  std::vector<target>& to,
  const domain::row_source& rows,
  std::uint16_t resource,
  std::int64_t id) const {
  const auto row = rows.get(resource, id);
  const auto entity =
    row ? domain::entity_of(*s_->model, *s_->model->find(resource), *row, rows) : std::nullopt;
  if (entity) {
    to.push_back({*entity, resource, id});
  }
}

awaitable<result<void>> resources::change_rows(
  call& c,
  std::vector<target> rows,
  messages::change_row change,
  bool whatever) {
  for (std::size_t from = 0; from < rows.size(); from += writes_in_flight_max) {
    std::vector<asker::pending> sent;
    for (auto i = from; i < std::min(rows.size(), from + writes_in_flight_max); ++i) {
      change.resource = rows[i].resource;
      change.id = rows[i].id;
      sent.push_back(s_->ask->send(c.x.executor(), rows[i].entity, change));
    }
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const auto done = co_await sent[i].answer();
      // What is not found may also be what the row is to refer to.
      const auto& row = rows[from + i];
      const bool gone = !done && done.error().code == errc::not_found
                        && !s_->store.rows->view()->get(row.resource, row.id);
      if (!done && !gone && !whatever) {
        co_return tl::unexpected(done.error());
      }
    }
  }
  co_return result<void>{};
}

}  // namespace slipway::gateways::api
