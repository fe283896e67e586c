#include "gateways/api/odata/session.hpp"

#include "runtime/assert.hpp"

#include <algorithm>
#include <array>

namespace slipway::gateways::odata {

using messages::row;
using messages::value;

namespace {

/// Rows kept of one request, roughly; beyond it rows are read again when they are met again.
constexpr std::size_t kept_bytes_max = 16U << 20U;
constexpr std::size_t kept_rows_max = 20'000;
constexpr std::size_t rows_between_deadline_checks = 256;
constexpr std::size_t text_between_deadline_checks = 16U << 20U;

std::size_t bytes_of(const row& r) {
  std::size_t n = sizeof(row) + r.size() * sizeof(value);
  for (const auto& v : r) {
    if (const auto* s = std::get_if<std::string>(&v)) {
      n += s->size();
    } else if (const auto* j = std::get_if<messages::json_text>(&v)) {
      n += j->text.size();
    }
  }
  return n;
}

}  // namespace

std::size_t session::key_hash::operator()(const key& k) const noexcept {
  const auto id = static_cast<std::uint64_t>(k.id);
  return (id ^ (std::uint64_t{k.resource} << 53U)) * 0x9e3779b97f4a7c15ULL >> 7U;
}

session::session(const domain::row_source& rows, const access& rights)
  : rows_(rows), rights_(rights) {
  SLIPWAY_ASSERT(rights.visible);
}

row_ptr session::fetch(const domain::resource_def& resource, std::int64_t id) {
  if (!charge()) {
    return nullptr;
  }
  const key k{resource.number, id};
  if (const auto it = cache_.find(k); it != cache_.end()) {
    return it->second;
  }
  auto found = rows_.get(resource.number, id);
  row_ptr r;
  if (found && rights_.visible(resource, *found)) {
    r = own(std::move(*found));
  }
  if (live_bytes_ <= kept_bytes_max && cache_.size() < kept_rows_max) {
    cache_.emplace(k, r);
  }
  return r;
}

void session::related(const row& from, const step& along, const visitor& visit) {
  const auto& nav = *along.navigation;
  if (nav.relate) {
    each(*along.to, nav.relate(from, rights_.by, rows_), visit);
    return;
  }
  if (nav.forward) {
    const auto id = value_of(from, along.from->fields[nav.via]);
    if (const auto* i = std::get_if<std::int64_t>(&id)) {
      if (const auto r = fetch(*along.to, *i)) {
        visit(*r, r);
      }
    }
    return;
  }
  const auto& via = along.to->fields[nav.via];
  const auto own_id = messages::id_of(from);
  if (via.compute) {
    // What is computed has no index.
    scan(*along.to, [&](const row& r, const row_ptr& owner) {
      return value_of(r, via) != value{own_id} || visit(r, owner);
    });
    return;
  }
  const std::array<value, 1> wanted{own_id};
  rows_.lookup(along.to->number, via.number, wanted, [&](std::int64_t id) {
    const auto r = fetch(*along.to, id);
    return !stopped() && (r == nullptr || visit(*r, r));
  });
}

void session::each(
  const domain::resource_def& resource,
  const std::vector<std::int64_t>& ids,
  const visitor& visit) {
  for (const auto id : ids) {
    const auto r = fetch(resource, id);
    if (stopped() || (r != nullptr && !visit(*r, r))) {
      return;
    }
  }
}

void session::scan(const domain::resource_def& resource, const visitor& visit) {
  if (rights_.candidates) {
    if (auto ids = rights_.candidates(resource)) {
      std::sort(ids->begin(), ids->end());
      ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
      each(resource, *ids, visit);
      return;
    }
  }
  rows_.scan(resource.number, 0, [&](const row& r) {
    return charge() && (!rights_.visible(resource, r) || visit(r, nullptr));
  });
}

value session::value_of(const row& r, const domain::field_def& f) const {
  return f.compute ? f.compute(r, rows_) : messages::field(r, f.number);
}

bool session::charge() {
  if (failure_) {
    return false;
  }
  if (++examined_ > rights_.rows_examined_max) {
    too_costly_ = true;
    fail(
      "the query looks at more than " + std::to_string(rights_.rows_examined_max)
      + " rows: narrow its filter");
  } else if (examined_ % rows_between_deadline_checks == 0) {
    check_deadline();
  }
  return !failure_;
}

void session::charge_text(std::size_t bytes) {
  text_bytes_ += bytes;
  if (text_bytes_ > text_between_deadline_checks) {
    text_bytes_ = 0;
    check_deadline();
  }
}

void session::check_deadline() {
  if (!failure_ && rights_.expired && rights_.expired()) {
    too_costly_ = true;
    fail("the query takes too long: narrow its filter");
  }
}

row_ptr session::own(row r) {
  const auto bytes = bytes_of(r);
  live_bytes_ += bytes;
  return {new row(std::move(r)), [this, bytes](const row* p) {
            live_bytes_ -= bytes;
            delete p;
          }};
}

row_ptr session::keep(const row& r, const row_ptr& owner) {
  if (live_bytes_ > kept_bytes_max) {
    return nullptr;
  }
  return owner != nullptr ? owner : own(r);
}

void session::fail(std::string detail) {
  if (!failure_) {
    failure_ = messages::error{messages::errc::invalid_argument, std::move(detail)};
  }
}

}  // namespace slipway::gateways::odata
