#pragma once

#include "gateways/registry/upstream_client.hpp"
#include "storage/blob_store.hpp"
#include "storage/linked_blobs.hpp"
#include "storage/repository_store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// A registry elsewhere whose repositories are kept here under `mirror/<name>/`.
struct mirror_settings {
  upstream_address address;
  std::map<std::string, std::string, std::less<>>
    pins;  ///< `repository:tag` to the digest it must have
};

/// By name. JSON: `{"hub": {"url": "https://...", "user": "", "password": "", "pins": {"library/debian:12": "sha256:..."}}}`.
/// Errors: invalid_argument, with the member that is wrong.
using mirror_table = std::map<std::string, mirror_settings, std::less<>>;
[[nodiscard]] messages::result<mirror_table> parse_mirrors(std::string_view json);
/// The same from a file, which nobody else may read when it holds a password. Errors: io_failed, invalid_argument.
[[nodiscard]] messages::result<mirror_table> load_mirrors(const std::string& file);

/// What mirrored repositories lack is fetched when it is asked for, checked against its digest and kept like anything else; then it is
/// served from here. A tag is compared with the upstream's once a minute, and stays what it was while the upstream is down. What
/// nobody asked for in the collector's grace period goes. Each upstream has threads of its own: a slow one holds up nobody else's, nor
/// what is here already. ADR 81.
class mirrors {
public:
  using answer = std::function<void(messages::result<void>)>;
  struct parts {
    storage::blob_store& blobs;
    storage::repository_store& repositories;
    storage::linked_blobs& links;
  };
  struct options {
    mirror_table table;
    std::function<std::int64_t()> now_ms;
    /// Whether there is space left on the disk, asked for every piece; empty = yes. Errors: disk_full.
    std::function<messages::result<void>()> disk;
    int threads = 8;  ///< fetches from one upstream at once; more wait their turn
    std::uint64_t blob_bytes_max = std::uint64_t{64} << 30U;
    std::int64_t tag_ms = 60'000;       ///< how long a tag is believed without asking
    std::int64_t touch_ms = 3'600'000;  ///< between two notes that something was asked for
  };
  mirrors(parts p, options o);
  ~mirrors();

  /// Whether the repository is a mirrored one.
  [[nodiscard]] bool handles(std::string_view repository) const;
  /// Makes sure that the repository has it. Blocks for the disk at most. `done` is called once: before this returns when it is here,
  /// else on a thread of the upstream, when it has sent. Requests for the same thing wait for one fetch.
  /// Errors: manifest_unknown, digest_invalid, manifest_invalid, disk_full, unavailable, timed_out.
  void want_manifest(const std::string& repository, const std::string& reference, answer done);
  /// Errors: blob_unknown, digest_invalid, too_large, disk_full, unavailable, timed_out.
  void want_blob(const std::string& repository, const std::string& digest, answer done);
  /// Ends all fetches, as unavailable, and waits for that. What is wanted afterwards and is not here is unavailable.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::gateways
