#pragma once

#include "messages/build.hpp"
#include "messages/command.hpp"
#include "messages/event.hpp"
#include "messages/inspect_value.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/type_id.hpp>

#include <memory>
#include <vector>

namespace slipway::actors {

/// What one flush of the journal appended, shared by all who are told.
using record_batch = std::shared_ptr<const std::vector<messages::log_record>>;

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::record_batch)

CAF_BEGIN_TYPE_ID_BLOCK(slipway, first_custom_type_id)
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::commit))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::outcome))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::create_row))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::change_row))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::remove_row))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::register_device))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::report_state))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::set_presence))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::add_key))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::set_heartbeat))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::use_key))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::accept_invitation))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::start_build))
  CAF_ADD_TYPE_ID(slipway, (slipway::messages::advance_build))

  CAF_ADD_ATOM(slipway, slipway::actors, flush_atom, "flush")
  CAF_ADD_ATOM(slipway, slipway::actors, tail_atom, "tail")
  CAF_ADD_ATOM(slipway, slipway::actors, tick_atom, "tick")
CAF_END_TYPE_ID_BLOCK(slipway)
