// An edge process for tests: what `slipwayd edge` does.
#include "runtime/server/edge_main.hpp"

int main() {
  return slipway::runtime::edge_main();
}
