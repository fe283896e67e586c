#pragma once

#include "actors/uploads.hpp"
#include "storage/blob_store.hpp"
#include "storage/repository_store.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/make_message.hpp>
#include <caf/result.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace slipway::actors {

/// The writer of an upload, lent to one request. A message that nobody takes any more gives it back like any other holder.
using lent_writer = std::shared_ptr<upload_loan>;

using lend_atom = caf::atom_constant<caf::atom("lend")>;
using give_back_atom = caf::atom_constant<caf::atom("giveback")>;
using offset_atom = caf::atom_constant<caf::atom("offset")>;
using cancel_atom = caf::atom_constant<caf::atom("cancel")>;
using idle_atom = caf::atom_constant<caf::atom("idle")>;

/// One upload session: owns the writer and its life cycle, lends the writer to one request at a time (ADR 37). Strings are the
/// repository that the request names: another one's upload is unknown. A session that cannot open its writer ends with its answer.
using upload_actor = caf::typed_actor<
  // Errors: upload_unknown, conflict (lent already), io_failed.
  caf::replies_to<lend_atom, std::string>::with<lent_writer>,
  // The request that borrowed the writer is done; true = the upload is over.
  caf::reacts_to<give_back_atom, bool>,
  // Bytes kept so far, also while lent. Errors: upload_unknown, io_failed.
  caf::replies_to<offset_atom, std::string>::with<std::uint64_t>,
  // Drops the upload; the answer is always true. Errors: upload_unknown, conflict (lent).
  caf::replies_to<cancel_atom, std::string>::with<bool>,
  // Nobody came for a while: leave memory. The number tells a stale timer.
  caf::reacts_to<idle_atom, std::uint64_t>>;

/// What every upload actor needs. The stores outlive the actor system.
struct upload_context {
  storage::blob_store& blobs;
  storage::repository_store& repositories;
  std::function<std::int64_t()> now_ms;
  std::chrono::seconds idle_max{
    600};  ///< without a request the session leaves memory, its bytes stay
};

struct upload_state {
  static inline const char* name = "upload";

  caf::result<lent_writer> lend(const std::string& repository);
  void give_back(bool over);
  caf::result<std::uint64_t> offset(const std::string& repository);
  caf::result<bool> cancel(const std::string& repository);
  void idle(std::uint64_t timer);

  /// Opens the writer on first use: a new upload begins, one of an earlier process goes on.
  messages::result<void> ready(const std::string& repository);
  void wait_or_quit();
  void leave();

  upload_actor::stateful_pointer<upload_state> self = nullptr;
  std::shared_ptr<const upload_context> context;
  std::string id;
  std::string repository;
  bool fresh = false;
  bool lent = false;
  std::uint64_t timer = 0;
  std::shared_ptr<storage::blob_writer> writer;
};

/// `fresh` = a new upload, otherwise one that is already on disk.
upload_actor::behavior_type upload(
  upload_actor::stateful_pointer<upload_state> self,
  std::shared_ptr<const upload_context> context,
  std::string id,
  std::string repository,
  bool fresh);

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::lent_writer)
