#include "gateways/login/attempt_limiter.hpp"

#include "runtime/crypto.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace slipway::gateways {

attempt_limiter::attempt_limiter(limits l) : limits_(l), seed_(runtime::random_bytes(16)) {}

std::uint64_t attempt_limiter::key_of(std::string_view what) const {
  const auto digest = runtime::sha256_hex(seed_ + std::string(what));
  std::uint64_t key = 0;
  std::from_chars(digest.data(), digest.data() + 16, key, 16);
  return key == 0 ? 1 : key;
}

bool attempt_limiter::over(const entry& e, std::int64_t now_ms) const {
  return e.key == 0
         || (e.blocked_until <= now_ms && (e.blocked_until != 0 || e.since + limits_.window_ms <= now_ms));
}

attempt_limiter::entry* attempt_limiter::find(std::uint64_t key) {
  if (entries_.empty()) {
    return nullptr;
  }
  auto* first = &entries_[(key % limits_.sets) * ways];
  auto* found = std::find_if(first, first + ways, [key](const entry& e) { return e.key == key; });
  return found == first + ways ? nullptr : found;
}

attempt_limiter::entry* attempt_limiter::place(std::uint64_t key, std::int64_t now_ms) {
  if (entries_.empty()) {
    entries_.resize(limits_.sets * ways);
  }
  auto* first = &entries_[(key % limits_.sets) * ways];
  entry* least = nullptr;
  for (auto* e = first; e != first + ways; ++e) {
    if (over(*e, now_ms)) {
      return e;
    }
    const bool blocked = e->blocked_until > now_ms;
    if (!blocked && (least == nullptr || e->count < least->count)) {
      least = e;
    }
  }
  return least;
}

std::int64_t attempt_limiter::begin(std::string_view what, std::int64_t now_ms) {
  const auto key = key_of(what);
  const std::lock_guard lock(mutex_);
  auto* e = find(key);
  if (e == nullptr) {
    e = place(key, now_ms);
    if (e == nullptr) {
      return limits_.block_ms;
    }
    *e = {key, now_ms, 0, 0};
  } else if (over(*e, now_ms)) {
    *e = {key, now_ms, 0, 0};
  }
  if (e->blocked_until > now_ms) {
    return e->blocked_until - now_ms;
  }
  if (++e->count >= limits_.tries_max) {
    e->blocked_until = now_ms + limits_.block_ms;
  }
  return 0;
}

void attempt_limiter::forget(std::string_view what) {
  const auto key = key_of(what);
  const std::lock_guard lock(mutex_);
  if (auto* e = find(key)) {
    *e = {};
  }
}

void attempt_limiter::take_back(std::string_view what) {
  const auto key = key_of(what);
  const std::lock_guard lock(mutex_);
  auto* e = find(key);
  if (e != nullptr && e->count > 0) {
    --e->count;
    e->blocked_until = 0;
  }
}

std::string limited_address(std::string_view peer) {
  const std::string text(peer);
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24U) == 127 ? "" : text;
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) {
    return text;
  }
  if (IN6_IS_ADDR_LOOPBACK(&v6)) {
    return "";
  }
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::array<char, INET_ADDRSTRLEN> mapped{};
    inet_ntop(AF_INET, &v6.s6_addr[12], mapped.data(), mapped.size());
    return limited_address(mapped.data());
  }
  return "/64 " + runtime::hex({reinterpret_cast<const char*>(v6.s6_addr), 8});
}

}  // namespace slipway::gateways
