#include "storage/plan.hpp"

#include "runtime/assert.hpp"

#include <algorithm>
#include <map>

namespace slipway::storage {
namespace {

// Grows when the projection itself changes what it writes for the same events.
constexpr int projection_version = 1;

std::string violation_text(const domain::resource_def& r, const domain::index_def& index) {
  std::string text;
  for (const auto field : index.fields) {
    text += text.empty() ? "\"" : " and \"";
    text += r.fields[field].name + "\"";
  }
  return text + " must be unique.";
}

}  // namespace

const plan::index* plan::resource::find(std::uint16_t index_number) const {
  const auto it = std::find_if(indices.begin(), indices.end(), [index_number](const index& i) {
    return i.number == index_number;
  });
  return it == indices.end() ? nullptr : &*it;
}

plan::plan(std::shared_ptr<const domain::schema> s) : schema_(std::move(s)) {
  std::map<std::uint16_t, std::string> described;
  for (const auto& def : schema_->resources()) {
    auto r = std::make_unique<resource>();
    r->number = def.number;
    r->field_count = def.fields.size();
    std::map<std::uint16_t, std::string> indices;
    for (const auto& defined : def.indices) {
      SLIPWAY_ASSERT(!defined.fields.empty());
      r->indices.push_back(
        {defined.number, defined.unique, defined.fields, violation_text(def, defined)});
      auto& text = indices[defined.number];
      SLIPWAY_ASSERT(text.empty());
      text = std::to_string(defined.number) + (defined.unique ? "u" : "");
      for (const auto field : defined.fields) {
        SLIPWAY_ASSERT(field < def.fields.size());
        text += "," + std::to_string(field);
      }
    }
    auto& text = described[def.number];
    text = "r" + std::to_string(def.number);
    for (const auto& [number, layout] : indices) {
      text += " i" + layout;
    }
    if (by_number_.size() <= def.number) {
      by_number_.resize(def.number + 1U);
    }
    by_number_[def.number] = std::move(r);
  }
  fingerprint_ = "v" + std::to_string(projection_version);
  for (const auto& [number, text] : described) {
    fingerprint_ += "\n" + text;
  }
}

}  // namespace slipway::storage
