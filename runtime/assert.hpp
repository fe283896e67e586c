#pragma once

#include <cstdio>
#include <cstdlib>

/// Our own mistakes end the process, in release builds too.
#define SLIPWAY_ASSERT(condition)                                                            \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
