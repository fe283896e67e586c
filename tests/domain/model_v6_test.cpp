#include "domain/device_status.hpp"
#include "domain/draft.hpp"
#include "domain/numbers.hpp"
#include "domain/resource_model.hpp"
#include "tests/support/memory_rows.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace slipway;

TEST_CASE("v6 numbers fields as the model does, so both read the same rows") {
  const auto seven = domain::resource_model();
  const auto six = domain::resource_model_v6();
  for (const auto& r : six->resources()) {
    const auto* known = seven->find(r.number);
    if (known == nullptr) {
      CHECK(r.name == "gateway_download");
      continue;
    }
    INFO(r.name);
    CHECK(known->name == r.name);
    REQUIRE(r.fields.size() >= known->fields.size());
    for (std::size_t i = 0; i < r.fields.size(); ++i) {
      // What v6 has more of is not stored.
      const bool extra = i >= known->fields.size();
      CHECK((!extra || r.fields[i].compute));
      CHECK((extra || !r.fields[i].compute == !known->fields[i].compute));
    }
  }
}

TEST_CASE("every index of v6 is one that rows are kept under") {
  const auto seven = domain::resource_model();
  for (const auto& r : domain::resource_model_v6()->resources()) {
    const auto* known = seven->find(r.number);
    for (const auto& index : r.indices) {
      INFO(r.name << " index " << index.number);
      REQUIRE(known != nullptr);
      CHECK(std::any_of(known->indices.begin(), known->indices.end(), [&](const auto& i) {
        return i.number == index.number && i.fields == index.fields;
      }));
    }
  }
}

TEST_CASE("v6 hides nothing less than v7") {
  const auto seven = domain::resource_model();
  for (const auto& r : domain::resource_model_v6()->resources()) {
    if (const auto* known = seven->find(r.number)) {
      for (const auto& f : known->fields) {
        INFO(r.name << "." << f.name);
        CHECK((!f.hidden || r.fields[f.number].hidden));
        CHECK((!f.read_only || r.fields[f.number].read_only));
      }
    }
  }
}

TEST_CASE("v6 has fewer words for what a device does") {
  using messages::field_value;
  tests::memory_rows rows(*domain::resource_model());
  const auto& n = domain::numbers::get().device;
  const auto words = [&](std::vector<field_value> values) {
    messages::row device(domain::resource_model()->at("device").fields.size());
    domain::put_values(device, values);
    return std::pair(domain::overall_status(device, rows), domain::overall_status_v6(device, rows));
  };
  using pair = std::pair<std::string, std::string>;
  const field_value online{n.api_heartbeat_state, "online"};
  const field_value unknown{n.api_heartbeat_state, "unknown"};
  const field_value seen{n.last_connectivity_event, std::int64_t{1}};
  const field_value vpn{n.is_connected_to_vpn, true};
  CHECK(words({unknown, {n.is_active, false}}) == pair("inactive", "inactive"));
  CHECK(
    words({unknown, {n.provisioning_state, "Post-Provisioning"}})
    == pair("post-provisioning", "post-provisioning"));
  CHECK(words({unknown}) == pair("configuring", "configuring"));
  CHECK(words({unknown, seen}) == pair("disconnected", "offline"));
  CHECK(words({{n.api_heartbeat_state, "offline"}}) == pair("disconnected", "offline"));
  CHECK(
    words({online, vpn, {n.download_progress, std::int64_t{7}}}) == pair("updating", "updating"));
  CHECK(
    words({online, vpn, {n.provisioning_progress, std::int64_t{7}}})
    == pair("configuring", "configuring"));
  CHECK(words({{n.api_heartbeat_state, "timeout"}}) == pair("reduced-functionality", "idle"));
  CHECK(words({unknown, vpn}) == pair("reduced-functionality", "idle"));
  CHECK(words({online}) == pair("reduced-functionality", "idle"));
  CHECK(words({online, vpn}) == pair("operational", "idle"));
}
