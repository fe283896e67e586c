#include "domain/resource_model.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <map>
#include <sstream>

using namespace slipway;

namespace {

/// One line per resource, field and composite index: what is on disk and must never mean something else.
std::string described() {
  std::ostringstream out;
  std::map<int, const domain::resource_def*> by_number;
  for (const auto& r : domain::resource_model()->resources()) {
    by_number[r.number] = &r;
  }
  for (const auto& [number, resource] : by_number) {
    const auto& r = *resource;
    out << r.number << " " << r.name << "\n";
    for (const auto& f : r.fields) {
      out << "  " << f.number << " " << f.name << (f.compute ? " computed" : "") << " type "
          << static_cast<int>(f.type) << (f.references.empty() ? "" : " " + f.references) << "\n";
    }
    for (const auto& i : r.indices) {
      if (i.number >= domain::first_composite) {
        out << "  index " << i.number;
        for (const auto f : i.fields) {
          out << " " << f;
        }
        out << (i.unique ? " unique" : "") << "\n";
      }
    }
  }
  return out.str();
}

}  // namespace

TEST_CASE("numbers of resources, fields and indices are the ones that are on disk") {
  const std::string file = SLIPWAY_GOLDEN_DIR "/resource_model.txt";
  std::ifstream in(file);
  std::stringstream golden;
  golden << in.rdbuf();
  if (std::getenv("SLIPWAY_WRITE_GOLDEN") != nullptr) {
    std::ofstream(file) << described();
  }
  // New lines may be added to the file with what they describe; a line that is there never changes.
  std::istringstream now(described());
  std::string line;
  std::istringstream before(golden.str());
  while (std::getline(before, line)) {
    std::string other;
    REQUIRE(std::getline(now, other));
    CHECK(other == line);
  }
  CHECK_FALSE(std::getline(now, line));
}

TEST_CASE("every row can be traced to the entity that writes it") {
  const auto model = domain::resource_model();
  for (const auto& r : model->resources()) {
    const auto* at = &r;
    for (const auto& step : r.root_path) {
      INFO(r.name << " " << step);
      const auto& f = at->fields[at->field(step)];
      REQUIRE(f.type == domain::field_type::reference);
      CHECK(f.required);
      at = &model->at(f.references);
      CHECK(at->root == r.root);
    }
    CHECK(at->root_path.empty());
  }
}

TEST_CASE("clients' long and short names find the same resource") {
  const auto model = domain::resource_model();
  CHECK(model->find("image__is_part_of__release") == model->find("release_image"));
  CHECK(model->find("device__has__env_var_name") == model->find("device_environment_variable"));
  CHECK(model->find("user__is_member_of__organization") == model->find("organization_membership"));
  CHECK(model->find("no_such_thing") == nullptr);
}
