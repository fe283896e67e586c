#include "gateways/device/supervisor_answer.hpp"

#include "messages/json.hpp"

#include <algorithm>

namespace slipway::gateways::device {
namespace {

using messages::call_outcome;
using nlohmann::json;

constexpr auto json_type = "application/json; charset=utf-8";
constexpr auto text_type = "text/plain; charset=utf-8";

supervisor_answer text(int status, std::string body) {
  return {status, text_type, std::move(body)};
}

supervisor_answer error_object(int status, const char* what) {
  return {status, json_type, messages::dump_json(json{{"error", what}})};
}

/// No control characters, nothing that begins a tag or an entity.
bool is_plain(std::string_view body) {
  return std::all_of(body.begin(), body.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    const bool space = c == '\n' || c == '\r' || c == '\t';
    return space || (u >= 0x20 && u < 0x7f && c != '<' && c != '>' && c != '&');
  });
}

supervisor_answer answered(const messages::call_answer& a, bool logs) {
  const int status = a.status;
  if (status >= 300 && status < 400) {
    return error_object(502, "the device answered with a redirection");
  }
  if (a.body.empty() || status == 204) {
    return {status, "", ""};
  }
  if (a.content_type.starts_with("application/json")) {
    const auto j = messages::parse_json(a.body);
    return j ? supervisor_answer{status, json_type, messages::dump_json(*j)}
             : error_object(500, "the device's answer is not valid JSON");
  }
  if (a.content_type.starts_with("text/plain") && (logs || is_plain(a.body))) {
    return text(status, a.body);
  }
  return error_object(500, "the device's answer is of a kind that is not passed on");
}

}  // namespace

supervisor_answer answer_of(const messages::call_result& r, bool logs) {
  switch (r.outcome) {
    case call_outcome::answered:
      return answered(r.answer, logs);
    case call_outcome::not_connected:
      return {404, json_type, messages::dump_json(std::string(no_online_device))};
    case call_outcome::gone:
      return text(502, "The device disconnected before it answered");
    case call_outcome::timed_out:
      return text(504, "The device did not answer in time");
    case call_outcome::busy:
      return text(429, "Too many requests to this device at once");
    case call_outcome::unsupported:
      return text(501, "The device's agent is too old for remote actions");
    case call_outcome::broken:
    case call_outcome::none:
      break;
  }
  return error_object(500, "the device's answer was malformed");
}

json entry_of(const supervisor_answer& a) {
  json body = a.body;
  if (a.content_type == json_type) {
    // Checked or made by us just now: it parses.
    body = messages::parse_json(a.body).value_or(json(nullptr));
  }
  return {{"statusCode", a.status}, {"body", std::move(body)}};
}

}  // namespace slipway::gateways::device
