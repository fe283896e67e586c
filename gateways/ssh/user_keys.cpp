#include "gateways/ssh/user_keys.hpp"

#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "domain/ssh_key.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"

#include <chrono>
#include <thread>

namespace slipway::gateways::ssh {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;

void user_keys::read() {
  const auto& k = get().user_public_key;
  by_digest_.clear();
  const auto view = store_.rows->view();
  read_at_ = view->position();
  view->scan(k.resource, 0, [&](const messages::row& r) {
    if (const auto key = domain::parse_ssh_public_key(as_text(field(r, k.public_key)))) {
      // Of two users with one key the first has it.
      by_digest_.try_emplace(
        runtime::sha256_hex(key->blob),
        owner{messages::id_of(r), as_int(field(r, k.user))});
    }
    return true;
  });
  read_ms_ = runtime::steady_ms();
}

bool user_keys::holds(const domain::row_source& rows, const owner& o, std::string_view blob) const {
  const auto& k = get().user_public_key;
  const auto row = rows.get(k.resource, o.row);
  const auto key = row ? domain::parse_ssh_public_key(as_text(field(*row, k.public_key)))
                       : messages::result<domain::ssh_public_key>(fail(errc::not_found, ""));
  return key && key->blob == blob && as_int(field(*row, k.user)) == o.user;
}

std::optional<user_keys::owner> user_keys::find(std::string_view blob) {
  const auto digest = runtime::sha256_hex(blob);
  std::unique_lock lock(mutex_);
  for (const bool last : {false, true}) {
    const auto it = by_digest_.find(digest);
    if (it != by_digest_.end() && holds(*store_.rows->view(), it->second, blob)) {
      return it->second;
    }
    if (last || (read_ms_ != 0 && store_.log->last() == read_at_)) {
      return std::nullopt;
    }
    const auto wait = read_ms_ == 0 ? 0 : read_ms_ + reread_ms - runtime::steady_ms();
    if (wait > 0) {
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
      lock.lock();
    }
    if (read_ms_ == 0 || runtime::steady_ms() - read_ms_ >= reread_ms) {
      read();
    }
  }
  return std::nullopt;
}

messages::result<messages::requester> user_keys::admit(const owner& o, std::string_view blob)
  const {
  const auto view = store_.rows->view();
  auto by = holds(*view, o, blob) ? domain::requester_of_user(*view, o.user) : std::nullopt;
  if (!by) {
    return fail(errc::unauthorized, "the SSH key is not registered any more");
  }
  by->by_key = true;
  return std::move(*by);
}

}  // namespace slipway::gateways::ssh
