#pragma once

#include "gateways/git/git_processes.hpp"
#include "gateways/git/push_tickets.hpp"
#include "gateways/git/repositories.hpp"
#include "gateways/git/repository_path.hpp"
#include "gateways/services.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace slipway::gateways::git {

struct git_options {
  std::uint64_t repository_bytes_max = 4ULL << 30U;
  std::uint64_t push_bytes_max = 1ULL << 30U;
  /// Is there room on the disk? Asked at each push. Errors: disk_full. Unset = always.
  std::function<messages::result<void>()> disk = {};
  std::string hook_program;  ///< slipwayd itself
  std::string hook_url;      ///< where hooks reach this server: `http://127.0.0.1:8080`
  /// A push is over: what it built is to be settled (actors::builds). Any thread; must not block.
  std::function<void(std::int64_t release)> settle = {};
};

/// Who asks, found out anew each time: a key or session that is revoked stops. Any thread. Errors: unauthorized.
using identify = std::function<messages::result<messages::requester>()>;

/// A request for one of git's programs, of any transport.
struct session_request {
  service what = service::upload_pack;
  std::string slug;
  identify who;
  std::string protocol;         ///< GIT_PROTOCOL, clean; "" = none
  bool stateless = false;       ///< HTTP: one request and one answer
  bool advertise_only = false;  ///< HTTP: the refs, before anything is asked
  bool hand_out_errors = false;
  std::function<void(int status)> ended = {};  ///< any thread
};

/// Whoever may push sources to a fleet reads and writes its repository (ADR 91), by HTTP and SSH alike: checks it, prepares the repository and
/// runs git on it. The one place for both transports. Safe from any thread.
class git_sessions {
public:
  git_sessions(
    std::shared_ptr<const services> s,
    repositories& repositories,
    git_processes& processes,
    push_tickets& tickets,
    git_options o);

  struct session {
    git_process process;
    /// What the pusher is told before git says anything: room that runs out; "" = nothing.
    std::string remark;
    std::uint64_t input_bytes_max =
      0;  ///< git keeps much of what it is asked before it looks at it
  };
  /// Errors: unauthorized (no valid credential), not_found (no such fleet, or it may not be seen), forbidden, unavailable, io_failed,
  /// disk_full.
  [[nodiscard]] messages::result<session> start(session_request r);

  /// Removes repositories whose fleet is gone and packs one that was pushed to often. To be called every few seconds; quick.
  void sweep();
  [[nodiscard]] const git_options& options() const { return options_; }

private:
  struct target {
    std::int64_t id = 0;
    std::vector<std::string> release_refs;
  };
  [[nodiscard]] messages::result<target> find(
    const std::string& slug,
    const messages::requester& by) const;
  [[nodiscard]] bool may(const messages::requester& by, std::int64_t fleet) const;
  [[nodiscard]] std::vector<std::string> settings(std::uint64_t push_bytes_max) const;
  [[nodiscard]] messages::result<session>
  start_push(const target& f, const session_request& r, messages::requester by, git_start what);
  void pack_one(std::int64_t fleet);

  std::shared_ptr<const services> s_;
  repositories& repositories_;
  git_processes& processes_;
  push_tickets& tickets_;
  git_options options_;
  // Of sweep() alone.
  std::int64_t swept_at_ms_ = 0;
  git_process packer_;
  /// What git's ends tell, which may come later than anybody expects.
  struct tidings;
  std::shared_ptr<tidings> tidings_;
};

}  // namespace slipway::gateways::git
