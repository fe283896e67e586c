#include "domain/login_rules.hpp"

#include "domain/rule_hooks.hpp"
#include "domain/ssh_key.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {

using messages::as_int;
using messages::as_text;
using messages::field;
using messages::is_null;
using messages::value;

namespace {

const numbers::user& u() {
  return numbers::get().user;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto space = text.find(' ');
    if (space != 0) {
      out.push_back(text.substr(0, space));
    }
    text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  }
  std::sort(out.begin(), out.end());
  return out;
}

/// Either some of the codes before are used up, or all are new: else two uses at once would bring a used code back.
bool uses_up_or_replaces(std::string_view before, std::string_view after) {
  const auto old = words(before);
  const auto now = words(after);
  const bool fewer =
    now.size() < old.size() && std::includes(old.begin(), old.end(), now.begin(), now.end());
  const bool all_new = std::none_of(now.begin(), now.end(), [&](std::string_view w) {
    return std::binary_search(old.begin(), old.end(), w);
  });
  return fewer || (all_new && !now.empty());
}

hooks::checked check_second_factor(const hooks::change_set& set) {
  const auto& before = set.before;
  const bool same_secret =
    field(before, u().two_factor_secret) == field(set.after, u().two_factor_secret);
  const auto& last = field(before, u().two_factor_last_step);
  if (
    same_secret && set.gave(u().two_factor_last_step) && !is_null(last)
    && as_int(field(set.after, u().two_factor_last_step)) <= as_int(last)) {
    return hooks::broken("a code works once.");
  }
  const auto& codes = field(set.after, u().two_factor_recovery_codes);
  if (
    set.gave(u().two_factor_recovery_codes) && !is_null(codes)
    && !uses_up_or_replaces(
      as_text(field(before, u().two_factor_recovery_codes)),
      as_text(codes))) {
    return hooks::broken("a recovery code works once.");
  }
  return {};
}

void set_key(hooks::change_set& set, numbers::number from, numbers::number to) {
  const auto& name = field(set.after, from);
  set.set(to, is_null(name) ? value{} : value(name_key(as_text(name))));
}

/// The user's sessions, the one that ends first first.
std::vector<std::pair<std::int64_t, std::int64_t>> sessions_of(const draft& d, std::int64_t user) {
  const auto& s = numbers::get().login_session;
  const std::array<value, 1> key{user};
  std::vector<std::pair<std::int64_t, std::int64_t>> found;
  for (const auto id : d.all(s.resource, s.user, key)) {
    if (const auto r = d.get(s.resource, id)) {
      found.emplace_back(as_int(field(*r, s.expires_at)), id);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

hooks::checked before_create_session(draft& d, const rule_context&, hooks::change_set& set) {
  const auto& s = numbers::get().login_session;
  auto all = sessions_of(d, as_int(field(set.after, s.user)));
  auto over = std::partition_point(all.begin(), all.end(), [&](const auto& session) {
    return session.first <= d.now();
  });
  const auto live = static_cast<std::size_t>(all.end() - over);
  if (live >= sessions_max) {
    over += static_cast<std::ptrdiff_t>(live - sessions_max + 1);
  }
  for (auto it = all.begin(); it != over; ++it) {
    d.remove(s.resource, it->second);
  }
  return {};
}

// A device's sshd gets these lines, so nothing but keys may be among them.
hooks::checked check_public_key(draft&, const rule_context&, hooks::change_set& set) {
  const auto number = numbers::get().user_public_key.public_key;
  auto line = as_text(field(set.after, number));
  const auto key = parse_ssh_public_key(line);
  if (!key) {
    return tl::unexpected(key.error());
  }
  const auto first = line.find_first_not_of(" \t");
  const auto last = line.find_last_not_of(" \t\r\n");
  set.set(number, line.substr(first, last + 1 - first));
  return {};
}

}  // namespace

std::string name_key(std::string_view name) {
  return hooks::lower(name);
}

std::optional<std::string> without_recovery_code(std::string_view codes, std::string_view hash) {
  std::string left;
  bool found = false;
  for (const auto word : words(codes)) {
    if (word == hash) {
      found = true;
    } else {
      left += (left.empty() ? "" : " ") + std::string(word);
    }
  }
  return found ? std::optional(left) : std::nullopt;
}

std::vector<messages::field_value> without_second_factor() {
  return {
    {u().has_two_factor_enabled, false},
    {u().two_factor_secret, messages::null{}},
    {u().two_factor_last_step, messages::null{}},
    {u().two_factor_recovery_codes, messages::null{}}};
}

namespace hooks {

checked before_login_data_change(change_set& set) {
  set_key(set, u().username, u().username_key);
  set_key(set, u().email, u().email_key);
  return set.before.empty() ? checked{} : check_second_factor(set);
}

void end_sessions(draft& d, std::int64_t user) {
  for (const auto& session : sessions_of(d, user)) {
    d.remove(numbers::get().login_session.resource, session.second);
  }
}

void add_login_hooks(std::vector<entry>& table) {
  table[numbers::get().login_session.resource] = {before_create_session, nullptr, nullptr, nullptr};
  table[numbers::get().user_public_key.resource] = {
    check_public_key,
    check_public_key,
    nullptr,
    nullptr};
}

}  // namespace hooks

}  // namespace slipway::domain
