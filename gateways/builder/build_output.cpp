#include "gateways/builder/build_output.hpp"

#include "domain/build_life.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways::builder {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

constexpr std::size_t part_bytes_max = 256U << 10U;
/// A log gets its last line right after its build ended, or never.
constexpr std::int64_t last_line_ms_max = 5'000;
/// Proxies wait for a minute.
constexpr std::int64_t silence_ms_max = 20'000;

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool flag_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_boolean() && it->get<bool>();
}

}  // namespace

build_output::build_output(
  asio::any_io_executor executor,
  storage::build_logs& logs,
  std::int64_t release,
  std::uint64_t offset,
  ending ended)
  : logs_(logs),
    release_(release),
    offset_(offset),
    waiter_(std::move(executor)),
    following_(logs.follow(release, waiter_.caller())),
    ended_(std::move(ended)),
    spoke_at_(runtime::steady_ms()) {}

build_output::~build_output() = default;

messages::result<storage::build_logs::part> build_output::next() {
  auto part = logs_.read(release_, offset_, part_bytes_max);
  if (part) {
    offset_ += part->bytes.size();
    if (part->bytes.empty() && !part->over) {
      end_without_line(*part);
    } else {
      spoke_at_ = runtime::steady_ms();
    }
  }
  return part;
}

void build_output::end_without_line(storage::build_logs::part& part) {
  const auto how = ended_();
  if (!how) {
    return;
  }
  const auto now = runtime::steady_ms();
  ended_at_ = ended_at_ == 0 ? now : ended_at_;
  if (now - ended_at_ >= last_line_ms_max) {
    part.over = true;
    part.bytes = end_told_ ? "" : storage::build_log_end(runtime::now_ms(), *how);
    end_told_ = true;
  }
}

bool build_output::needs_sign_of_life() {
  const auto now = runtime::steady_ms();
  const bool needs = now - spoke_at_ >= silence_ms_max;
  spoke_at_ = needs ? now : spoke_at_;
  return needs;
}

asio::awaitable<void> build_output::wait(std::int64_t ms) {
  return waiter_.wait(ms);
}

std::string message_element(std::string_view text, bool replace, bool error) {
  json j{{"message", text}};
  if (replace) {
    j["replace"] = true;
  }
  if (error) {
    j["isError"] = true;
  }
  return messages::dump_json(j);
}

std::string elements_of(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const auto length = std::min(lines.find('\n'), lines.size() - 1) + 1;
    const auto j = messages::parse_json(lines.substr(0, length));
    lines.remove_prefix(length);
    if (!j || !j->is_object()) {
      continue;  // torn by a crash
    }
    if (const auto end = text_of(*j, "end"); !end.empty()) {
      if (end != domain::build_status::released && end != domain::build_status::pushed) {
        out += ","
               + message_element(
                 "The build " + (end == "failed" ? end : "was " + end) + ".",
                 false,
                 true);
      }
      continue;
    }
    const auto service = text_of(*j, "service");
    const auto text = (service.empty() ? "" : "[" + service + "] ") + text_of(*j, "text");
    out += "," + message_element(text, flag_of(*j, "replace"), false);
  }
  return out;
}

}  // namespace slipway::gateways::builder
