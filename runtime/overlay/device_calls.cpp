#include "runtime/overlay/device_calls.hpp"

namespace slipway::runtime {

using messages::call_outcome;
using messages::call_result;

namespace {

call_result unanswered(std::uint64_t call, std::int64_t device, call_outcome why) {
  call_result r;
  r.device = device;
  r.outcome = why;
  r.answer.id = call;
  return r;
}

}  // namespace

std::uint64_t device_calls::add(std::int64_t device, std::int64_t deadline, call_done done) {
  const std::lock_guard lock(mutex_);
  if (calls_.size() >= in_flight_max) {
    return 0;
  }
  calls_.emplace(++last_, waiting{device, deadline, std::move(done)});
  return last_;
}

void device_calls::take(call_result r) {
  call_done done;
  {
    const std::lock_guard lock(mutex_);
    const auto it = calls_.find(r.answer.id);
    if (it == calls_.end() || it->second.device != r.device) {
      return;
    }
    done = std::move(it->second.done);
    calls_.erase(it);
  }
  done(std::move(r));
}

void device_calls::fail(std::uint64_t call, call_outcome why) {
  waiting w;
  {
    const std::lock_guard lock(mutex_);
    const auto it = calls_.find(call);
    if (it == calls_.end()) {
      return;
    }
    w = std::move(it->second);
    calls_.erase(it);
  }
  w.done(unanswered(call, w.device, why));
}

void device_calls::expire(std::int64_t now) {
  std::vector<std::uint64_t> late;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [call, w] : calls_) {
      if (w.deadline <= now) {
        late.push_back(call);
      }
    }
  }
  for (const auto call : late) {
    fail(call, call_outcome::timed_out);
  }
}

void device_calls::fail_all() {
  table all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(calls_);
  }
  for (auto& [call, w] : all) {
    w.done(unanswered(call, w.device, call_outcome::gone));
  }
}

}  // namespace slipway::runtime
