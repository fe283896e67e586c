#include "agent/log_collector.hpp"

#include "agent/actor_support.hpp"
#include "messages/json.hpp"
#include "runtime/log.hpp"

#include <vector>

namespace slipway::agent {
namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t ns_per_second = 1'000'000'000;
/// The platform takes records up to 64 KiB.
constexpr std::size_t record_bytes_max = 60 * 1024;
constexpr std::size_t odd_message_bytes_max = 8 * 1024;
constexpr std::size_t records_bytes_max = 128 * 1024;

std::string record_text(
  std::int64_t time_ms,
  std::string_view message,
  std::int64_t service,
  bool error,
  bool system) {
  nlohmann::json j{{"message", message}, {"timestamp", time_ms}};
  if (system) {
    j["isSystem"] = true;
  }
  if (error) {
    j["isStdErr"] = true;
  }
  if (service != 0) {
    j["serviceId"] = service;
  }
  return messages::dump_json(j) + "\n";
}

}  // namespace

void log_collector_state::add_record(
  std::int64_t time_ms,
  std::string_view message,
  std::int64_t service,
  bool error,
  bool system) {
  auto text = record_text(time_ms, message, service, error, system);
  if (text.size() > record_bytes_max) {
    // Bytes that are no text take several times their size.
    text = record_text(time_ms, message.substr(0, odd_message_bytes_max), service, error, system);
  }
  records += text;
}

void log_collector_state::say(const log_say& m) {
  if (!on) {
    return;
  }
  add_record(links.wall_ms(), m.text, m.service, m.error, true);
  store();
}

void log_collector_state::control(const log_control& m) {
  if (on == m.on) {
    return;
  }
  on = m.on;
  if (on) {
    look_due = milliseconds(0);
    not_before_ns = links.wall_ms() * ns_per_ms;
    return;
  }
  close_all();
  records.clear();
  if (const auto done = queue->clear(); !done) {
    runtime::log::warn("log queue", {{"why", done.error().detail}});
  }
}

void log_collector_state::close_all() {
  for (const auto& [id, f] : containers) {
    output->close(id);
  }
  containers.clear();
}

void log_collector_state::tick() {
  if (!on) {
    self->delayed_send(self, log_run_wait, log_tick{});
    return;
  }
  if (links.now() >= look_due) {
    look();
  }
  std::size_t bytes = 0;
  const auto ended = output->run(log_run_wait, log_round_bytes_max, [&](const log_bytes& b) {
    bytes += b.bytes.size();
    take(b);
  });
  for (const auto& id : ended) {
    end(id);
  }
  store();
  self->delayed_send(
    self,
    bytes >= log_round_bytes_max ? log_round_rest : log_round_pause,
    log_tick{});
}

void log_collector_state::look() {
  const auto found = output->sources();
  if (!found) {
    // The engine is down, and everybody who needs it says so: this is not the place.
    look_due = links.now() + backoff(log_look_every, log_look_backoff_max, failures++);
    return;
  }
  failures = 0;
  look_due = links.now() + log_look_every;
  std::set<std::string> here;
  for (const auto& s : *found) {
    here.insert(s.container);
    const auto it = containers.find(s.container);
    if (it == containers.end() || (!it->second.open && it->second.source.started != s.started)) {
      follow(s);
    }
  }
  for (auto it = containers.begin(); it != containers.end();) {
    const bool gone = !here.contains(it->first) && !it->second.open;
    if (gone) {
      positions.erase(it->first);
    }
    it = gone ? containers.erase(it) : std::next(it);
  }
  // Of containers that went while nobody looked.
  std::erase_if(positions, [&](const auto& p) {
    return !here.contains(p.first) && !containers.contains(p.first);
  });
}

void log_collector_state::follow(const log_source& s) {
  if (s.started.empty() || s.started.starts_with("0001-")) {
    return;  // created, never started: it has nothing to say
  }
  const auto known = positions.find(s.container);
  auto from = known == positions.end() ? log_position{} : known->second;
  if (from.time_ns < not_before_ns) {
    from = {not_before_ns, 0};
  }
  const auto opened =
    output->open(s, from.time_ns / ns_per_second, from.time_ns == 0 ? log_first_lines_max : -1);
  if (!opened) {
    return;  // the next look tries again
  }
  containers.insert_or_assign(s.container, followed{s, log_lines(from), true});
}

void log_collector_state::end(const std::string& container) {
  const auto it = containers.find(container);
  if (it == containers.end()) {
    return;
  }
  auto& f = it->second;
  f.open = false;
  f.lines.finish(links.wall_ms() * ns_per_ms, [&](const log_lines::line& l) { add(f.source, l); });
}

void log_collector_state::take(const log_bytes& b) {
  const auto it = containers.find(std::string(b.container));
  if (it == containers.end()) {
    return;
  }
  auto& f = it->second;
  f.lines.feed(b, links.wall_ms() * ns_per_ms, [&](const log_lines::line& l) { add(f.source, l); });
  positions[it->first] = f.lines.position();
  if (records.size() >= records_bytes_max) {
    store();
  }
}

void log_collector_state::add(const log_source& s, const log_lines::line& line) {
  positions[s.container] = containers.at(s.container).lines.position();
  add_record(line.time_ns / ns_per_ms, line.message, s.service, line.error, false);
}

void log_collector_state::store() {
  if (records.empty()) {
    return;
  }
  const auto done = queue->append(records, positions);
  records.clear();
  if (done) {
    self->send(links.uploader, log_ready{});
    return;
  }
  // Nothing was taken: the engine still has it. Go on from what is stored, when there is room again.
  runtime::log::warn("log queue", {{"why", done.error().detail}});
  close_all();
  positions = queue->positions();
  look_due = links.now() + backoff(log_look_every, log_look_backoff_max, failures++);
}

caf::behavior log_collector(
  caf::stateful_actor<log_collector_state>* self,
  log_output_port* output,
  log_queue_port* queue,
  log_collector_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.output = output;
  s.queue = queue;
  s.links = std::move(links);
  s.positions = queue->positions();
  self->send(self, log_tick{});
  return {
    [self](const log_tick&) { self->state.tick(); },
    [self](const log_say& m) { self->state.say(m); },
    [self](const log_control& m) { self->state.control(m); },
  };
}

}  // namespace slipway::agent
