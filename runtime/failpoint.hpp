#pragma once

#include <string>
#include <string_view>
#include <vector>

/// A place where the process may be made to die, so that tests can prove that nothing acknowledged is lost.
/// `SLIPWAY_FAILPOINT("storage.append.synced");` costs one relaxed load when none is armed.
#define SLIPWAY_FAILPOINT(name)                                          \
  do {                                                                   \
    static const ::slipway::runtime::failpoint slipway_failpoint_{name}; \
    slipway_failpoint_.pass();                                           \
  } while (false)

namespace slipway::runtime {

/// Armed by the environment: SLIPWAY_FAILPOINT=name[:n] kills the process (SIGKILL) at the n-th pass, 1 when not given.
/// SLIPWAY_FAILPOINT_LIST=FILE appends each name to FILE when it is first passed, so that a test can loop over them.
class failpoint {
public:
  explicit failpoint(std::string_view name);
  void pass() const;

private:
  std::string_view name_;
  bool armed_ = false;
};

}  // namespace slipway::runtime
