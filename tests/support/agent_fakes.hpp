#pragma once

#include "agent/ports.hpp"
#include "messages/json.hpp"
#include "tests/support/engine_model.hpp"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace slipway::tests {

/// Files in memory that can be made to fail.
class memory_files : public agent::file_store {
public:
  std::map<std::string, std::string> content;
  std::vector<std::string> writes;  ///< names in order
  bool full = false;

  messages::result<std::string> read(const std::string& name) override {
    const auto it = content.find(name);
    return it == content.end()
             ? messages::result<std::string>(messages::fail(messages::errc::not_found, name))
             : it->second;
  }
  messages::result<void> write(const std::string& name, std::string_view bytes) override {
    if (full) {
      return messages::fail(messages::errc::disk_full, name);
    }
    writes.push_back(name);
    content[name] = bytes;
    return {};
  }
};

/// A platform by a function; keeps what was asked.
class fake_http : public agent::http_port {
public:
  using handler =
    std::function<messages::result<runtime::http_reply>(const runtime::http_request&)>;
  handler answer;
  std::vector<runtime::http_request> asked;

  messages::result<runtime::http_reply> send(const runtime::http_request& r) override {
    asked.push_back(r);
    return answer(r);
  }
  void cancel() override {}

  [[nodiscard]] static runtime::http_reply
  reply(int status, std::string body = "", std::string etag = "") {
    runtime::http_reply r;
    r.status = status;
    r.body = std::move(body);
    if (!etag.empty()) {
      r.headers.emplace_back("etag", std::move(etag));
    }
    return r;
  }
  [[nodiscard]] static messages::result<runtime::http_reply> down() {
    return messages::fail(messages::errc::unavailable, "connection refused");
  }
};

inline std::string header_of(const runtime::http_request& r, const std::string& name) {
  for (const auto& [n, value] : r.headers) {
    if (n == name) {
      return value;
    }
  }
  return {};
}

class fake_host : public agent::host_port {
public:
  agent::host_facts facts_now{"Debian 12", "prod", "amd64", "AA:BB", "10.0.0.2", ""};
  agent::host_metrics metrics_now;
  agent::host_facts facts() override { return facts_now; }
  agent::host_metrics metrics() override { return metrics_now; }
};

/// Update locks in memory.
class fake_locks : public agent::update_locks {
public:
  std::set<std::string> held_by_services;  ///< names of services that must not be stopped
  std::set<std::int64_t> taken;            ///< apps
  int times_taken = 0;

  messages::result<void>
  take(std::int64_t app_id, const std::set<std::string>& services, bool force) override {
    for (const auto& s : services) {
      if (held_by_services.contains(s) && !force) {
        return messages::fail(messages::errc::locked, "Updates are locked by service " + s);
      }
    }
    if (force) {
      held_by_services.clear();
    }
    taken.insert(app_id);
    ++times_taken;
    return {};
  }
  void release(std::int64_t app_id) override { taken.erase(app_id); }
};

/// A host that writes down what it was asked.
class fake_control : public agent::host_control {
public:
  std::vector<std::string> done;
  bool refuses = false;
  bool has_light = true;

  messages::result<void> reboot() override { return act("reboot"); }
  messages::result<void> shutdown() override { return act("shutdown"); }
  bool light(bool on) override {
    done.emplace_back(on ? "on" : "off");
    return has_light;
  }
  messages::result<std::string> journal(const std::vector<std::string>& arguments, std::size_t)
    override {
    for (const auto& a : arguments) {
      done.push_back(a);
    }
    return std::string("line");
  }
  std::string hostname() override { return "fox"; }

private:
  messages::result<void> act(const char* what) {
    if (refuses) {
      return messages::fail(messages::errc::unsupported, "not configured");
    }
    done.emplace_back(what);
    return {};
  }
};

/// The model engine behind the agent's interface.
class fake_engine : public agent::container_host {
public:
  engine_model model;
  bool down = false;
  std::string refuse;                     ///< kind of step that fails
  std::map<std::string, int> pull_fails;  ///< image key -> how often
  std::vector<std::string> pulls;
  std::vector<std::pair<std::string, std::string>> released;  ///< key, what was pulled
  int snapshots = 0;
  bool throws = false;

  messages::result<domain::current_state> snapshot() override {
    ++snapshots;
    if (throws) {
      throws = false;
      throw std::runtime_error("boom");
    }
    if (down) {
      return messages::fail(messages::errc::unavailable, "no engine");
    }
    return model.state;
  }
  messages::result<void> perform(const domain::step& step, const domain::desired_state& desired)
    override {
    if (down || domain::name(step.kind) == refuse || !model.apply(step, desired)) {
      return messages::fail(messages::errc::io_failed, "engine refuses");
    }
    return {};
  }
  messages::result<void> fetch(
    const std::string& image,
    const std::string& key,
    const agent::fetch_progress& progress) override {
    pulls.push_back(image);
    if (down || pull_fails[key]-- > 0) {
      return messages::fail(messages::errc::unavailable, "pull failed");
    }
    progress(50);
    model.log.push_back("pulled " + key.substr(0, 1));
    model.state.images.insert(key);
    return {};
  }
  messages::result<void> release_image(const std::string& key, const std::string& pulled) override {
    released.emplace_back(key, pulled);
    model.state.images.erase(key);
    return {};
  }
  void cancel() override {}
};

}  // namespace slipway::tests
