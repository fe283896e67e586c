#include "agent/actor_support.hpp"

#include "runtime/log.hpp"

#include <caf/make_message.hpp>
#include <caf/message_view.hpp>
#include <caf/sec.hpp>

#include <exception>

namespace slipway::agent {

caf::result<caf::message> drop_unexpected(caf::scheduled_actor* self, caf::message_view&) {
  runtime::log::warn("unexpected message dropped", {{"actor", self->name()}});
  return caf::sec::unexpected_message;
}

caf::error exception_to_error(caf::scheduled_actor* self, std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const std::exception& e) {
    runtime::log::error("actor failed", {{"actor", self->name()}, {"why", e.what()}});
  } catch (...) {
    runtime::log::error("actor failed", {{"actor", self->name()}});
  }
  return caf::sec::runtime_error;
}

}  // namespace slipway::agent
