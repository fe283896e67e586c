#include "domain/schema.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace slipway::domain {
namespace {

[[noreturn]] void contradiction(const std::string& what) {
  std::fprintf(stderr, "resource model: %s\n", what.c_str());
  std::abort();
}

void require(bool condition, const std::string& what) {
  if (!condition) {
    contradiction(what);
  }
}

field_def implicit(std::uint16_t number, std::string name, field_type type) {
  field_def f;
  f.number = number;
  f.name = std::move(name);
  f.type = type;
  f.read_only = true;
  return f;
}

// Every resource begins with the same three fields; the rest is put at the element of its number.
void place_fields(resource_def& r) {
  std::vector<field_def> placed{
    implicit(0, "id", field_type::integer),
    implicit(1, "created_at", field_type::date),
    implicit(2, "modified_at", field_type::date)};
  for (auto& f : r.fields) {
    require(
      f.number == placed.size(),
      r.name + "." + f.name + ": numbers begin at 3, without gaps");
    placed.push_back(std::move(f));
  }
  r.fields = std::move(placed);
}

void name_fields(resource_def& r) {
  for (const auto& f : r.fields) {
    require(r.field_by_name.emplace(f.name, f.number).second, r.name + "." + f.name + " twice");
    for (const auto& alias : f.aliases) {
      require(r.field_by_name.emplace(alias, f.number).second, r.name + "." + alias + " twice");
    }
  }
}

void index_fields(resource_def& r) {
  for (const auto& f : r.fields) {
    if (!f.compute && (f.indexed || f.unique || f.type == field_type::reference)) {
      r.indices.push_back({f.number, {f.number}, f.unique});
    }
  }
}

void add_navigation(resource_def& r, navigation_def n) {
  for (const auto& name : n.names) {
    require(
      r.navigation_by_name.emplace(name, r.navigations.size()).second,
      r.name + " navigates by " + name + " twice");
  }
  r.navigations.push_back(std::move(n));
}

}  // namespace

const field_def* resource_def::find_field(std::string_view any_name) const {
  const auto it = field_by_name.find(std::string(any_name));
  return it == field_by_name.end() ? nullptr : &fields[it->second];
}

const navigation_def* resource_def::find_navigation(std::string_view any_name) const {
  const auto it = navigation_by_name.find(std::string(any_name));
  return it == navigation_by_name.end() ? nullptr : &navigations[it->second];
}

std::uint16_t resource_def::field(std::string_view any_name) const {
  const auto* f = find_field(any_name);
  require(f != nullptr, name + " has no field " + std::string(any_name));
  return f->number;
}

std::uint16_t resource_def::index(std::initializer_list<std::string_view> field_names) const {
  std::vector<std::uint16_t> wanted;
  for (const auto field_name : field_names) {
    wanted.push_back(field(field_name));
  }
  const auto it = std::find_if(indices.begin(), indices.end(), [&](const index_def& i) {
    return i.fields == wanted;
  });
  require(it != indices.end(), name + " has no such index");
  return it->number;
}

schema::schema(std::vector<resource_def> resources) : resources_(std::move(resources)) {
  for (std::size_t i = 0; i < resources_.size(); ++i) {
    auto& r = resources_[i];
    place_fields(r);
    name_fields(r);
    index_fields(r);
    // What was listed as navigation so far has no name in the map yet.
    auto listed = std::move(r.navigations);
    r.navigations.clear();
    for (auto& n : listed) {
      add_navigation(r, std::move(n));
    }
    if (by_number_.size() <= r.number) {
      by_number_.resize(r.number + 1U, -1);
    }
    require(by_number_[r.number] == -1, r.name + ": number used twice");
    by_number_[r.number] = static_cast<int>(i);
    require(by_name_.emplace(r.name, i).second, r.name + " twice");
    for (const auto& alias : r.aliases) {
      require(by_name_.emplace(alias, i).second, alias + " twice");
    }
  }
  for (auto& r : resources_) {
    for (const auto& f : r.fields) {
      if (f.type != field_type::reference) {
        continue;
      }
      const auto it = by_name_.find(f.references);
      require(it != by_name_.end(), r.name + "." + f.name + " references nothing");
      auto& other = resources_[it->second];
      navigation_def forward{{f.name}, other.number, f.number, true, nullptr};
      forward.names.insert(forward.names.end(), f.aliases.begin(), f.aliases.end());
      add_navigation(r, std::move(forward));
      if (!f.backward.empty()) {
        add_navigation(other, {f.backward, r.number, f.number, false, nullptr});
      }
    }
  }
}

const resource_def* schema::find(std::string_view any_name) const {
  const auto it = by_name_.find(std::string(any_name));
  return it == by_name_.end() ? nullptr : &resources_[it->second];
}

const resource_def* schema::find(std::uint16_t number) const {
  return number < by_number_.size() && by_number_[number] >= 0
           ? &resources_[static_cast<std::size_t>(by_number_[number])]
           : nullptr;
}

const resource_def& schema::at(std::string_view any_name) const {
  const auto* r = find(any_name);
  require(r != nullptr, "no resource " + std::string(any_name));
  return *r;
}

}  // namespace slipway::domain
