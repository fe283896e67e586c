#include "messages/json.hpp"

namespace slipway::messages {

result<nlohmann::json> parse_json(std::string_view text, std::size_t depth_max) {
  bool too_deep = false;
  const nlohmann::json::parser_callback_t limit =
    [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      too_deep = too_deep || static_cast<std::size_t>(depth) > depth_max;
      return !too_deep;
    };
  auto j = nlohmann::json::parse(text.begin(), text.end(), limit, false);
  if (too_deep) {
    return fail(errc::invalid_argument, "JSON nested too deep");
  }
  if (j.is_discarded()) {
    return fail(errc::invalid_argument, "malformed JSON");
  }
  return j;
}

std::string dump_json(const nlohmann::json& j) {
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace slipway::messages
