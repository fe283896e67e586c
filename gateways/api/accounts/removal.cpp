#include "gateways/api/accounts/removal.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/user_removal.hpp"
#include "gateways/api/accounts/desk.hpp"

#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::result;
using runtime::awaitable;

namespace {

awaitable<result<void>>
remove_one(const services& s, boost::asio::any_io_executor executor, messages::remove_row cmd) {
  std::optional<entity_ref> entity;
  {
    const auto view = s.store.rows->view();
    const auto row = view->get(cmd.resource, cmd.id);
    if (row) {
      entity = domain::entity_of(*s.model, *s.model->find(cmd.resource), *row, *view);
    }
  }
  if (!entity) {
    co_return result<void>{};  // gone already
  }
  const auto done = co_await s.ask->ask(std::move(executor), *entity, std::move(cmd));
  if (!done && done.error().code != errc::not_found) {
    co_return tl::unexpected(done.error());
  }
  co_return result<void>{};
}

}  // namespace

awaitable<result<void>>
remove_user(const services& s, boost::asio::any_io_executor executor, messages::row user) {
  const auto id = messages::id_of(user);
  auto all = domain::removed_before_user(*s.store.rows->view(), id);
  if (!all) {
    co_return tl::unexpected(all.error());
  }
  all->emplace_back(get().user.resource, id);
  messages::remove_row cmd;
  cmd.by = platform_for(messages::as_int(messages::field(user, get().user.actor)));
  for (const auto& [resource, row_id] : *all) {
    cmd.resource = resource;
    cmd.id = row_id;
    auto done = co_await remove_one(s, executor, cmd);
    if (!done) {
      co_return done;
    }
  }
  co_return result<void>{};
}

}  // namespace slipway::gateways::api
