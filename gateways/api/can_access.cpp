#include "gateways/api/can_access.hpp"

#include "messages/json.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace slipway::gateways::api {
namespace {

using domain::action;
using domain::verb;
using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

constexpr std::size_t actions_max = 32;  ///< of one `or`

struct question {
  const domain::access& rights;
  const domain::resource_def& resource;
  const messages::row& row;

  [[nodiscard]] bool may(verb v) const { return rights.may(v, resource, row).has_value(); }
  [[nodiscard]] bool sees() const { return rights.may_see(resource, row); }
  [[nodiscard]] bool method(std::string_view name) const;
  [[nodiscard]] bool one(std::string_view name) const;
};

bool question::method(std::string_view name) const {
  if (name == "GET" || name == "HEAD" || name == "OPTIONS") {
    return sees();
  }
  if (name == "PATCH" || name == "PUT" || name == "MERGE") {
    return sees() && may(verb::change);
  }
  if (name == "POST") {
    return sees() && may(verb::create);
  }
  return name == "DELETE" && sees() && may(verb::remove);
}

bool question::one(std::string_view name) const {
  if (!sees()) {
    return false;
  }
  // A port or `any`: the table knows tunnels, not their ports.
  if (name.starts_with("tunnel-")) {
    return rights.may_do(action::tunnel, resource, row);
  }
  static constexpr std::array known{
    std::pair<std::string_view, action>{"push", action::push_image},
    std::pair<std::string_view, action>{"pull", action::pull_image},
    std::pair<std::string_view, action>{"create-device-api-key", action::make_key},
    std::pair<std::string_view, action>{"create-provisioning-api-key", action::make_key},
    std::pair<std::string_view, action>{"read-logs", action::read_logs},
    std::pair<std::string_view, action>{"write-log", action::write_logs}};
  const auto it =
    std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == name; });
  if (it != known.end()) {
    return rights.may_do(it->second, resource, row);
  }
  return may(verb::create) && may(verb::change) && may(verb::remove);
}

tl::unexpected<messages::error> not_one_question() {
  return fail(
    errc::invalid_argument,
    "the body has either \"action\", a text or {\"or\": [texts]}, or \"method\"");
}

result<std::vector<std::string>> actions_in(const json& j) {
  if (j.is_string()) {
    return std::vector{j.get<std::string>()};
  }
  const bool list = j.is_object() && j.size() == 1 && j.contains("or") && j["or"].is_array()
                    && j["or"].size() <= actions_max;
  if (!list) {
    return not_one_question();
  }
  std::vector<std::string> out;
  for (const auto& one : j["or"]) {
    if (!one.is_string()) {
      return not_one_question();
    }
    out.push_back(one.get<std::string>());
  }
  return out;
}

}  // namespace

result<bool> can_access(
  std::string_view body,
  const domain::access& rights,
  const domain::resource_def& resource,
  const messages::row& row) {
  const auto j = messages::parse_json(body);
  if (!j || !j->is_object() || j->contains("action") == j->contains("method")) {
    return not_one_question();
  }
  const question q{rights, resource, row};
  if (j->contains("method")) {
    const auto& m = (*j)["method"];
    return m.is_string() ? result<bool>(q.method(m.get_ref<const std::string&>()))
                         : not_one_question();
  }
  const auto actions = actions_in((*j)["action"]);
  if (!actions) {
    return tl::unexpected(actions.error());
  }
  return std::any_of(actions->begin(), actions->end(), [&](const auto& a) { return q.one(a); });
}

}  // namespace slipway::gateways::api
