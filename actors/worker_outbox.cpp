#include "actors/worker_outbox.hpp"

#include <utility>

namespace slipway::actors {

void worker_outbox::up(std::string first) {
  connected_ = true;
  if (send_(std::move(first))) {
    flush();
  }
}

void worker_outbox::put(std::string sealed, bool may_drop) {
  flush();
  if (waiting_.empty() && connected_ && send_(sealed)) {
    return;
  }
  if (may_drop && waiting_bytes_ + sealed.size() > worker_outbox_bytes_max) {
    return;
  }
  waiting_bytes_ += sealed.size();
  waiting_.push_back(std::move(sealed));
}

void worker_outbox::flush() {
  while (connected_ && !waiting_.empty() && send_(waiting_.front())) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
  }
}

void worker_outbox::clear() {
  waiting_.clear();
  waiting_bytes_ = 0;
}

}  // namespace slipway::actors
