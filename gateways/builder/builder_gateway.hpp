#pragma once

#include "actors/builds.hpp"
#include "gateways/builder/build_output.hpp"
#include "gateways/builder/build_request.hpp"
#include "gateways/builder/source_intake.hpp"
#include "gateways/git/push_tickets.hpp"
#include "gateways/route_table.hpp"
#include "gateways/services.hpp"
#include "storage/build_logs.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace slipway::gateways::builder {

/// Takes source from clients and from the hooks of git repositories, and shows what is built (docs/protocols/builder.md).
class builder_gateway {
public:
  struct parts {
    actors::builds& builds;
    storage::build_logs& logs;
    source_intake& intake;
    git::push_tickets& tickets;
  };
  /// Readers of logs at once; more are refused: too_many_requests.
  static constexpr std::size_t readers_max = 1024;

  builder_gateway(std::shared_ptr<const services> s, parts p) : s_(std::move(s)), p_(p) {}

  [[nodiscard]] std::vector<route> routes();

private:
  struct order;
  struct stream;
  runtime::awaitable<void> build(runtime::exchange& x);
  runtime::awaitable<void> build_from_url(runtime::exchange& x);
  runtime::awaitable<void> read_log(runtime::exchange& x, std::int64_t release);
  runtime::awaitable<void> git_build(runtime::exchange& x);
  runtime::awaitable<void> git_settle(runtime::exchange& x);

  runtime::awaitable<void> take(order o);
  runtime::awaitable<messages::result<actors::build_ticket>> submit(
    const order& o,
    taken_source source);
  runtime::awaitable<void> follow(const order& o, actors::build_ticket ticket);
  [[nodiscard]] std::function<bool()> right_to_build(const runtime::exchange& x, std::int64_t fleet)
    const;
  /// Of the release's build, nothing without one.
  [[nodiscard]] std::optional<std::string> status_of(std::int64_t release) const;
  [[nodiscard]] build_output
  output_of(const runtime::exchange& x, std::int64_t release, std::uint64_t offset) const;

  std::shared_ptr<const services> s_;
  parts p_;
  std::atomic<std::size_t> readers_{0};
};

}  // namespace slipway::gateways::builder
