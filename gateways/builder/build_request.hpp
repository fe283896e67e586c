#pragma once

#include "domain/project_plan.hpp"
#include "gateways/services.hpp"
#include "messages/error.hpp"
#include "messages/requester.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::gateways::builder {

/// What a client asks to be built, from its query (docs/protocols/builder.md).
struct build_request {
  std::string slug;
  std::string dockerfile_path;
  bool no_cache = false;
  bool headless = false;
  bool draft = false;
};
/// Errors: invalid_argument.
[[nodiscard]] messages::result<build_request> parse_build_request(std::string_view query);

/// The fleet that a build is for, and what that means for its project.
struct build_fleet {
  std::int64_t id = 0;
  std::int64_t organization = 0;
  std::string slug;
  domain::project_target target;
};
/// By its slug. Errors: not_found (also for who may not see it), unauthorized.
[[nodiscard]] messages::result<build_fleet>
find_build_fleet(const services& s, const messages::requester& by, const std::string& slug);
[[nodiscard]] messages::result<build_fleet>
build_fleet_of(const services& s, const messages::requester& by, std::int64_t fleet);

}  // namespace slipway::gateways::builder
