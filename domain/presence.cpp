#include "domain/presence.hpp"

namespace slipway::domain {

std::optional<presence_change> decide_presence(
  const presence& known,
  const messages::set_presence& word) {
  if (word.epoch < known.epoch) {
    return std::nullopt;  // the late end, or the late beginning, of an earlier session
  }
  if (word.epoch == known.epoch && (word.edge != known.edge || word.online == known.online)) {
    return std::nullopt;
  }
  return presence_change{{word.edge, word.epoch, word.online}, word.online != known.online};
}

}  // namespace slipway::domain
