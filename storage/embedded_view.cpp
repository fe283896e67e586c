#include "storage/embedded_view.hpp"

#include "runtime/assert.hpp"
#include "runtime/log.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"

#include <algorithm>

namespace slipway::storage {
namespace {

// A read that fails is a broken disk or a mistake of ours; `row_source` has no errors, and to answer "no such row" would be
// to decide on a lie.
void require_ok(const rocksdb::Status& s) {
  if (!s.ok()) {
    runtime::log::error("cannot read the read model", {{"cause", s.ToString()}});
  }
  SLIPWAY_ASSERT(s.ok());
}

messages::row decoded(const rocksdb::Slice& bytes) {
  auto row = decode_row({bytes.data(), bytes.size()});
  if (!row) {
    runtime::log::error("cannot read the read model", {{"cause", row.error().detail}});
  }
  SLIPWAY_ASSERT(row.has_value());
  return std::move(*row);
}

std::int64_t named_row(const rocksdb::Slice& key, const rocksdb::Slice& value) {
  const auto& holder = value.empty() ? key : value;
  SLIPWAY_ASSERT(holder.size() >= sizeof(std::uint64_t));
  return static_cast<std::int64_t>(
    keys::read_u64({holder.data() + holder.size() - sizeof(std::uint64_t), sizeof(std::uint64_t)}));
}

}  // namespace

/// The kept iterator, or a new one while a visitor looks something up within a look-up.
class embedded_view::borrowed {
public:
  explicit borrowed(const embedded_view& v)
    : view_(v),
      it_(
        v.index_iterator_
          ? std::move(v.index_iterator_)
          : std::unique_ptr<rocksdb::Iterator>(
            v.database_->db().NewIterator(v.options(), v.database_->model().index))) {}
  borrowed(const borrowed&) = delete;
  borrowed& operator=(const borrowed&) = delete;
  ~borrowed() { view_.index_iterator_ = std::move(it_); }
  rocksdb::Iterator* operator->() const { return it_.get(); }

private:
  const embedded_view& view_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

embedded_view::embedded_view(
  std::shared_ptr<database> d,
  std::shared_ptr<const plan> p,
  embedded_log::instant at)
  : database_(std::move(d)), plan_(std::move(p)), at_(at) {}

embedded_view::~embedded_view() {
  index_iterator_.reset();
  database_->db().ReleaseSnapshot(at_.snapshot);
}

rocksdb::ReadOptions embedded_view::options() const {
  rocksdb::ReadOptions o;
  o.snapshot = at_.snapshot;
  return o;
}

event_log::heads embedded_view::position() const {
  if (!at_.pending) {
    return at_.before;
  }
  // The write under way is one batch: any record of it tells for all.
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto i = static_cast<std::size_t>(p);
    if ((*at_.pending)[i] == at_.before[i]) {
      continue;
    }
    std::string key;
    keys::append_log(key, p, (*at_.pending)[i]);
    rocksdb::PinnableSlice found;
    const auto s = database_->db().Get(options(), database_->log(), slice(key), &found);
    if (s.IsNotFound()) {
      return at_.before;
    }
    require_ok(s);
    break;
  }
  return *at_.pending;
}

std::optional<messages::row> embedded_view::get(std::uint16_t resource, std::int64_t id) const {
  std::string key;
  keys::append_row(key, resource, id);
  rocksdb::PinnableSlice found;
  const auto s = database_->db().Get(options(), database_->model().rows, slice(key), &found);
  if (s.IsNotFound()) {
    return std::nullopt;
  }
  require_ok(s);
  return decoded(found);
}

void embedded_view::lookup(
  std::uint16_t resource,
  std::uint16_t index,
  std::span<const messages::value> values,
  const visitor& visit) const {
  const auto* r = plan_->find(resource);
  SLIPWAY_ASSERT(r != nullptr);
  const auto* i = r->find(index);
  SLIPWAY_ASSERT(i != nullptr && values.size() <= i->fields.size());
  std::string prefix;
  keys::append_index(prefix, resource, index);
  for (const auto& value : values) {
    keys::append_value(prefix, value);
  }
  const bool one = i->unique && values.size() == i->fields.size()
                   && std::none_of(values.begin(), values.end(), messages::is_null);
  if (!one) {
    each_entry(prefix, visit);
    return;
  }
  rocksdb::PinnableSlice found;
  const auto s = database_->db().Get(options(), database_->model().index, slice(prefix), &found);
  if (s.IsNotFound()) {
    return;
  }
  require_ok(s);
  visit(named_row({}, found));
}

void embedded_view::each_entry(const std::string& prefix, const visitor& visit) const {
  const borrowed it(*this);
  for (it->Seek(slice(prefix)); it->Valid() && it->key().starts_with(slice(prefix)); it->Next()) {
    if (!visit(named_row(it->key(), it->value()))) {
      return;
    }
  }
  require_ok(it->status());
}

void embedded_view::lookup_prefix(
  std::uint16_t resource,
  std::uint16_t index,
  std::string_view prefix,
  const visitor& visit) const {
  const auto* r = plan_->find(resource);
  SLIPWAY_ASSERT(r != nullptr);
  const auto* i = r->find(index);
  SLIPWAY_ASSERT(i != nullptr);
  std::string key;
  keys::append_index(key, resource, index);
  keys::append_text_prefix(key, prefix);
  if (prefix.size() <= keys::index_text_bytes_max) {
    each_entry(key, visit);
    return;
  }
  // The index knows only the first bytes of such texts; the rows know the rest.
  each_entry(key, [&](std::int64_t id) {
    const auto row = get(resource, id);
    const auto* text =
      row ? std::get_if<std::string>(&messages::field(*row, i->fields.front())) : nullptr;
    return text == nullptr || text->compare(0, prefix.size(), prefix) != 0 || visit(id);
  });
}

void embedded_view::scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit)
  const {
  std::string lower;
  keys::append_row(lower, resource, std::max<std::int64_t>(from, 0));
  std::string upper;
  keys::append_row(upper, resource, -1);  // past every id
  const auto end = slice(upper);
  auto o = options();
  o.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> it(
    database_->db().NewIterator(o, database_->model().rows));
  for (it->Seek(slice(lower)); it->Valid(); it->Next()) {
    if (!visit(decoded(it->value()))) {
      return;
    }
  }
  require_ok(it->status());
}

}  // namespace slipway::storage
