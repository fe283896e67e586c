#include "actors/upload.hpp"

#include "actors/caf_error.hpp"

#include <caf/send.hpp>

namespace slipway::actors {

using messages::errc;
using messages::fail;
using messages::result;

result<void> upload_state::ready(const std::string& asked) {
  if (asked != repository) {
    return fail(errc::upload_unknown, "no upload " + id);
  }
  if (writer) {
    return {};
  }
  auto opened = fresh ? context->blobs.begin(id) : context->blobs.resume(id);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  writer = std::move(*opened);
  auto kept = context->repositories.put_upload(id, {repository, context->now_ms()});
  if (!kept && fresh) {
    writer->abort();
    writer.reset();
  }
  return kept;
}

caf::result<lent_writer> upload_state::lend(const std::string& asked) {
  if (auto r = ready(asked); !r) {
    wait_or_quit();
    return to_caf(r.error());
  }
  if (lent) {
    return to_caf({errc::conflict, "another request is writing to this upload"});
  }
  lent = true;
  ++timer;
  auto me = caf::actor_cast<upload_actor>(self);
  return std::make_shared<upload_loan>(writer, [me](bool over) {
    caf::anon_send(me, give_back_atom::value, over);
  });
}

void upload_state::give_back(bool over) {
  lent = false;
  if (over) {
    leave();
    return;
  }
  // A lost touch only makes the upload expire earlier.
  (void)context->repositories.put_upload(id, {repository, context->now_ms()});
  wait_or_quit();
}

caf::result<std::uint64_t> upload_state::offset(const std::string& asked) {
  auto r = ready(asked);
  wait_or_quit();
  if (!r) {
    return to_caf(r.error());
  }
  return writer->offset();
}

caf::result<bool> upload_state::cancel(const std::string& asked) {
  if (auto r = ready(asked); !r) {
    wait_or_quit();
    return to_caf(r.error());
  }
  if (lent) {
    return to_caf({errc::conflict, "another request is writing to this upload"});
  }
  writer->abort();
  leave();
  return true;
}

void upload_state::leave() {
  // If the row stays, the sweeper finds it without bytes and removes it.
  (void)context->repositories.remove_upload(id);
  self->quit();
}

void upload_state::wait_or_quit() {
  if (!writer) {
    self->quit();  // it would only take a place: the next request tries anew
  } else if (!lent) {
    self->delayed_send(self, context->idle_max, idle_atom::value, ++timer);
  }
}

void upload_state::idle(std::uint64_t fired) {
  if (fired == timer && !lent) {
    self->quit();
  }
}

upload_actor::behavior_type upload(
  upload_actor::stateful_pointer<upload_state> self,
  std::shared_ptr<const upload_context> context,
  std::string id,
  std::string repository,
  bool fresh) {
  auto& s = self->state;
  s.self = self;
  s.context = std::move(context);
  s.id = std::move(id);
  s.repository = std::move(repository);
  s.fresh = fresh;
  return {
    [self](lend_atom, const std::string& r) { return self->state.lend(r); },
    [self](give_back_atom, bool over) { self->state.give_back(over); },
    [self](offset_atom, const std::string& r) { return self->state.offset(r); },
    [self](cancel_atom, const std::string& r) { return self->state.cancel(r); },
    [self](idle_atom, std::uint64_t timer) { self->state.idle(timer); },
  };
}

}  // namespace slipway::actors
