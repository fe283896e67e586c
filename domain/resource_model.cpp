#include "domain/resource_model.hpp"

#include "domain/model_building.hpp"

#include <iterator>
#include <utility>

namespace slipway::domain {

std::shared_ptr<const schema> resource_model() {
  using namespace building;
  static const auto model = [] {
    std::vector<resource_def> all;
    for (auto part : {accounts(), memberships(), catalog(), fleets(), releases(), devices()}) {
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
    return std::make_shared<const schema>(std::move(all));
  }();
  return model;
}

}  // namespace slipway::domain
