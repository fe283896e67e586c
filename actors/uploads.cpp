#include "actors/uploads.hpp"

#include "actors/caf_error.hpp"
#include "actors/upload.hpp"
#include "runtime/crypto.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>

#include <unordered_map>

namespace slipway::actors {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

constexpr std::size_t sweep_batch = 1000;

using open_atom = caf::atom_constant<caf::atom("open")>;
using sweep_atom = caf::atom_constant<caf::atom("sweep")>;

/// Finds sessions by id. First string: id, second: repository.
using upload_directory_actor = caf::typed_actor<
  // Errors: too_many_requests, and those of beginning an upload.
  caf::replies_to<open_atom, std::string>::with<std::string>,
  // Errors: upload_unknown, too_many_requests (it is not in memory, and there is no place), and those of the session.
  caf::replies_to<lend_atom, std::string, std::string>::with<lent_writer>,
  caf::replies_to<offset_atom, std::string, std::string>::with<std::uint64_t>,
  caf::replies_to<cancel_atom, std::string, std::string>::with<bool>,
  caf::reacts_to<sweep_atom>>;

struct upload_directory_state {
  static inline const char* name = "uploads";
  upload_directory_state() = default;
  ~upload_directory_state();

  caf::result<std::string> open(const std::string& repository);
  template <class T, class Atom>
  caf::result<T> forward(Atom what, const std::string& id, const std::string& repository);
  result<upload_actor> find(const std::string& id, const std::string& repository);
  upload_actor start(const std::string& id, const std::string& repository, bool fresh);
  [[nodiscard]] result<void> check_room(const std::string& repository) const;
  void ended(const caf::actor_addr& who);
  void sweep();

  struct place {
    std::string id;
    std::string repository;
  };

  upload_directory_actor::stateful_pointer<upload_directory_state> self = nullptr;
  std::shared_ptr<const upload_context> context;
  upload_limits limits;
  std::unordered_map<std::string, upload_actor> sessions;
  std::unordered_map<caf::actor_addr, place> places;
  std::unordered_map<std::string, std::size_t> of_repository;
};

upload_directory_state::~upload_directory_state() {
  for (const auto& [id, session] : sessions) {
    caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
  }
}

caf::result<std::string> upload_directory_state::open(const std::string& repository) {
  if (auto room = check_room(repository); !room) {
    return to_caf(room.error());
  }
  auto id = runtime::random_hex(32);
  auto reply = self->make_response_promise<std::string>();
  // The first question makes the session begin the upload.
  self->request(start(id, repository, true), limits.answer_max, offset_atom::value, repository)
    .then(
      [reply, id](std::uint64_t) mutable { reply.deliver(id); },
      [reply](caf::error& e) mutable { reply.deliver(std::move(e)); });
  return reply;
}

upload_actor
upload_directory_state::start(const std::string& id, const std::string& repository, bool fresh) {
  auto session = self->spawn(upload, context, id, repository, fresh);
  self->monitor(session);
  sessions[id] = session;
  places[caf::actor_cast<caf::actor_addr>(session)] = {id, repository};
  ++of_repository[repository];
  return session;
}

/// For one more session: a client that opens upload after upload takes the places of its repository, not everybody's.
result<void> upload_directory_state::check_room(const std::string& repository) const {
  const auto one = of_repository.find(repository);
  if (sessions.size() >= limits.sessions_max) {
    return fail(errc::too_many_requests, "too many uploads under way");
  }
  if (one != of_repository.end() && one->second >= limits.sessions_of_one_max) {
    return fail(errc::too_many_requests, "too many uploads under way in this repository");
  }
  return {};
}

/// Looks for the row here, so that an id that was made up costs a read and no session.
result<upload_actor> upload_directory_state::find(
  const std::string& id,
  const std::string& repository) {
  if (const auto known = sessions.find(id); known != sessions.end()) {
    return known->second;
  }
  const auto record = context->repositories.upload(id);
  if (!record) {
    return tl::unexpected(record.error());
  }
  if (record->repository != repository) {
    return fail(errc::upload_unknown, "no upload " + id);
  }
  if (auto room = check_room(repository); !room) {
    return tl::unexpected(room.error());
  }
  return start(id, repository, false);
}

template <class T, class Atom>
caf::result<T>
upload_directory_state::forward(Atom what, const std::string& id, const std::string& repository) {
  const auto session = find(id, repository);
  if (!session) {
    return to_caf(session.error());
  }
  return self->delegate(*session, what, repository);
}

void upload_directory_state::ended(const caf::actor_addr& who) {
  const auto known = places.find(who);
  if (known == places.end()) {
    return;
  }
  const auto& [id, repository] = known->second;
  const auto session = sessions.find(id);
  if (session != sessions.end() && session->second.address() == who) {
    sessions.erase(session);
  }
  if (const auto count = of_repository.find(repository); --count->second == 0) {
    of_repository.erase(count);
  }
  places.erase(known);
}

void upload_directory_state::sweep() {
  const auto expiry_ms = std::chrono::milliseconds(limits.expiry).count();
  const auto old = context->repositories.uploads_before(context->now_ms() - expiry_ms, sweep_batch);
  for (const auto& id : old.value_or(std::vector<std::string>{})) {
    if (sessions.contains(id)) {
      continue;
    }
    if (auto writer = context->blobs.resume(id); writer) {
      (*writer)->abort();
    }
    // If it fails the next sweep tries again.
    (void)context->repositories.remove_upload(id);
  }
  self->delayed_send(self, limits.sweep_every, sweep_atom::value);
}

upload_directory_actor::behavior_type upload_directory(
  upload_directory_actor::stateful_pointer<upload_directory_state> self,
  std::shared_ptr<const upload_context> context,
  upload_limits limits) {
  auto& s = self->state;
  s.self = self;
  s.context = std::move(context);
  s.limits = limits;
  self->set_down_handler([self](const caf::down_msg& m) { self->state.ended(m.source); });
  self->send(self, sweep_atom::value);
  return {
    [self](open_atom, const std::string& repository) { return self->state.open(repository); },
    [self](lend_atom, const std::string& id, const std::string& repository) {
      return self->state.forward<lent_writer>(lend_atom::value, id, repository);
    },
    [self](offset_atom, const std::string& id, const std::string& repository) {
      return self->state.forward<std::uint64_t>(offset_atom::value, id, repository);
    },
    [self](cancel_atom, const std::string& id, const std::string& repository) {
      return self->state.forward<bool>(cancel_atom::value, id, repository);
    },
    [self](sweep_atom) { self->state.sweep(); },
  };
}

class service final : public uploads {
public:
  service(caf::actor_system& system, upload_context context, upload_limits limits)
    : system_(system),
      limits_(limits),
      directory_(system.spawn(
        upload_directory,
        std::make_shared<const upload_context>(std::move(context)),
        limits)) {}
  ~service() override { caf::anon_send_exit(directory_, caf::exit_reason::user_shutdown); }

