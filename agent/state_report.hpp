#pragma once

#include "agent/ports.hpp"
#include "agent/state_store.hpp"
#include "domain/planner.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string>

namespace slipway::agent {

/// What a report about the apps is made of.
struct report_input {
  const domain::current_state& current;
  const domain::desired_state& desired;
  const std::map<std::string, int>& downloads;  ///< image key -> percent, of pulls that run
  const state_store::progress& progress;
  bool converged = false;
  std::string device_uuid;
};

/// Member `apps` of the v3 state report: only apps of the target, or the platform refuses the whole report. Services of the
/// release before are in it as long as their containers are there and their image is known.
[[nodiscard]] nlohmann::json report_apps(const report_input& in);

/// Scalars of the report from what the host says. Metrics are bucketed, so that noise is no change.
[[nodiscard]] nlohmann::json report_host(const host_facts& facts, const host_metrics& metrics);

/// Members of `now` that differ from `before`, with `apps` whole or not at all: the platform takes installs that a report
/// with `apps` does not list for deleted.
[[nodiscard]] nlohmann::json report_difference(
  const nlohmann::json& before,
  const nlohmann::json& now);

}  // namespace slipway::agent
