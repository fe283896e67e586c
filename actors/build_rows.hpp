#pragma once

#include "actors/build_world.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What builds read of the resource model.
namespace slipway::actors {

/// A build's row with what is named in the rows around it.
struct build_facts {
  std::int64_t build = 0;
  std::int64_t release = 0;
  std::int64_t fleet = 0;
  std::string status;
  std::string source;
  std::string ref;
  std::string commit;
  std::string release_status;
};

[[nodiscard]] std::optional<build_facts> facts_of(
  const domain::row_source& rows,
  std::int64_t build);
/// The last build of a release.
[[nodiscard]] std::optional<build_facts> facts_of_release(
  const domain::row_source& rows,
  std::int64_t release);
/// Builds that are not over.
[[nodiscard]] std::vector<build_facts> unfinished_builds(const domain::row_source& rows);
/// Where the images of a release go, and where those of the fleet's last successful release are.
[[nodiscard]] std::vector<messages::image_place>
places_of(const domain::row_source& rows, std::int64_t fleet, std::int64_t release);

/// Whether a git push moved its ref to the commit that was built. Errors: of the repository, which are logged here.
[[nodiscard]] messages::result<bool> ref_moved(
  const build_world& w,
  std::int64_t fleet,
  const std::string& ref,
  const std::string& commit);
/// How a build that nobody works on any more ends: by its ref if it only waited for that. Errors: those of `ref_moved`.
[[nodiscard]] messages::result<messages::advance_build>
end_of_orphan(const build_world& w, const build_facts& b, const std::string& reason);

}  // namespace slipway::actors
