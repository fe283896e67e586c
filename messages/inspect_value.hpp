#pragma once

#include "messages/codec.hpp"
#include "messages/value.hpp"

#include <string>

namespace slipway::messages {

/// CAF 0.17 knows no std::variant: a value crosses as its msgpack bytes.
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, value& v) {
  if constexpr (Inspector::reads_state) {
    auto bytes = pack(v);
    return f(bytes);
  } else {
    std::string bytes;
    auto outcome = f(bytes);
    v = unpack<value>(bytes).value_or(value{});
    return outcome;
  }
}

}  // namespace slipway::messages
