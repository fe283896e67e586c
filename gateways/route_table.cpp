#include "gateways/route_table.hpp"

#include "gateways/services.hpp"
#include "runtime/assert.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace slipway::gateways {

using runtime::awaitable;
using runtime::exchange;

namespace {

/// Cuts the next segment that is not empty off `rest`, which keeps what follows its slash. "" = there is none.
std::string_view next_segment(std::string_view& rest) {
  while (!rest.empty() && rest.front() == '/') {
    rest.remove_prefix(1);
  }
  const auto slash = std::min(rest.find('/'), rest.size());
  const auto segment = rest.substr(0, slash);
  rest.remove_prefix(std::min(slash + 1, rest.size()));
  return segment;
}

}  // namespace

std::string_view route_args::raw(std::string_view name) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if ((*names_)[i] == name) {
      return values_[i];
    }
  }
  return {};
}

std::string route_args::text(std::string_view name) const {
  const auto encoded = raw(name);
  if (encoded.find('%') == std::string_view::npos) {
    return std::string(encoded);
  }
  auto decoded = runtime::percent_decode(encoded);
  return decoded ? std::move(*decoded) : std::string(encoded);
}

std::optional<std::int64_t> route_args::number(std::string_view name) const {
  const auto text = raw(name);
  const auto* const end = text.data() + text.size();
  std::int64_t n = 0;
  const auto [stopped, failed] = std::from_chars(text.data(), end, n);
  return failed == std::errc{} && stopped == end && n > 0 ? std::optional(n) : std::nullopt;
}

/// A place in the tree of segments.
struct route_table::node {
  struct leaf {
    std::string method;
    route_handler handler;
    std::vector<std::string> names;
  };
  /// Methods that end here.
  struct leaves {
    std::vector<leaf> all;
    std::string allow;

    [[nodiscard]] const leaf* find(std::string_view method) const;
    void add(leaf l);
  };
  std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;  ///< sorted
  std::unique_ptr<node> named;
  leaves here;
  leaves below;  ///< of `*`

  [[nodiscard]] const node* literal(std::string_view segment) const;
  node& child(std::string_view segment);
};

const route_table::node::leaf* route_table::node::leaves::find(std::string_view method) const {
  const leaf* second = nullptr;
  for (const auto& l : all) {
    if (l.method == method) {
      return &l;
    }
    if (l.method == "*" || (method == "HEAD" && l.method == "GET")) {
      second = &l;
    }
  }
  return second;
}

void route_table::node::leaves::add(leaf l) {
  for (const auto& have : all) {
    SLIPWAY_ASSERT(have.method != l.method);
  }
  all.push_back(std::move(l));
  std::vector<std::string_view> methods;
  for (const auto& one : all) {
    methods.push_back(one.method);
    if (one.method == "GET") {
      methods.emplace_back("HEAD");
    }
  }
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  allow.clear();
  for (const auto m : methods) {
    allow += (allow.empty() ? "" : ", ") + std::string(m);
  }
}

const route_table::node* route_table::node::literal(std::string_view segment) const {
  const auto at = std::lower_bound(
    literals.begin(),
    literals.end(),
    segment,
    [](const auto& have, std::string_view wanted) { return have.first < wanted; });
  return at != literals.end() && at->first == segment ? at->second.get() : nullptr;
}

route_table::node& route_table::node::child(std::string_view segment) {
  if (segment.front() == ':') {
    if (!named) {
      named = std::make_unique<node>();
    }
    return *named;
  }
  for (const auto& [text, have] : literals) {
    if (text == segment) {
      return *have;
    }
  }
  literals.emplace_back(segment, std::make_unique<node>());
  auto& made = *literals.back().second;
  std::sort(literals.begin(), literals.end());
  return made;
}

/// One look-up: tries literal, named and `*` in this order, and remembers the first path that only lacked the method.
struct route_table::walk {
  std::string_view method;
  match found;

  bool take(const node::leaves& leaves) {
    if (const auto* l = leaves.find(method); l != nullptr) {
      found.handler = &l->handler;
      found.args.names_ = &l->names;
      found.allow = nullptr;
      return true;
    }
    if (!leaves.all.empty() && found.allow == nullptr) {
      found.allow = &leaves.allow;
    }
    return false;
  }

  bool search(const node& at, std::string_view path) {
    auto rest = path;
    const auto segment = next_segment(rest);
    if (segment.empty()) {
      if (take(at.here)) {
        return true;
      }
    } else {
      if (const auto* next = at.literal(segment); next != nullptr && search(*next, rest)) {
        return true;
      }
      if (at.named && found.args.count_ < route_args::args_max) {
        found.args.values_[found.args.count_++] = segment;
        if (search(*at.named, rest)) {
          return true;
        }
        --found.args.count_;
      }
    }
    found.args.rest_ = path;
    return take(at.below);
  }
};

route_table::route_table(std::vector<route> routes) : root_(std::make_unique<node>()) {
  for (auto& r : routes) {
    if (r.handler) {
      add(std::move(r));
    }
  }
}

route_table::~route_table() = default;

void route_table::add(route r) {
  SLIPWAY_ASSERT(r.pattern.starts_with('/') && !r.method.empty());
  node::leaf leaf{std::move(r.method), std::move(r.handler), {}};
  auto* at = root_.get();
  auto rest = std::string_view(r.pattern);
  for (auto segment = next_segment(rest); !segment.empty(); segment = next_segment(rest)) {
    if (segment == "*") {
      SLIPWAY_ASSERT(rest.empty());
      return at->below.add(std::move(leaf));
    }
    if (segment.front() == ':') {
      leaf.names.emplace_back(segment.substr(1));
      SLIPWAY_ASSERT(leaf.names.size() <= route_args::args_max);
    }
    at = &at->child(segment);
  }
  at->here.add(std::move(leaf));
}

route_table::match route_table::find(std::string_view method, std::string_view path) const {
  walk w{method, {}};
  w.search(*root_, path);
  return w.found;
}

awaitable<void> no_such_address(exchange& x) {
  co_await x.respond(error_response(messages::errc::not_found, "no such address"));
}

route_handler handler_of(runtime::http_handler handler) {
  if (!handler) {
    return nullptr;
  }
  return [call = std::move(handler)](exchange& x, const route_args&) { return call(x); };
}

namespace {

awaitable<void> wrong_method(exchange& x, std::string allow) {
  auto refusal = runtime::response::json(405, "\"method not allowed\"");
  refusal.headers.emplace_back("Allow", std::move(allow));
  co_await x.respond(std::move(refusal));
}

}  // namespace

awaitable<void> route_table::handle(exchange& x) const {
  const auto& head = x.head();
  const auto found = find(head.method, head.path);
  if (found.handler != nullptr) {
    return (*found.handler)(x, found.args);
  }
  return found.allow != nullptr ? wrong_method(x, *found.allow) : no_such_address(x);
}

}  // namespace slipway::gateways
