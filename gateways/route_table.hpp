#pragma once

#include "runtime/http_server.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

/// What a request's path holds in the places that its route names. Views into the request: valid as long as the exchange.
class route_args {
public:
  static constexpr std::size_t args_max = 6;  ///< of one route

  /// The segment `:name`, percent-encoded as received; "" if the route has none of that name.
  [[nodiscard]] std::string_view raw(std::string_view name) const;
  /// Percent-decoded; as received when its encoding is broken.
  [[nodiscard]] std::string text(std::string_view name) const;
  /// An id: a decimal number above 0, nothing else.
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const;
  /// What follows a route that ends in `/*`, without the slash, percent-encoded.
  [[nodiscard]] std::string_view rest() const { return rest_; }

private:
  friend class route_table;
  const std::vector<std::string>* names_ = nullptr;
  std::array<std::string_view, args_max> values_{};
  std::size_t count_ = 0;
  std::string_view rest_;
};

/// Must be safe to call as long as the table lives; a coroutine takes the arguments by value.
using route_handler = std::function<runtime::awaitable<void>(runtime::exchange&, route_args)>;

/// One row of the table.
struct route {
  /// Upper case; `*` = every method, the handler tells them apart. GET serves HEAD too.
  std::string method;
  /// `/device/v3/:uuid/state`: segments are literal or named; `/v6/*` takes whatever follows, nothing too.
  std::string pattern;
  route_handler handler;
};

/// Finds the route of a path. Literal segments win over named ones, named ones over `*`. Empty segments, so trailing slashes
/// too, do not count. A look-up allocates nothing.
class route_table {
public:
  /// A row whose handler is unset is left out. Two rows that mean the same, or a pattern that cannot be read, are a mistake of
  /// ours: SLIPWAY_ASSERT.
  explicit route_table(std::vector<route> routes);
  ~route_table();
  route_table(const route_table&) = delete;
  route_table& operator=(const route_table&) = delete;

  struct match {
    const route_handler* handler = nullptr;  ///< null = none
    route_args args = {};
    /// Set if the path is known but not with this method: `GET, HEAD, POST`.
    const std::string* allow = nullptr;
  };
  [[nodiscard]] match find(std::string_view method, std::string_view path) const;

  /// Calls the route's handler, or answers 404, or 405 with Allow.
  [[nodiscard]] runtime::awaitable<void> handle(runtime::exchange& x) const;

private:
  struct node;
  struct walk;
  void add(route r);
  std::unique_ptr<node> root_;
};

/// 404 with the body of an API error.
[[nodiscard]] runtime::awaitable<void> no_such_address(runtime::exchange& x);

/// Calls `handler`; unset when it is.
[[nodiscard]] route_handler handler_of(runtime::http_handler handler);

/// Handlers that call a member of a gateway, which must outlive the table.
template <class Gateway>
route_handler to(
  Gateway& gateway,
  runtime::awaitable<void> (Gateway::*member)(runtime::exchange&)) {
  return
    [&gateway, member](runtime::exchange& x, const route_args&) { return (gateway.*member)(x); };
}

/// Passes all named segments.
template <class Gateway>
route_handler to(
  Gateway& gateway,
  runtime::awaitable<void> (Gateway::*member)(runtime::exchange&, route_args)) {
  return [&gateway, member](runtime::exchange& x, const route_args& args) {
    return (gateway.*member)(x, args);
  };
}

/// Passes the segment `name` as text.
template <class Gateway>
route_handler to(
  Gateway& gateway,
  runtime::awaitable<void> (Gateway::*member)(runtime::exchange&, std::string),
  const char* name) {
  return [&gateway, member, name](runtime::exchange& x, const route_args& args) {
    return (gateway.*member)(x, args.text(name));
  };
}

/// Passes the segment `name` as an id; 404 when it is not one.
template <class Gateway>
route_handler to(
  Gateway& gateway,
  runtime::awaitable<void> (Gateway::*member)(runtime::exchange&, std::int64_t),
  const char* name) {
  return [&gateway, member, name](runtime::exchange& x, const route_args& args) {
    const auto id = args.number(name);
    return id ? (gateway.*member)(x, *id) : no_such_address(x);
  };
}

}  // namespace slipway::gateways
