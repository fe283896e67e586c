#include "gateways/api/odata/executor.hpp"
#include "gateways/api/odata/parser.hpp"
#include "runtime/assert.hpp"
#include "tests/gateways/odata/fixture.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace slipway;
namespace odata = gateways::odata;

/// Input is an address as it stands in a request line, `device(15)?$select=id`. Whatever the bytes: no crash, a refusal says why, and
/// what parses is answered with JSON, or refused for its cost, and never shows another tenant's text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tests::odata::world world;
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  const auto mark = target.find('?');
  const auto query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  const auto& model = *domain::resource_model();
  const auto line = odata::parse_target(model, "v7", target.substr(0, mark), query);
  if (!line) {
    SLIPWAY_ASSERT(!line.error().detail.empty());
    return 0;
  }
  const domain::access rights(model, world.alice, world.rows);
  odata::access granted{world.alice, [&](const auto& resource, const auto& row) {
                          return rights.may_see(resource, row);
                        }};
  granted.rows_examined_max = 5'000;
  const auto body = odata::read(*line, world.rows, granted);
  if (body) {
    SLIPWAY_ASSERT(nlohmann::json::accept(*body));
    SLIPWAY_ASSERT(body->find("other/secret") == std::string::npos);
    SLIPWAY_ASSERT(body->find("dddd4444") == std::string::npos);
  }
  (void)odata::select_ids(*line, world.rows, granted);
  return 0;
}
