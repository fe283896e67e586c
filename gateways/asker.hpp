#pragma once

#include "messages/command.hpp"
#include "messages/error.hpp"
#include "messages/event.hpp"
#include "runtime/directory.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include <chrono>
#include <memory>

namespace slipway::gateways {

constexpr auto ask_timeout = std::chrono::seconds{20};

/// How a coroutine of a gateway asks an entity: the message goes through the directory with a correlation number, the answer comes
/// back to the coroutine's own executor. One for the process; safe from any thread.
class asker {
public:
  asker(caf::actor_system& system, runtime::directory& directory);
  ~asker();

  /// A question that is on its way. Dropping it forgets the answer.
  class pending {
  public:
    /// Errors: those of the entity; timed_out when it did not answer in `ask_timeout`: the outcome is then unknown.
    [[nodiscard]] boost::asio::awaitable<messages::result<messages::appended>> answer();

  private:
    friend class asker;
    struct waiter;
    std::shared_ptr<waiter> waiter_;
  };

  template <class Command>
  [[nodiscard]] pending
  send(boost::asio::any_io_executor executor, messages::entity_ref to, Command command) {
    auto p = begin(std::move(executor));
    deliver(to, pack(correlation(p), std::move(command)));
    return p;
  }

  /// Without waiting for an answer.
  template <class Command>
  void tell(messages::entity_ref to, Command command) {
    deliver(to, pack(0, std::move(command)));
  }

  template <class Command>
  [[nodiscard]] boost::asio::awaitable<messages::result<messages::appended>>
  ask(boost::asio::any_io_executor executor, messages::entity_ref to, Command command) {
    auto p = send(std::move(executor), to, std::move(command));
    co_return co_await p.answer();
  }

private:
  struct table;
  [[nodiscard]] pending begin(boost::asio::any_io_executor executor);
  [[nodiscard]] static std::uint64_t correlation(const pending& p);
  void deliver(messages::entity_ref to, caf::message m);
  template <class Command>
  static caf::message pack(std::uint64_t correlation, Command command);

  std::shared_ptr<table> table_;
  caf::actor inbox_;
  runtime::directory& directory_;
};

}  // namespace slipway::gateways
