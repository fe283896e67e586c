#pragma once

#include "agent/ports.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>

namespace slipway::agent {

/// The last good target and the etag it came with.
struct stored_target {
  std::string etag;
  nlohmann::json body;
};

/// What the agent must remember over restarts: one small file per fact, docs/protocols/agent.md. A file that is gone or
/// damaged counts as never written; nothing is ever deleted on the device because of a missing record.
/// Each actor uses its own files only, so there is no lock; `file_store` is safe for that.
class state_store {
public:
  explicit state_store(file_store& files) : files_(files) {}

  /// Empty body if there is none.
  [[nodiscard]] stored_target load_target();
  [[nodiscard]] messages::result<void> save_target(const stored_target& target);

  /// The report that the platform accepted last; null if unknown.
  [[nodiscard]] nlohmann::json load_report();
  [[nodiscard]] messages::result<void> save_report(const nlohmann::json& report);

  /// Image key -> the reference this agent pulled itself.
  [[nodiscard]] std::map<std::string, std::string> load_images();
  [[nodiscard]] messages::result<void> save_images(
    const std::map<std::string, std::string>& images);

  /// What the applier knows beyond the engine.
  struct progress {
    std::map<std::string, std::string> running;  ///< app uuid -> commit that was reached last
    std::set<std::string> stopped_by_us;         ///< container ids
    /// commit -> service -> image reference, of the last releases: names of containers say no reference.
    std::map<std::string, std::map<std::string, std::string>> releases;
    friend bool operator==(const progress&, const progress&) = default;
  };
  [[nodiscard]] progress load_progress();
  [[nodiscard]] messages::result<void> save_progress(const progress& p);

  /// Apps whose volumes are being emptied.
  [[nodiscard]] std::set<std::string> load_purges();
  [[nodiscard]] messages::result<void> save_purges(const std::set<std::string>& apps);

  /// Key of the supervisor API; "" = none yet.
  [[nodiscard]] std::string load_api_secret();
  [[nodiscard]] messages::result<void> save_api_secret(const std::string& secret);

  /// What was announced to the platform after registration: `uuid public-key`.
  [[nodiscard]] std::string load_announced();
  [[nodiscard]] messages::result<void> save_announced(const std::string& what);

private:
  [[nodiscard]] nlohmann::json load(const std::string& name);
  [[nodiscard]] messages::result<void> save(const std::string& name, const nlohmann::json& j);
  file_store& files_;
};

}  // namespace slipway::agent
