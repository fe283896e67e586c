// Host names and the first bytes of a TLS connection: what strangers choose before anything knows them.
#include "gateways/hosts.hpp"
#include "runtime/tls_stream.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto found = gateways::find_host(text, "slipway.test");
  if (found.service == gateways::host_service::foreign) {
    // Nothing that ends in the domain after a dot may pass as foreign, unless the label before it is empty.
    const auto name = text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
    if (name.ends_with(".slipway.test") && name.size() > 13) {
      std::abort();
    }
  }
  (void)gateways::is_loopback(text);
  if (runtime::name_covers("*.slipway.test", text) && !text.ends_with(".slipway.test")) {
    std::abort();
  }
  // Whole or byte by byte makes no difference to what is admitted.
  runtime::hello_guard whole;
  runtime::hello_guard slow;
  bool admitted = true;
  for (std::size_t i = 0; i < size && admitted; ++i) {
    admitted = slow.admit(text.substr(i, 1));
  }
  if (whole.admit(text) != admitted) {
    std::abort();
  }
  return 0;
}
