#include "agent/local_api.hpp"

#include "agent/actor_support.hpp"
#include "agent/provisioning.hpp"
#include "agent/user_actions.hpp"
#include "messages/json.hpp"
#include "runtime/log.hpp"

#include <caf/send.hpp>

#include <utility>

namespace slipway::agent {

using domain::api_action_kind;
using domain::api_answer;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

result<std::string> body_of(const platform_api::result& reply) {
  if (!reply) {
    return fail(errc::unavailable, reply.error().detail);
  }
  if (!reply->ok()) {
    return fail(errc::unavailable, "the platform answered " + std::to_string(reply->status));
  }
  return reply->body;
}

}  // namespace

void local_api_state::called(const api_called& m) {
  if (calls.size() >= api_calls_max) {
    m.reply({503, "text/plain; charset=utf-8", "Too many requests at once"});
    return;
  }
  const auto ticket = ++last_ticket;
  calls.emplace(ticket, call{m, links.now() + m.timeout, {}});
  self->send(links.applier, view_wanted{ticket});
}

void local_api_state::viewed(const view_taken& m) {
  const auto it = calls.find(m.ticket);
  if (it == calls.end()) {
    return;
  }
  auto view = *m.view;
  const auto facts = links.host->facts();
  view.os_version = facts.os_version;
  view.mac_address = facts.mac_address;
  view.ip_address = facts.ip_address;
  view.hostname = links.control->hostname();
  view.supervisor_version = reported_supervisor_version;
  view.overlay_connected = connected;
  auto routed = domain::route(*it->second.request.request, view);
  if (auto* answer = std::get_if<api_answer>(&routed)) {
    end(m.ticket, std::move(*answer));
    return;
  }
  it->second.action = std::get<domain::api_action>(std::move(routed));
  act(m.ticket);
}

void local_api_state::act(std::uint64_t ticket) {
  const auto& action = calls.at(ticket).action;
  switch (action.kind) {
    case api_action_kind::update:
      if (action.force) {
        self->send(links.applier, force_update{});
      }
      self->send(links.poller, poll_now{});
      return end(ticket, std::string());
    case api_action_kind::blink:
      start_blinking();
      return end(ticket, std::string());
    case api_action_kind::regenerate_key:
      return end(ticket, new_key());
    case api_action_kind::read_tags:
      return end(ticket, read_tags());
    case api_action_kind::change_tags:
      return end(ticket, change_tags(action.text));
    case api_action_kind::read_journal:
      return end(ticket, read_journal(action.text));
    case api_action_kind::restart:
    case api_action_kind::restart_service:
    case api_action_kind::start_service:
    case api_action_kind::stop_service:
    case api_action_kind::purge:
    case api_action_kind::reboot:
    case api_action_kind::shutdown:
      return act_on_containers(ticket);
  }
}

void local_api_state::act_on_containers(std::uint64_t ticket) {
  const auto& c = calls.at(ticket);
  auto asked = std::make_shared<asked_action>();
  asked->action = c.action;
  asked->deadline = c.deadline;
  asked->tell = [me = caf::actor(self), ticket](const result<std::string>& outcome) {
    caf::anon_send(me, action_over{ticket, outcome});
  };
  self->send(links.applier, action_asked{std::move(asked)});
}

void local_api_state::over(const action_over& m) {
  const auto it = calls.find(m.ticket);
  if (it == calls.end()) {
    return;
  }
  const auto kind = it->second.action.kind;
  const bool down = kind == api_action_kind::reboot || kind == api_action_kind::shutdown;
  if (down && m.outcome) {
    go_down(m.ticket);
    return;
  }
  end(m.ticket, m.outcome);
}

/// The applier holds all locks and holds still.
void local_api_state::go_down(std::uint64_t ticket) {
  const bool reboot = calls.at(ticket).action.kind == api_action_kind::reboot;
  runtime::log::warn(reboot ? "rebooting, as asked" : "shutting down, as asked");
  const auto done = reboot ? links.control->reboot() : links.control->shutdown();
  if (!done) {
    self->send(links.applier, work_again{});
    end(ticket, result<std::string>(tl::unexpected(done.error())));
    return;
  }
  self->delayed_send(links.applier, halt_max, work_again{});
  end(ticket, std::string());
}

result<std::string> local_api_state::new_key() {
  auto secret = links.new_secret();
  if (auto saved = links.store->save_api_secret(secret); !saved) {
    return tl::unexpected(saved.error());
  }
  self->send(links.reporter, secret_changed{secret});
  return secret;
}

result<std::string> local_api_state::read_tags() {
  const auto body = body_of(links.api->get_tags(settings.uuid, settings.device_key));
  const auto j = body ? messages::parse_json(*body) : tl::unexpected(body.error());
  if (!j || !j->is_object() || !j->contains("d") || !(*j)["d"].is_array()) {
    return fail(errc::unavailable, body ? "the platform's answer is none" : body.error().detail);
  }
  auto tags = nlohmann::json::array();
  for (const auto& row : (*j)["d"]) {
    if (row.is_object()) {
      tags.push_back(
        {{"id", row.value("id", nlohmann::json())},
         {"name", row.value("tag_key", nlohmann::json())},
         {"value", row.value("value", nlohmann::json())}});
    }
  }
  return messages::dump_json(tags);
}

result<std::string> local_api_state::change_tags(const std::string& tags) {
  return body_of(links.api->patch_tags(settings.uuid, tags, settings.device_key));
}

result<std::string> local_api_state::read_journal(const std::string& arguments) {
  return links.control->journal(lines_of(arguments), messages::call_answer_body_bytes_max);
}

void local_api_state::start_blinking() {
  runtime::log::info("identify: blinking");
  if (!blinking) {
    blinking = true;
    self->send(self, blink_tick{blink_steps});
  }
}

void local_api_state::blink(const blink_tick& m) {
  blinking = m.left > 0 && links.control->light(m.left % 2 == 0);
  if (blinking) {
    self->delayed_send(self, blink_step, blink_tick{m.left - 1});
  } else {
    (void)links.control->light(false);
  }
}

void local_api_state::changed(const link_changed& m) {
  connected = m.connected;
}

void local_api_state::end(std::uint64_t ticket, const result<std::string>& outcome) {
  const auto& action = calls.at(ticket).action;
  end(
    ticket,
    outcome ? domain::done_answer(action, *outcome)
            : domain::failed_answer(action, outcome.error()));
}

void local_api_state::end(std::uint64_t ticket, api_answer answer) {
  const auto it = calls.find(ticket);
  it->second.request.reply(answer);
  calls.erase(it);
}

caf::behavior local_api(
  caf::stateful_actor<local_api_state>* self,
  local_api_settings settings,
  local_api_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.settings = std::move(settings);
  s.links = std::move(links);
  return {
    [self](const api_called& m) { self->state.called(m); },
    [self](const view_taken& m) { self->state.viewed(m); },
    [self](const action_over& m) { self->state.over(m); },
    [self](const link_changed& m) { self->state.changed(m); },
    [self](const blink_tick& m) { self->state.blink(m); },
  };
}

}  // namespace slipway::agent
