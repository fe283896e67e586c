#include "domain/resource_model.hpp"

#include "domain/model_building.hpp"

#include <iterator>
#include <utility>

namespace slipway::domain {

std::vector<resource_def> building::everything() {
  std::vector<resource_def> all;
  for (auto part : {accounts(), memberships(), catalog(), fleets(), releases(), devices()}) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

std::shared_ptr<const schema> resource_model() {
  static const auto model = std::make_shared<const schema>(building::everything());
  return model;
}

}  // namespace slipway::domain
