#pragma once

#include "gateways/api/odata/session.hpp"
#include "gateways/registry/completion.hpp"
#include "messages/error.hpp"
#include "runtime/http_server.hpp"

#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace slipway::gateways::api {

/// What one run of a query may cost.
struct query_budget {
  std::size_t rows_max = 0;
  std::int64_t ms_max = 0;
};

/// Runs queries such that an expensive one delays nobody: each is tried at once, in the thread of its connection, with a small
/// budget; only one that does not get by with that is run again on threads of its own, where few may wait.
class query_runner {
public:
  static constexpr query_budget at_once{2'000, 10};
  static constexpr query_budget apart{1'000'000, 10'000};
  /// Expensive queries of one requester under way, and of all of them. Beyond: too_many_requests, unavailable.
  static constexpr int of_one_max = 4;
  static constexpr int of_all_max = 64;

  query_runner() = default;
  ~query_runner() { stop(); }
  /// Waits for queries under way.
  void stop() { pool_.join(); }
  query_runner(const query_runner&) = delete;
  query_runner& operator=(const query_runner&) = delete;

  /// Must not change anything: it may be run twice. Fills in the statistics.
  template <class T>
  using query = std::function<messages::result<T>(const query_budget&, odata::statistics&)>;

  /// `actor` asks. Errors: those of the query, too_many_requests, unavailable.
  template <class T>
  runtime::awaitable<messages::result<T>> run(std::int64_t actor, query<T> q) {
    odata::statistics stats;
    auto answer = q(at_once, stats);
    if (answer || !stats.too_costly) {
      count(stats, false);
      co_return answer;
    }
    if (auto ok = enter(actor); !ok) {
      co_return tl::unexpected(ok.error());
    }
    std::function<messages::result<T>()> work = [this, actor, q = std::move(q)] {
      odata::statistics spent;
      auto found = q(apart, spent);
      count(spent, true);
      leave(actor);
      return found;
    };
    auto found = co_await run_on(pool_, std::move(work));
    co_return found;
  }

private:
  messages::result<void> enter(std::int64_t actor);
  void leave(std::int64_t actor);
  static void count(const odata::statistics& stats, bool expensive);

  std::mutex mutex_;
  int under_way_ = 0;
  std::unordered_map<std::int64_t, int> by_actor_;
  boost::asio::thread_pool pool_{2};
};

}  // namespace slipway::gateways::api
