#pragma once

#include "runtime/http_server.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace slipway::gateways {

/// Waits for something that answers through a callback, without holding a thread. `start` runs at once; the callback may come on
/// any thread, once, and the coroutine goes on where it was.
template <class R>
boost::asio::awaitable<R> completion(std::function<void(std::function<void(R)>)> start) {
  namespace asio = boost::asio;
  auto initiate = [](auto handler, std::function<void(std::function<void(R)>)> begin) {
    using handler_type = decltype(handler);
    auto executor = asio::get_associated_executor(handler);
    // The guard keeps the loop turning while nothing else waits in it.
    auto guard = asio::make_work_guard(executor);
    auto waiting = std::make_shared<handler_type>(std::move(handler));
    begin([waiting, executor, guard](R r) {
      asio::post(executor, [waiting, guard, r = std::move(r)]() mutable {
        auto resume = std::move(*waiting);
        resume(std::move(r));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(R)>(
    initiate,
    asio::use_awaitable,
    std::move(start));
}

/// Runs `work` on the pool: for what may block on a disk.
template <class R>
boost::asio::awaitable<R> run_on(boost::asio::thread_pool& pool, std::function<R()> work) {
  std::function<void(std::function<void(R)>)> start =
    [&pool, work = std::move(work)](std::function<void(R)> done) {
      boost::asio::post(pool, [work, done = std::move(done)] { done(work()); });
    };
  co_return co_await completion<R>(std::move(start));
}

}  // namespace slipway::gateways
