#include "runtime/server/registry_rights.hpp"

#include "domain/access.hpp"
#include "domain/build_life.hpp"
#include "domain/login_rules.hpp"
#include "domain/memberships.hpp"
#include "domain/numbers.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

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

/// What image rows are stored at, without the host, in order.
std::vector<std::string> all_repositories(const domain::row_source& rows) {
  std::vector<std::string> out;
  const auto& i = get().image;
  rows.scan(i.resource, 0, [&](const messages::row& image) {
    const auto location = as_text(field(image, i.is_stored_at__image_location));
    if (const auto slash = location.find('/'); slash != std::string::npos) {
      out.push_back(location.substr(slash + 1));
    }
    return true;
  });
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

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

gateways::identify registry_identify(std::shared_ptr<const gateways::services> s) {
  return [s](const gateways::credentials& c) -> result<gateways::identity> {
    if (c.how == gateways::credentials::form::none) {
      return gateways::identity{};
    }
    auto ticket = s->authenticator->admit(c.secret);
    if (!ticket) {
      return tl::unexpected(ticket.error());
    }
    auto& by = ticket->by;
    if (by.kind == requester_kind::guest) {
      return messages::fail(messages::errc::unauthorized, "an API key or token is needed");
    }
    gateways::identity out;
    out.subject = subject_of(*s, by);
    out.bearer = {by.key, ticket->session, ticket->session == 0 ? 0 : by.id};
    out.who = std::move(by);
    return out;
  };
}

gateways::authorize registry_authorize(std::shared_ptr<const gateways::services> s) {
  return
    [s](const messages::requester& by, const gateways::scope& wanted) -> result<gateways::granted> {
      gateways::granted out;
      out.name = wanted.name;
      if (wanted.catalog) {
        // By the user's name alone, later: so not for a key that reaches less than its user does.
        if (by.kind == requester_kind::user && by.scope == messages::key_scope{}) {
          out.actions = wanted.actions;
        }
        return out;
      }
      if (wanted.name.starts_with("mirror/")) {
        // What anybody gets from the registry it is mirrored from, for everybody who works here; devices get images of their releases.
        const bool reads = by.kind == requester_kind::user
                           && std::find(wanted.actions.begin(), wanted.actions.end(), "pull")
                                != wanted.actions.end();
        out.actions = reads ? std::vector<std::string>{"pull"} : std::vector<std::string>{};
        return out;
      }
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
          || (action == "push" && rights.may_do(domain::action::push_image, def, *image))
          || (action == "delete" && rights.may(domain::verb::remove, def, *image));
        if (allowed) {
          out.actions.push_back(action);
        }
      }
      return out;
    };
}

decltype(gateways::registry_options::may_list) registry_listing(
  std::shared_ptr<const gateways::services> s) {
  return [s](const gateways::registry_claims& claims) -> std::function<bool(const std::string&)> {
    const auto& u = get().user;
    const std::shared_ptr<const domain::row_source> view = s->store.rows->view();
    const std::array<value, 1> key{domain::name_key(claims.subject)};
    const auto id = view->first(u.resource, u.username_key, key);
    auto by = id ? domain::requester_of_user(*view, *id) : std::nullopt;
    const auto who =
      std::make_shared<const messages::requester>(by.value_or(messages::requester{}));
    return [s, view, who](const std::string& repository) {
      const auto image = image_of(*s, *view, repository);
      const auto& def = s->model->at("image");
      return image
             && domain::access(*s->model, *who, *view)
                  .may_do(domain::action::pull_image, def, *image);
    };
  };
}

std::function<storage::repository_user()> registry_users(
  std::shared_ptr<const gateways::services> s) {
  return [s]() -> storage::repository_user {
    const std::shared_ptr<const domain::row_source> view = s->store.rows->view();
    // Repositories of all image rows, whatever the host: read when one is not found under the present host.
    auto known = std::make_shared<std::optional<std::vector<std::string>>>();
    return [s, view, known](std::string_view repository) -> result<storage::repository_use> {
      storage::repository_use use;
      if (const auto image = image_of(*s, *view, std::string(repository)); image) {
        use.known = true;
        use.manifests.push_back(as_text(field(*image, get().image.content_hash)));
        return use;
      }
      if (!*known) {
        *known = all_repositories(*view);
      }
      const auto name = repository.substr(0, repository.find('-'));
      use.known = std::binary_search((*known)->begin(), (*known)->end(), name);
      use.keep_all = use.known;
      return use;
    };
  };
}

namespace {

/// A build's token names what it may reach; it is good for as long as a worker has the build.
bool is_building(const gateways::services& s, std::int64_t build) {
  const auto row = s.store.rows->view()->get(get().build.resource, build);
  return row && as_text(field(*row, get().build.status)) == domain::build_status::running;
}

}  // namespace

still_may registry_still_may(std::shared_ptr<const gateways::services> s) {
  return [s, ask = registry_authorize(s)](
           const gateways::registry_claims& claims,
           const std::string& repository,
           const char* action) {
    const auto& b = claims.bearer;
    if (b.build != 0) {
      return is_building(*s, b.build);
    }
    messages::requester by;
    if (b.key != 0 || b.session != 0) {
      auto ticket = b.key != 0 ? s->authenticator->admit_key(b.key)
                               : s->authenticator->admit_session(b.session, b.user);
      if (!ticket) {
        return false;
      }
      by = std::move(ticket->by);
    }
    const auto got = ask(by, gateways::scope{repository, "", {action}});
    return got && !got->actions.empty();
  };
}

}  // namespace slipway::runtime
