#include "gateways/git/push_tickets.hpp"

#include "runtime/crypto.hpp"

#include <utility>

namespace slipway::gateways::git {

namespace {

constexpr std::size_t ticket_characters = 40;

}  // namespace

std::string push_tickets::open(push p) {
  auto ticket = runtime::random_token(ticket_characters);
  const std::lock_guard lock(mutex_);
  entries_.emplace(runtime::sha256_hex(ticket), entry{std::move(p), {}});
  return ticket;
}

std::optional<push> push_tickets::find(std::string_view ticket) const {
  const auto key = runtime::sha256_hex(ticket);
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  return it != entries_.end() ? std::optional(it->second.about) : std::nullopt;
}

bool push_tickets::started(std::string_view ticket, std::int64_t release) {
  const auto key = runtime::sha256_hex(ticket);
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) {
    return false;
  }
  it->second.releases.push_back(release);
  return true;
}

std::vector<std::int64_t> push_tickets::releases(std::string_view ticket) const {
  const auto key = runtime::sha256_hex(ticket);
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  return it != entries_.end() ? it->second.releases : std::vector<std::int64_t>{};
}

std::vector<std::int64_t> push_tickets::close(std::string_view ticket) {
  const auto key = runtime::sha256_hex(ticket);
  const std::lock_guard lock(mutex_);
  auto node = entries_.extract(key);
  return node ? std::move(node.mapped().releases) : std::vector<std::int64_t>{};
}

}  // namespace slipway::gateways::git
