#include "storage/embedded_store.hpp"

#include "runtime/assert.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"
#include "storage/embedded_log.hpp"
#include "storage/embedded_snapshots.hpp"
#include "storage/embedded_view.hpp"
#include "storage/rebuild.hpp"

#include <rocksdb/write_batch.h>

namespace slipway::storage {
namespace {

// A store without rows takes the schema as it is; else a difference means that rows or indices are laid out anew.
result<void> follow_schema(database& d, const plan& p) {
  const auto stored = d.read_meta(meta_keys::schema);
  if (!stored) {
    return tl::unexpected(stored.error());
  }
  if (*stored == p.fingerprint()) {
    return {};
  }
  if (stored->empty()) {
    const auto s = d.db().Put(synced(), d.meta(), slice(meta_keys::schema), slice(p.fingerprint()));
    if (!s.ok()) {
      return tl::unexpected(to_error("write the schema's fingerprint", s));
    }
    return {};
  }
  runtime::log::info("the resource model changed, rebuilding the read model from the log");
  rebuild_report report;
  auto done = replace_model(d, p, false, report);
  if (done) {
    runtime::log::info(
      "read model rebuilt",
      {{"commits", std::to_string(report.commits)}, {"events", std::to_string(report.events)}});
  }
  return done;
}

}  // namespace

messages::result<store> open_embedded(const embedded_options& o) {
  SLIPWAY_ASSERT(o.schema != nullptr);
  auto d = database::open(o.path, o.env);
  if (!d) {
    return tl::unexpected(d.error());
  }
  const auto p = std::make_shared<const plan>(o.schema);
  if (auto followed = follow_schema(**d, *p); !followed) {
    return tl::unexpected(followed.error());
  }
  SLIPWAY_FAILPOINT("storage.open.opened");
  auto log = embedded_log::open(*d, p);
  if (!log) {
    return tl::unexpected(log.error());
  }
  store s;
  s.rows = std::make_shared<embedded_rows>(*d, p, *log);
  s.snapshots = std::make_shared<embedded_snapshots>(*d);
  s.log = std::move(*log);
  return s;
}

messages::result<rebuild_report> rebuild(const embedded_options& o) {
  SLIPWAY_ASSERT(o.schema != nullptr);
  auto d = database::open(o.path, o.env);
  if (!d) {
    return tl::unexpected(d.error());
  }
  rebuild_report report;
  if (auto done = replace_model(**d, plan(o.schema), true, report); !done) {
    return tl::unexpected(done.error());
  }
  return report;
}

messages::result<rebuild_report> verify(const embedded_options& o) {
  auto d = database::open(o.path, o.env);
  if (!d) {
    return tl::unexpected(d.error());
  }
  rebuild_report report;
  if (auto done = check_log(**d, report); !done) {
    return tl::unexpected(done.error());
  }
  return report;
}

}  // namespace slipway::storage
