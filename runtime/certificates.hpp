#pragma once

#include "runtime/tls_context.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// X.509 certificates that Slipway makes itself (ADR 60). ECDSA on P-256; times are ms since 1970.
namespace slipway::runtime {

constexpr std::int64_t day_ms = std::int64_t{24} * 3600 * 1000;
constexpr std::int64_t root_valid_ms = 3652 * day_ms;
constexpr std::int64_t leaf_valid_ms = 90 * day_ms;

/// What a certificate says about itself.
struct certificate_facts {
  std::vector<std::string> names;        ///< DNS names, lower case
  std::vector<std::string> constrained;  ///< an authority's: the DNS trees that it may sign for
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
  std::string sha256;  ///< fingerprint, `AB:CD:...`
};
/// Of the first certificate in a PEM. Errors: invalid_argument.
[[nodiscard]] messages::result<certificate_facts> read_certificate(const std::string& pem);

/// A root that may only sign for `domain` and what is below it, and for no address.
[[nodiscard]] messages::result<tls_identity> make_root(
  const std::string& domain,
  std::int64_t now_ms);
/// A server's certificate for `names`, signed by `root`; ends with the root at the latest.
[[nodiscard]] messages::result<tls_identity>
make_leaf(const tls_identity& root, const std::vector<std::string>& names, std::int64_t now_ms);
/// Did `root` sign the first certificate of `pem`?
[[nodiscard]] bool signed_by(const std::string& pem, const tls_identity& root);

/// Every host of `domain`: itself, one level below it and below `devices.<domain>`.
[[nodiscard]] std::vector<std::string> names_of_domain(const std::string& domain);

}  // namespace slipway::runtime
