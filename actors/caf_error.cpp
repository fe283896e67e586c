#include "actors/caf_error.hpp"

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/sec.hpp>

namespace slipway::actors {
namespace {

constexpr auto category = caf::atom("slipway");

}  // namespace

caf::error to_caf(const messages::error& e) {
  return {static_cast<std::uint8_t>(e.code), category, caf::make_message(e.detail)};
}

messages::error from_caf(const caf::error& e) {
  if (e.category() == category) {
    const auto& context = e.context();
    const bool has_text = context.size() == 1 && context.match_element<std::string>(0);
    return {
      static_cast<messages::errc>(e.code()),
      has_text ? context.get_as<std::string>(0) : std::string()};
  }
  if (e == caf::sec::request_timeout) {
    return {messages::errc::timed_out, "no answer in time"};
  }
  if (e == caf::sec::request_receiver_down || e.category() == caf::atom("exit")) {
    return {messages::errc::unavailable, "the actor is gone"};
  }
  return {messages::errc::internal, "actor error " + std::to_string(e.code())};
}

}  // namespace slipway::actors
