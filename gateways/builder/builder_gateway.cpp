#include "gateways/builder/builder_gateway.hpp"

#include "actors/build_rows.hpp"
#include "domain/access.hpp"
#include "domain/build_life.hpp"
#include "domain/numbers.hpp"
#include "gateways/builder/build_output.hpp"
#include "gateways/builder/known_commit.hpp"
#include "gateways/counted_slot.hpp"
#include "gateways/live_right.hpp"
#include "gateways/registry/completion.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace slipway::gateways::builder {

using domain::numbers::get;
using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

/// A stream with nothing to say for so long is looked at: is the client there, may it still?
constexpr std::int64_t look_every_ms = 1'000;
constexpr int stream_idle_seconds = 3'600;
constexpr std::size_t commit_digits = 40;
/// Of a release that no commit names.
constexpr std::size_t random_commit_digits = 32;
constexpr std::size_t ref_bytes_max = 512;

bool is_commit(std::string_view text) {
  return text.size() == commit_digits
         && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string asked(const exchange& x, std::string_view name) {
  const auto pairs = runtime::parse_query(x.head().query);
  return std::string(pairs ? runtime::query_value(*pairs, name).value_or("") : "");
}

std::string bearer_of(const exchange& x) {
  return authenticator::secret_of(x.header("authorization"), "");
}

/// Lines of a text, each an element; all are errors.
std::string faults(const std::string& detail) {
  std::string out;
  std::string_view rest = detail;
  while (!rest.empty()) {
    const auto length = std::min(rest.find('\n'), rest.size());
    out += (out.empty() ? "" : ",")
           + message_element("[Error]   " + std::string(rest.substr(0, length)), false, true);
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return out;
}

response not_started(const messages::error& e) {
  const json told{
    {"started", false},
    {"error", std::string(messages::name(e.code))},
    {"message", e.detail}};
  return response::json(200, messages::dump_json(told));
}

response started(std::int64_t release) {
  return response::json(200, messages::dump_json(json{{"started", true}, {"releaseId", release}}));
}

std::string first_element(std::int64_t release) {
  return messages::dump_json(
    json{{"type", "metadata"}, {"resource", "buildLogId"}, {"value", release}});
}

/// `{"release": 8, "status": "released"}`
json settled(std::int64_t release, const result<std::string>& status) {
  return json{{"release", release}, {"status", status ? *status : status.error().detail}};
}

}  // namespace

/// One request for a build, on its way.
struct builder_gateway::order {
  explicit order(exchange& of) : x(of) {}

  exchange& x;
  messages::requester by;
  build_fleet fleet;
  build_request request;
  std::string commit;
  std::string source;  ///< push or git
  std::string ref;
  std::string ticket;               ///< of a git push, "" = none
  std::function<bool()> still_may;  ///< asked while the build goes on
};

std::vector<route> builder_gateway::routes() {
  return {
    {"POST", "/v3/build", to(*this, &builder_gateway::build)},
    {"POST", "/v3/buildFromUrl", to(*this, &builder_gateway::build_from_url)},
    {"GET", "/build/v1/:release/log", to(*this, &builder_gateway::read_log, "release")},
    {"POST", "/build/v1/git", to(*this, &builder_gateway::git_build)},
    {"POST", "/build/v1/git/settle", to(*this, &builder_gateway::git_settle)},
  };
}

/// Asked while a build goes on, by one thread.
std::function<bool()> builder_gateway::right_to_build(const exchange& x, std::int64_t fleet) const {
  auto secret = authenticator::secret_of(x.header("authorization"), x.head().query);
  auto may = [s = s_, fleet](const messages::requester& who, const domain::row_source& rows) {
    const auto& def = *s->model->find(get().application.resource);
    const auto row = rows.get(def.number, fleet);
    return row
           && domain::access(*s->model, who, rows).may_do(domain::action::push_image, def, *row);
  };
  auto right = std::make_shared<live_right>(s_, std::move(secret), std::move(may));
  return [right] { return right->holds(); };
}

awaitable<void> builder_gateway::build(exchange& x) {
  const auto by = requester_of(*s_, x);
  auto request = parse_build_request(x.head().query);
  if (!by) {
    co_return co_await x.respond(error_response(by.error()));
  }
  if (!request) {
    co_return co_await x.respond(error_response(request.error()));
  }
  auto fleet = find_build_fleet(*s_, *by, request->slug);
  if (!fleet) {
    co_return co_await x.respond(error_response(fleet.error()));
  }
  order o(x);
  o.by = *by;
  o.fleet = std::move(*fleet);
  o.request = std::move(*request);
  o.commit = runtime::random_hex(random_commit_digits);
  o.source = "push";
  o.still_may = right_to_build(x, o.fleet.id);
  co_await take(std::move(o));
}

/// A server that fetches what clients name would be a way into its network.
awaitable<void> builder_gateway::build_from_url(exchange& x) {
  const messages::error why{
    errc::unsupported,
    "this server builds from what is pushed to it, not from addresses"};
  co_await x.respond(not_started(why));
}

awaitable<void> builder_gateway::git_build(exchange& x) {
  const auto ticket = bearer_of(x);
  const auto push = p_.tickets.find(ticket);
  auto commit = asked(x, "commit");
  auto ref = asked(x, "ref");
  if (!push) {
    co_return co_await x.respond(error_response(errc::unauthorized, "this push is over"));
  }
  if (!is_commit(commit) || ref.empty() || ref.size() > ref_bytes_max) {
    co_return co_await x.respond(
      error_response(errc::invalid_argument, "commit is 40 hexadecimal digits, ref a name"));
  }
  auto fleet = build_fleet_of(*s_, push->by, push->fleet);
  if (!fleet) {
    co_return co_await x.respond(error_response(fleet.error()));
  }
  if (const auto known = find_known_commit(*s_->store.rows->view(), fleet->id, commit)) {
    auto told = "[" + message_element(known->text, false, known->refused) + "]";
    co_return co_await x.respond(response::json(200, std::move(told)));
  }
  order o(x);
  o.by = push->by;
  o.fleet = std::move(*fleet);
  o.commit = std::move(commit);
  o.source = "git";
  o.ref = std::move(ref);
  o.ticket = ticket;
  o.still_may = push->still_may;
  co_await take(std::move(o));
}

awaitable<void> builder_gateway::git_settle(exchange& x) {
  const auto ticket = bearer_of(x);
  if (!p_.tickets.find(ticket)) {
    co_return co_await x.respond(error_response(errc::unauthorized, "this push is over"));
  }
  auto all = json::array();
  for (const auto release : p_.tickets.releases(ticket)) {
    std::function<void(std::function<void(result<std::string>)>)> ask =
      [this, release](std::function<void(result<std::string>)> done) {
        p_.builds.settle(release, std::move(done));
      };
    const auto status = co_await completion<result<std::string>>(std::move(ask));
    all.push_back(settled(release, status));
  }
  co_await x.respond(response::json(200, messages::dump_json(all)));
}

awaitable<void> builder_gateway::take(order o) {
  auto& x = o.x;
  auto body = co_await p_.intake.receive(x, o.by.actor);
  if (!body) {
    const auto code = body.error().code;
    auto refused = code == errc::timed_out || code == errc::invalid_argument
                     ? runtime::body_refused(body.error())
                     : error_response(body.error());
    co_return co_await x.respond(std::move(refused));
  }
  auto target = o.fleet.target;
  target.release = o.commit;
  target.dockerfile_path = o.request.dockerfile_path;
  target.filtered = o.ticket.empty();  // clients leave out what is ignored, git does not
  auto planned = co_await p_.intake.plan(std::move(*body), std::move(target));
  auto ticket = result<actors::build_ticket>();
  if (planned.source) {
    ticket = co_await submit(o, std::move(*planned.source));
  } else {
    ticket = tl::unexpected(planned.source.error());
  }
  if (ticket && !o.ticket.empty() && !p_.tickets.started(o.ticket, ticket->release)) {
    p_.builds.cancel(ticket->release, "the push is over");
  }
  if (o.request.headless) {
    auto told = ticket ? started(ticket->release) : not_started(ticket.error());
    co_return co_await x.respond(std::move(told));
  }
  if (!ticket) {
    auto answer = planned.is_project_fault
                    ? response::json(200, "[" + faults(ticket.error().detail) + "]")
                    : error_response(ticket.error());
    co_return co_await x.respond(std::move(answer));
  }
  co_await follow(o, std::move(*ticket));
}

awaitable<result<actors::build_ticket>> builder_gateway::submit(
  const order& o,
  taken_source source) {
  actors::build_order b;
  b.fleet = o.fleet.id;
  b.organization = o.fleet.organization;
  b.architecture = o.fleet.target.architecture;
  b.registries = std::exchange(source.plan.registries, {});
  b.source_file = std::move(source.file);
  b.source_bytes = source.bytes;
  b.no_cache = o.request.no_cache;
  b.command.by = o.by;
  b.command.commit = o.commit;
  b.command.source = o.source;
  b.command.ref = o.ref;
  b.command.draft = o.request.draft;
  b.command.plan = std::move(source.plan);
  using ticket = result<actors::build_ticket>;
  std::function<void(std::function<void(ticket)>)> ask =
    [this, b = std::move(b)](std::function<void(ticket)> done) {
      p_.builds.submit(b, std::move(done));
    };
  co_return co_await completion<ticket>(std::move(ask));
}

std::optional<std::string> builder_gateway::status_of(std::int64_t release) const {
  const auto view = s_->store.rows->view();
  const auto facts = actors::facts_of_release(*view, release);
  return facts ? std::optional(facts->status) : std::nullopt;
}

build_output
builder_gateway::output_of(const exchange& x, std::int64_t release, std::uint64_t offset) const {
  return {x.executor(), p_.logs, release, offset, [this, release] {
            auto status = status_of(release);
            return status && domain::is_over(*status) ? status : std::nullopt;
          }};
}

awaitable<void> builder_gateway::follow(const order& o, actors::build_ticket ticket) {
  auto& x = o.x;
  x.become_long_lived(stream_idle_seconds);
  auto output = output_of(x, ticket.release, 0);
  co_await x.begin(response::json(200, ""));
  const auto first = "[" + first_element(ticket.release);
  bool open = co_await x.write(first);
  const char* why = "the client went away";
  for (;;) {
    if (!open || x.client_gone()) {
      break;
    }
    if (!o.still_may()) {
      why = "the right to build for this fleet was taken away";
      break;
    }
    const auto part = output.next();
    if (!part) {
      break;
    }
    if (!part->bytes.empty()) {
      open = co_await x.write(elements_of(part->bytes));
    }
    const bool done =
      part->over
      || (!o.ticket.empty() && part->bytes.empty() && status_of(ticket.release) == domain::build_status::pushed);
    if (open && done) {
      co_await x.write("]");
      co_return co_await x.end();
    }
    if (part->bytes.empty()) {
      co_await output.wait(look_every_ms);
    }
    if (open && output.needs_sign_of_life()) {
      open = co_await x.write("\n");
    }
  }
  p_.builds.cancel(ticket.release, why);
  co_await x.end();
}

awaitable<void> builder_gateway::read_log(exchange& x, std::int64_t release) {
  const auto by = requester_of(*s_, x);
  if (!by) {
    co_return co_await x.respond(error_response(by.error()));
  }
  const auto may = [s = s_,
                    release](const messages::requester& who, const domain::row_source& rows) {
    const auto& def = *s->model->find(get().release.resource);
    const auto row = rows.get(def.number, release);
    return row && domain::access(*s->model, who, rows).may_see(def, *row);
  };
  const auto allowed = may(*by, *s_->store.rows->view());
  const auto from = asked(x, "offset");
  std::uint64_t offset = 0;
  const auto parsed = std::from_chars(from.data(), from.data() + from.size(), offset);
  if (!from.empty() && (parsed.ec != std::errc{} || parsed.ptr != from.data() + from.size())) {
    co_return co_await x.respond(
      error_response(errc::invalid_argument, "offset is a number of bytes"));
  }
  auto output = output_of(x, release, offset);
  auto part = allowed ? output.next() : fail(errc::not_found, "there is no log of this release");
  if (!part) {
    co_return co_await x.respond(error_response(part.error()));
  }
  const counted_slot slot(readers_, readers_max);
  if (!slot) {
    co_return co_await x.respond(
      error_response(errc::too_many_requests, "too many read logs at once"));
  }
  const auto follows = asked(x, "follow");
  const bool live = follows == "true" || follows == "1";
  live_right right(s_, authenticator::secret_of(x.header("authorization"), x.head().query), may);
  if (live) {
    x.become_long_lived(stream_idle_seconds);
  }
  response head;
  head.content_type = "application/x-ndjson";
  co_await x.begin(std::move(head));
  while (part && right.holds() && !x.client_gone()) {
    if (!part->bytes.empty()) {
      const bool open = co_await x.write(part->bytes);
      if (!open) {
        break;
      }
    } else if (!live || part->over) {
      break;
    } else {
      co_await output.wait(look_every_ms);
    }
    if (live && output.needs_sign_of_life()) {
      const bool open = co_await x.write("\n");
      if (!open) {
        break;
      }
    }
    part = output.next();
  }
  co_await x.end();
}

}  // namespace slipway::gateways::builder