  void open(std::string repository, answer<std::string> done) override {
    ask<std::string>(std::move(done), open_atom::value, std::move(repository));
  }
  void lend(std::string id, std::string repository, answer<std::shared_ptr<upload_loan>> done)
    override {
    ask<lent_writer>(std::move(done), lend_atom::value, std::move(id), std::move(repository));
  }
  void offset(std::string id, std::string repository, answer<std::uint64_t> done) override {
    ask<std::uint64_t>(std::move(done), offset_atom::value, std::move(id), std::move(repository));
  }
  void cancel(std::string id, std::string repository, answer<void> done) override {
    ask<bool>(
      [done = std::move(done)](result<bool> r) {
        done(r ? result<void>{} : tl::unexpected(std::move(r.error())));
      },
      cancel_atom::value,
      std::move(id),
      std::move(repository));
  }

private:
  /// One short-lived actor per question: no thread waits for the answer.
  template <class T, class... Ts>
  void ask(answer<T> done, Ts... words) {
    system_.spawn([directory = directory_, timeout = limits_.answer_max, done, words...](
                    caf::event_based_actor* self) {
      // A session may leave memory just when the question arrives: the second try brings it back.
      auto failed = [done](const caf::error& e) { done(tl::unexpected(from_caf(e))); };
      self->request(directory, timeout, words...)
        .then(
          [done](T& r) { done(std::move(r)); },
          [=](caf::error& e) {
            if (e != caf::sec::request_receiver_down) {
              failed(e);
              return;
            }
            self->request(directory, timeout, words...)
              .then([done](T& r) { done(std::move(r)); }, [failed](caf::error& e2) { failed(e2); });
          });
    });
  }

  caf::actor_system& system_;
  upload_limits limits_;
  upload_directory_actor directory_;
};

}  // namespace

std::unique_ptr<uploads> make_uploads(
  caf::actor_system& system,
  storage::blob_store& blobs,
  storage::repository_store& repositories,
  upload_limits limits,
  std::function<std::int64_t()> now_ms) {
  upload_context context{blobs, repositories, std::move(now_ms), limits.idle_max};
  return std::make_unique<service>(system, std::move(context), limits);
}

}  // namespace slipway::actors
