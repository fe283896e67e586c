#include "domain/build_life.hpp"

#include <algorithm>

namespace slipway::domain {

using namespace build_status;

bool is_over(std::string_view status) {
  return status == released || status == failed || status == cancelled;
}

bool may_follow(std::string_view from, std::string_view to) {
  if (is_over(from) || std::find(all.begin(), all.end(), to) == all.end()) {
    return false;
  }
  if (from == to || to == failed || to == cancelled) {
    return true;
  }
  return (from == queued && to == running) || (from == running && (to == queued || to == pushed))
         || (from == pushed && to == released);
}

}  // namespace slipway::domain
