#include "domain/access.hpp"
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

awaitable<void> resources::metadata(exchange& x) {
  // The model does not change while the process runs, and guests may ask as often as they like.
  static const auto xml = odata::metadata_xml(*s_->model);
  response r;
  r.content_type = "application/xml";
  r.body = xml;
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
  std::vector<std::pair<messages::entity_ref, messages::change_row>> commands;
  {
    const auto view = s_->store.rows->view();
    for (const auto id : changed) {
      for (const auto& [resource, other] :
           domain::changed_after(*view, change.resource, id, change.values)) {
        const auto& def = *s_->model->find(resource);
        const auto row = view->get(resource, other);
        const auto entity = row ? domain::entity_of(*s_->model, def, *row, *view) : std::nullopt;
        if (entity) {
          messages::change_row cmd;
          cmd.by.kind = messages::requester_kind::platform;
          cmd.resource = resource;
          cmd.id = other;
          commands.emplace_back(*entity, std::move(cmd));
        }
      }
    }
  }
  for (std::size_t from = 0; from < commands.size(); from += writes_in_flight_max) {
    std::vector<asker::pending> sent;
    for (auto i = from; i < std::min(commands.size(), from + writes_in_flight_max); ++i) {
      sent.push_back(s_->ask->send(c.x.executor(), commands[i].first, commands[i].second));
    }
    for (auto& p : sent) {
      // Who does not follow now does when it is changed next, or when the device reports.
      const auto done = co_await p.answer();
      static_cast<void>(done);
    }
  }
}

}  // namespace slipway::gateways::api
