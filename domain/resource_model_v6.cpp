#include "domain/device_status.hpp"
#include "domain/model_building.hpp"
#include "domain/release_version.hpp"
#include "domain/resource_model.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace slipway::domain {
namespace {

using building::describe;
using messages::row;
using messages::value;

field_def& field_of(resource_def& r, std::string_view name) {
  const auto it = std::find_if(r.fields.begin(), r.fields.end(), [&](const field_def& f) {
    return f.name == name;
  });
  if (it == r.fields.end()) {
    std::abort();  // the table below names what is not there
  }
  return *it;
}

// What v6 lacks keeps its number, under a name that no request can spell, and leads nowhere.
void leave_out(field_def& f) {
  f.name = "(" + f.name + ")";
  f.aliases.clear();
  f.hidden = true;
  f.read_only = true;
  f.backward.clear();
}

void show_as_number(field_def& f) {
  f.indexed = f.indexed || (f.type == field_type::reference && !f.compute);
  f.type = field_type::integer;
  f.backward.clear();
}

void show_as_text(field_def& f) {
  f.type = field_type::text;
}

// In v6 the pin goes by the name that v7 gives to what follows from it.
void call_pin_target(resource_def& device) {
  auto& target = field_of(device, "should_be_running__release");
  auto backward = target.backward;
  leave_out(target);
  auto& pin = field_of(device, "is_pinned_on__release");
  pin.name = "should_be_running__release";
  pin.backward = std::move(backward);
}

void add(resource_def& r, describe d) {
  d.f.number = static_cast<std::uint16_t>(building::first_own_field + r.fields.size());
  r.fields.push_back(std::move(d.f));
}

// Null for ever: what it stood for is gone.
describe nothing(describe d) {
  return std::move(d).computed([](const row&, const row_source&) { return value{}; });
}

struct difference {
  std::string_view resource, field;
  void (*make)(field_def&);
};

constexpr std::array differences{
  difference{"device", "should_be_managed_by__release", leave_out},
  difference{"device", "changed_api_heartbeat_state_on__date", leave_out},
  difference{"user", "actor", show_as_number},
  difference{"application", "actor", show_as_number},
  difference{"device", "actor", show_as_number},
  difference{"image", "image_size", show_as_number},
  difference{"image", "contract", show_as_text},
  difference{"release", "contract", show_as_text}};

void change_device(resource_def& device) {
  call_pin_target(device);
  field_of(device, "overall_status").compute = [](const row& r, const row_source& rows) {
    return value(overall_status_v6(r, rows));
  };
  add(device, nothing(building::text("logs_channel")));
  add(device, nothing(building::text("vpn_address")));
  add(device, nothing(building::ref("is_managed_by__device", "device").back({"manages__device"})));
}

void change_release(resource_def& release) {
  add(
    release,
    building::text("release_type")
      .one_of({"draft", "final"})
      .computed(
        [](const row& r, const row_source&) { return value(is_final(r) ? "final" : "draft"); }));
}

// Devices that fetched images for others. Its number is beyond all that have rows.
constexpr std::uint16_t gateway_download_number = 126;

resource_def gateway_download() {
  return building::resource(
    gateway_download_number,
    "gateway_download",
    {},
    messages::entity_kind::none,
    {},
    {nothing(building::ref("image", "image").back({"gateway_download"})),
     nothing(building::ref("is_downloaded_by__device", "device").back({"gateway_download"})),
     nothing(building::text("status")),
     nothing(building::integer("download_progress"))});
}

}  // namespace

std::shared_ptr<const schema> resource_model_v6() {
  static const auto model = [] {
    auto all = building::everything();
    std::erase_if(all, [](const resource_def& r) {
      return r.name == "release_asset" || r.name == "build" || r.name == "builder";
    });
    for (auto& r : all) {
      for (const auto& d : differences) {
        if (r.name == d.resource) {
          d.make(field_of(r, d.field));
        }
      }
      if (r.name == "device") {
        change_device(r);
      } else if (r.name == "release") {
        change_release(r);
      } else if (r.name == "application") {
        add(
          r,
          nothing(building::ref("depends_on__application", "application")
                    .back({"is_depended_on_by__application"})));
      }
    }
    all.push_back(gateway_download());
    return std::make_shared<const schema>(std::move(all));
  }();
  return model;
}

}  // namespace slipway::domain
