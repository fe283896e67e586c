#pragma once

#include "storage/database.hpp"
#include "storage/embedded_store.hpp"
#include "storage/plan.hpp"

namespace slipway::storage {

/// Replays the log into `target`, which is empty. Durable when it returns.
[[nodiscard]] result<void>
fill(const database& d, const plan& p, const model_set& target, rebuild_report& report);

/// Replays the log into nothing: only checks it.
[[nodiscard]] result<void> check_log(const database& d, rebuild_report& report);

/// Counts what `target` holds and how the current set differs from it.
[[nodiscard]] result<void>
compare(const database& d, const model_set& target, rebuild_report& report);

/// Fills another set and puts it in place of the current one, with the schema's fingerprint.
[[nodiscard]] result<void>
replace_model(database& d, const plan& p, bool compared, rebuild_report& report);

}  // namespace slipway::storage
