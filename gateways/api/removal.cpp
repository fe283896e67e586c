#include "gateways/api/removal.hpp"

#include "domain/access.hpp"
#include "domain/removal.hpp"

#include <utility>

namespace slipway::gateways::api {

using messages::errc;
using messages::fail;
using messages::result;
using runtime::awaitable;

namespace {

/// Without what goes with it.
awaitable<result<void>> remove_alone(
  const services& s,
  boost::asio::any_io_executor executor,
  messages::requester by,
  std::uint16_t resource,
  std::int64_t id) {
  std::optional<messages::entity_ref> entity;
  {
    const auto view = s.store.rows->view();
    const auto row = view->get(resource, id);
    if (!row) {
      co_return result<void>{};
    }
    entity = domain::entity_of(*s.model, *s.model->find(resource), *row, *view);
  }
  if (!entity) {
    co_return fail(errc::unauthorized, "not permitted");
  }
  messages::remove_row cmd;
  cmd.by = std::move(by);
  cmd.resource = resource;
  cmd.id = id;
  const auto done = co_await s.ask->ask(std::move(executor), *entity, std::move(cmd));
  if (!done && done.error().code != errc::not_found) {
    co_return tl::unexpected(done.error());
  }
  co_return result<void>{};
}

awaitable<result<void>> remove_all(
  const services& s,
  boost::asio::any_io_executor executor,
  messages::requester by,
  domain::row_refs all) {
  for (const auto& [resource, id] : all) {
    auto done = co_await remove_alone(s, executor, by, resource, id);
    if (!done) {
      co_return done;
    }
  }
  co_return result<void>{};
}

/// May it go, and what goes with it?
result<domain::removal>
look(const services& s, const messages::requester& by, std::uint16_t resource, std::int64_t id) {
  const auto view = s.store.rows->view();
  const auto row = view->get(resource, id);
  if (!row) {
    return domain::removal{};
  }
  const domain::access rights(*s.model, by, *view);
  const auto ok = rights.may(domain::verb::remove, *s.model->find(resource), *row);
  return ok ? domain::removal_of(*view, resource, id) : tl::unexpected(ok.error());
}

}  // namespace

awaitable<result<void>> remove_row(
  const services& s,
  boost::asio::any_io_executor executor,
  messages::requester by,
  std::uint16_t resource,
  std::int64_t id) {
  auto with_it = look(s, by, resource, id);
  if (!with_it) {
    co_return tl::unexpected(with_it.error());
  }
  // Who may remove a fleet need not be one who may take a team's access to it away otherwise.
  messages::requester platform;
  platform.kind = messages::requester_kind::platform;
  platform.actor = by.actor;
  auto done = co_await remove_all(s, executor, platform, std::move(with_it->first));
  if (!done) {
    co_return done;
  }
  done = co_await remove_alone(s, executor, std::move(by), resource, id);
  if (!done) {
    co_return done;
  }
  done = co_await remove_all(s, executor, std::move(platform), std::move(with_it->after));
  co_return done;
}

}  // namespace slipway::gateways::api
