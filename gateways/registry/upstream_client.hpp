#pragma once

#include "messages/error.hpp"
#include "runtime/http_client.hpp"
#include "storage/blob_store.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// A registry elsewhere, as the operator named it.
struct upstream_address {
  std::string url;  ///< `https://host[:port]`, without a path; http only for those that say so
  std::string user;
  std::string password;
};

struct upstream_manifest {
  std::string media_type;
  std::string bytes;
};

/// The pulling side of the distribution API: answers a challenge for a token or for a password, follows redirects without taking
/// credentials along. Blocks; callable from any thread. Its answers are hostile: sizes are limited and digests are the caller's to check.
class upstream_client {
public:
  using sink = std::function<bool(std::string_view)>;
  explicit upstream_client(upstream_address address) : address_(std::move(address)) {}

  /// Errors: manifest_unknown, too_large, unavailable, timed_out, unauthorized (the upstream refuses us).
  [[nodiscard]] messages::result<upstream_manifest> manifest(
    const std::string& repository,
    const std::string& reference);
  /// Digest that a tag has now. "" when the upstream does not say. Errors as above.
  [[nodiscard]] messages::result<std::string> tag(
    const std::string& repository,
    const std::string& tag);
  /// Hands the bytes to `take` as they come; `false` from it ends the transfer with io_failed. Errors: blob_unknown, and as above.
  [[nodiscard]] messages::result<void>
  blob(const std::string& repository, const std::string& digest, sink take);
  /// Ends what is under way in other threads, and waits for that; what is asked afterwards is unavailable.
  void stop();

private:
  struct call {
    std::string method = "GET";
    std::string path;
    std::string accept;
    sink take;
    std::size_t bytes_max = 0;
  };
  messages::result<runtime::http_reply> send(const std::string& repository, const call& c);
  /// A request that `stop` ends.
  messages::result<runtime::http_reply> exchange(
    runtime::http_client& client,
    const runtime::http_request& r);
  messages::result<runtime::http_reply>
  follow(const call& c, const std::string& url, const std::string& authorization);
  messages::result<std::string> answer_challenge(
    const std::string& repository,
    const runtime::http_reply& refused);
  [[nodiscard]] std::string known_authorization(const std::string& repository);

  upstream_address address_;
  /// The upstream itself is on this machine or its link: then it may name others there.
  std::atomic<bool> local_{false};
  std::mutex mutex_;                                                // guards the rest
  std::map<std::string, std::string, std::less<>> authorizations_;  ///< by repository
  std::set<runtime::http_client*> sending_;
  std::condition_variable sent_;
  bool stopped_ = false;
};

}  // namespace slipway::gateways
