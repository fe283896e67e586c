#include "runtime/server/registry_rights.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"

#include <algorithm>
#include <utility>

namespace slipway::runtime {

using domain::numbers::get;
using messages::as_text;
using messages::field;
using messages::requester_kind;
using messages::result;
using messages::value;

namespace {

std::string subject_of(const gateways::services& s, const messages::requester& by) {
  const auto& n = get();
  const auto view = s.store.rows->view();
  if (by.kind == requester_kind::user) {
    const auto row = view->get(n.user.resource, by.id);
    return row ? as_text(field(*row, n.user.username)) : "";
  }
  if (by.kind == requester_kind::device) {
    const auto row = view->get(n.device.resource, by.id);
    return row ? "d_" + as_text(field(*row, n.device.uuid)) : "";
  }
  return "";
}

/// The image row behind a repository `v2/<hash>`, or behind a build's cache stage `v2/<hash>-<n>`.
std::optional<messages::row>
image_of(const gateways::services& s, const domain::row_source& rows, std::string repository) {
  const auto& i = get().image;
  if (const auto dash = repository.find('-'); dash != std::string::npos) {
    repository.resize(dash);
  }
  const std::array<value, 1> key{s.registry_host + "/" + repository};
  const auto id = rows.first(i.resource, i.is_stored_at__image_location, key);
  return id ? rows.get(i.resource, *id) : std::nullopt;
}

}  // namespace

gateways::identify registry_identify(std::shared_ptr<const gateways::services> s) {
  return [s](const gateways::credentials& c) -> result<gateways::identity> {
    if (c.how == gateways::credentials::form::none) {
      return gateways::identity{};
    }
    auto by = s->authenticator->identify(c.secret);
    if (!by) {
      return tl::unexpected(by.error());
    }
    if (by->kind == requester_kind::guest) {
      return messages::fail(messages::errc::unauthorized, "an API key or token is needed");
    }
    auto subject = subject_of(*s, *by);
    return gateways::identity{std::move(*by), std::move(subject)};
  };
}

gateways::authorize registry_authorize(std::shared_ptr<const gateways::services> s) {
  return
    [s](const messages::requester& by, const gateways::scope& wanted) -> result<gateways::granted> {
      gateways::granted out;
      out.name = wanted.name;
      const auto view = s->store.rows->view();
      const auto image = image_of(*s, *view, wanted.name);
      if (!image) {
        return out;
      }
      const auto& def = s->model->at("image");
      const domain::access rights(*s->model, by, *view);
      for (const auto& action : wanted.actions) {
        const bool allowed =
          (action == "pull" && rights.may_do(domain::action::pull_image, def, *image))
          || (action == "push" && rights.may_do(domain::action::push_image, def, *image));
        if (allowed) {
          out.actions.push_back(action);
        }
      }
      return out;
    };
}

}  // namespace slipway::runtime
