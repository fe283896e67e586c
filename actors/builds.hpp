#pragma once

#include "messages/build.hpp"
#include "messages/build_bus.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace slipway::actors {

/// A build that a gateway asks for. Its source is a file that `storage::source_tree` wrote; it belongs to the build from here on.
struct build_order {
  std::int64_t fleet = 0;
  std::int64_t organization = 0;
  std::string architecture;  ///< slug
  messages::start_build command;
  std::vector<messages::registry_secret> registries;  ///< of the plan, which is stored without
  std::string source_file;
  std::uint64_t source_bytes = 0;
  bool no_cache = false;
};

struct build_ticket {
  std::int64_t build = 0;
  std::int64_t release = 0;
  std::string commit;
};

/// Builds for gateways. Each is an actor that takes its build through the life of domain/build_life.hpp: every step is in the log before
/// anyone is told. `done` is called once, on a thread of the actor system; it must not block.
class builds {
public:
  template <class T>
  using answer = std::function<void(messages::result<T>)>;

  virtual ~builds() = default;

  /// Creates release and build; it is queued when `done` is called. Errors: those of the fleet's entity, too_many_requests.
  virtual void submit(build_order order, answer<build_ticket> done) = 0;
  /// Ends a build that is not over. Unknown and finished ones are left as they are.
  virtual void cancel(std::int64_t release, std::string reason) = 0;
  /// A git push ended: a build that is `pushed` becomes `released` when its ref is at its commit, else `failed`; one that still
  /// runs is cancelled. Answers the build's status.
  virtual void settle(std::int64_t release, answer<std::string> done) = 0;

  // Build workers, by the name they joined with. Any thread.
  virtual void worker_down(std::string name) = 0;
  virtual void worker_said(std::string name, messages::envelope word) = 0;
};

}  // namespace slipway::actors
