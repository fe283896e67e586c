#pragma once

#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>

namespace slipway::agent {

/// Default handler of the agent's actors: logs and drops what nobody expects, where CAF would print it and answer.
caf::result<caf::message> drop_unexpected(caf::scheduled_actor* self, caf::message_view& message);

/// Exceptions end the actor with a reason that tells their text; the supervisor starts it again.
caf::error exception_to_error(caf::scheduled_actor* self, std::exception_ptr& problem);

}  // namespace slipway::agent
