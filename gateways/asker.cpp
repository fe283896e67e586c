#include "gateways/asker.hpp"

#include "actors/types.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/actor_companion.hpp>
#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/make_message.hpp>
#include <caf/send.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace slipway::gateways {

namespace asio = boost::asio;
using messages::errc;
using messages::outcome;

struct asker::pending::waiter {
  explicit waiter(asio::any_io_executor e) : executor(e), timer(std::move(e)) {}
  ~waiter();
  asio::any_io_executor executor;
  asio::steady_timer timer;
  std::optional<outcome> answer;  ///< touched on the executor only
  std::uint64_t correlation = 0;
  std::weak_ptr<asker::table> owner;
};

/// Who waits for which correlation number.
struct asker::table {
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::uint64_t, std::weak_ptr<pending::waiter>> waiting;
  };
  std::array<shard, 16> shards;
  std::atomic<std::uint64_t> next{1};

  shard& of(std::uint64_t correlation) { return shards[correlation % shards.size()]; }

  void forget(std::uint64_t correlation) {
    auto& s = of(correlation);
    const std::lock_guard lock(s.mutex);
    s.waiting.erase(correlation);
  }

  void deliver(std::uint64_t correlation, outcome o) {
    std::shared_ptr<pending::waiter> w;
    {
      auto& s = of(correlation);
      const std::lock_guard lock(s.mutex);
      const auto it = s.waiting.find(correlation);
      if (it == s.waiting.end()) {
        return;
      }
      w = it->second.lock();
      s.waiting.erase(it);
    }
    if (w) {
      auto executor = w->executor;
      asio::post(executor, [w = std::move(w), o = std::move(o)]() mutable {
        w->answer = std::move(o);
        w->timer.cancel();
      });
    }
  }
};

asker::pending::waiter::~waiter() {
  if (const auto t = owner.lock()) {
    t->forget(correlation);
  }
}

asker::asker(caf::actor_system& system, runtime::directory& directory)
  : table_(std::make_shared<table>()), directory_(directory) {
  caf::actor_id id = system.next_actor_id();
  caf::actor_config config;
  inbox_ = caf::make_actor<caf::actor_companion, caf::actor>(id, system.node(), &system, config);
  auto* companion = caf::actor_cast<caf::actor_companion*>(inbox_);
  companion->on_enqueue([t = table_](caf::mailbox_element_ptr element) {
    auto& content = element->content();
    if (content.match_elements<std::uint64_t, outcome>()) {
      t->deliver(content.get_as<std::uint64_t>(0), content.get_as<outcome>(1));
    }
  });
}

asker::~asker() {
  caf::anon_send_exit(inbox_, caf::exit_reason::user_shutdown);
}

asker::pending asker::begin(asio::any_io_executor executor) {
  pending p;
  p.waiter_ = std::make_shared<pending::waiter>(std::move(executor));
  p.waiter_->owner = table_;
  p.waiter_->correlation = table_->next.fetch_add(1, std::memory_order_relaxed);
  auto& s = table_->of(p.waiter_->correlation);
  const std::lock_guard lock(s.mutex);
  s.waiting.emplace(p.waiter_->correlation, p.waiter_);
  return p;
}

std::uint64_t asker::correlation(const pending& p) {
  return p.waiter_->correlation;
}

void asker::deliver(messages::entity_ref to, caf::message m) {
  directory_.send(inbox_, to, std::move(m));
}

asio::awaitable<messages::result<messages::appended>> asker::pending::answer() {
  const auto w = waiter_;
  if (!w->answer) {
    w->timer.expires_after(ask_timeout);
    boost::system::error_code ignored;
    co_await w->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (!w->answer) {
    co_return messages::fail(errc::timed_out, "no answer in time: outcome unknown");
  }
  if (!w->answer->ok()) {
    co_return tl::unexpected(w->answer->failure);
  }
  co_return w->answer->appended;
}

template <class Command>
caf::message asker::pack(std::uint64_t correlation, Command command) {
  return caf::make_message(correlation, std::move(command));
}

template caf::message asker::pack(std::uint64_t, messages::create_row);
template caf::message asker::pack(std::uint64_t, messages::change_row);
template caf::message asker::pack(std::uint64_t, messages::remove_row);
template caf::message asker::pack(std::uint64_t, messages::register_device);
template caf::message asker::pack(std::uint64_t, messages::report_state);
template caf::message asker::pack(std::uint64_t, messages::set_presence);
template caf::message asker::pack(std::uint64_t, messages::add_key);
template caf::message asker::pack(std::uint64_t, messages::set_heartbeat);
template caf::message asker::pack(std::uint64_t, messages::use_key);
template caf::message asker::pack(std::uint64_t, messages::accept_invitation);

}  // namespace slipway::gateways
