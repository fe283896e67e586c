#pragma once

#include "domain/access.hpp"
#include "domain/resource_model.hpp"
#include "gateways/api/odata/executor.hpp"
#include "gateways/api/odata/parser.hpp"
#include "tests/support/memory_rows.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::tests::odata {

namespace engine = gateways::odata;

/// "device(15)?$select=id" -> path and query, with what a client encodes encoded.
std::pair<std::string, std::string> encoded(std::string_view target);

messages::result<engine::request_line> parse(
  std::string_view target,
  std::string_view version = "v7");

/// Ids of the rows that the tests name.
namespace ids {
constexpr std::int64_t alice = 1, bob = 2, acme = 3, other = 4, raspberry = 6, nuc = 70;
constexpr std::int64_t fleet = 7, hidden_fleet = 71, release_1 = 8, release_2 = 81, main = 9;
constexpr std::int64_t image_1 = 10, device_a = 15, device_b = 16, device_c = 17,
                       hidden_device = 18;
}  // namespace ids

/// Two tenants: alice of acme owns `acme/f` with three devices, bob of other owns `other/secret` with one.
class world {
public:
  world();

  /// Body of a GET by alice; a failure is its text under "error".
  nlohmann::json get(std::string_view target, std::string_view version = "v7");
  nlohmann::json
  get_as(const messages::requester& by, std::string_view target, std::string_view version = "v7");
  /// What `get` answers under "d" as ids.
  std::vector<std::int64_t> ids_of(std::string_view target);

  messages::requester alice;
  messages::requester bob;
  memory_rows rows;
  engine::statistics stats;
  std::size_t rows_examined_max = 1'000'000;
  std::size_t response_bytes_max = 1'000'000;
  bool expired = false;
  bool hints = true;

private:
  void add_accounts();
  void add_catalog();
  void add_fleets();
  void add_devices();
};

}  // namespace slipway::tests::odata
