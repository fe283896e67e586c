// A build worker for tests: what `slipwayd builder` does.
#include "runtime/server/builder_main.hpp"

int main(int argc, char** argv) {
  return slipway::runtime::builder_main({argv + 1, argv + argc});
}
