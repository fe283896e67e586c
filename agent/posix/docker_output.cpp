#include "agent/posix/docker_output.hpp"

#include "domain/desired_state.hpp"

#include <nlohmann/json.hpp>

#include <charconv>

namespace slipway::agent {
namespace {

using messages::errc;
using json = nlohmann::json;

std::string label(const runtime::label_map& labels, const char* name) {
  const auto it = labels.find(name);
  return it == labels.end() ? std::string() : it->second;
}

std::int64_t number(const std::string& text) {
  std::int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n > 0 ? n : 0;
}

}  // namespace

messages::result<std::vector<log_source>> docker_output::sources() {
  const auto list = engine_.containers({std::string(domain::label_device) + "=" + uuid_});
  if (!list) {
    return tl::unexpected(list.error());
  }
  std::map<std::string, log_source> now;
  std::vector<log_source> out;
  for (const auto& c : *list) {
    if (label(c.labels, domain::label_device) != uuid_) {
      continue;
    }
    log_source s;
    s.container = c.id;
    s.service = number(label(c.labels, domain::label_service_id));
    const auto before = known_.find(c.id);
    if (before != known_.end() && streams_.is_open(c.id)) {
      s = before->second;  // nothing new is to be learnt of it
    } else {
      const auto whole = engine_.inspect_container(c.id);
      if (!whole && whole.error().code == errc::not_found) {
        continue;
      }
      if (!whole) {
        return tl::unexpected(whole.error());
      }
      s.terminal = whole->value("/Config/Tty"_json_pointer, false);
      s.started = whole->value("/State/StartedAt"_json_pointer, std::string());
    }
    now.emplace(c.id, s);
    out.push_back(std::move(s));
  }
  known_ = std::move(now);
  return out;
}

messages::result<void> docker_output::open(const log_source& s, std::int64_t since, int tail) {
  return streams_.open({s.container, s.terminal, since, tail});
}

std::vector<std::string> docker_output::run(
  std::chrono::milliseconds wait,
  std::size_t bytes_max,
  const std::function<void(const log_bytes&)>& take) {
  return streams_.run(wait, bytes_max, [&take](const runtime::container_output& o) {
    take({o.container, o.error, o.begins, o.bytes});
  });
}

}  // namespace slipway::agent
