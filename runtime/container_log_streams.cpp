#include "runtime/container_log_streams.hpp"

#include "runtime/clock.hpp"
#include "runtime/engine_log_splitter.hpp"
#include "runtime/http_text.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <map>
#include <utility>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

/// There may be dozens of streams on a device with little memory.
constexpr long buffer_bytes = 8 * 1024;
constexpr int ok_status = 200;

}  // namespace

struct container_log_streams::stream {
  impl* owner = nullptr;
  std::string container;
  bool terminal = false;
  bool paused = false;
  CURL* easy = nullptr;
  log_splitter splitter = {};
};

struct container_log_streams::impl {
  container_engine engine;
  std::string socket;
  CURLM* multi;
  std::map<std::string, std::unique_ptr<stream>> streams;
  const sink* take = nullptr;
  std::size_t budget = 0;

  explicit impl(std::string endpoint) : engine(endpoint), multi(curl_multi_init()) {
    constexpr std::string_view scheme = "unix://";
    socket = endpoint.starts_with(scheme) ? endpoint.substr(scheme.size()) : std::move(endpoint);
    if (multi == nullptr) {
      throw std::bad_alloc();
    }
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;
  ~impl() {
    while (!streams.empty()) {
      end(streams.begin()->first);
    }
    curl_multi_cleanup(multi);
  }

  void end(const std::string& container) {
    const auto it = streams.find(container);
    if (it == streams.end()) {
      return;
    }
    curl_multi_remove_handle(multi, it->second->easy);
    curl_easy_cleanup(it->second->easy);
    streams.erase(it);
  }
  void go_on();
  static std::size_t on_bytes(char* data, std::size_t, std::size_t n, void* user);
};

std::size_t
container_log_streams::impl::on_bytes(char* data, std::size_t, std::size_t n, void* user) {
  auto& s = *static_cast<stream*>(user);
  auto& me = *s.owner;
  long status = 0;
  curl_easy_getinfo(s.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status != ok_status) {
    return n;  // the engine's words; that the stream ends is all that matters
  }
  if (me.take == nullptr || me.budget == 0) {
    s.paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  me.budget -= std::min(me.budget, n);
  const auto hand_on = [&](bool error, bool begins, std::string_view bytes) {
    (*me.take)({s.container, error, begins, bytes});
    return true;
  };
  try {
    if (s.terminal) {
      hand_on(false, false, {data, n});
    } else {
      (void)s.splitter.feed({data, n}, hand_on);  // `hand_on` never gives up
    }
  } catch (const std::exception&) {
    return 0;  // ends this stream; an exception must not pass through libcurl
  }
  return n;
}

void container_log_streams::impl::go_on() {
  for (const auto& [id, s] : streams) {
    if (s->paused) {
      s->paused = false;
      curl_easy_pause(s->easy, CURLPAUSE_CONT);
    }
  }
}

container_log_streams::container_log_streams(std::string endpoint)
  : impl_(std::make_unique<impl>(std::move(endpoint))) {}

container_log_streams::~container_log_streams() = default;

result<void> container_log_streams::open(const source& s) {
  const auto version = impl_->engine.version();
  if (!version) {
    return tl::unexpected(version.error());
  }
  auto made = std::make_unique<stream>();
  made->owner = impl_.get();
  made->container = s.container;
  made->terminal = s.terminal;
  made->easy = curl_easy_init();
  if (made->easy == nullptr) {
    return fail(errc::internal, "libcurl has no handle");
  }
  const auto url =
    "http://engine/v" + version->api_version + "/containers/" + percent_encode(s.container)
    + "/logs?follow=true&stdout=true&stderr=true&timestamps=true&since=" + std::to_string(s.since)
    + "&tail=" + (s.tail < 0 ? "all" : std::to_string(s.tail));
  auto* easy = made->easy;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, impl_->socket.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_bytes);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &impl::on_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, static_cast<void*>(made.get()));
  impl_->end(s.container);
  curl_multi_add_handle(impl_->multi, easy);
  impl_->streams.emplace(s.container, std::move(made));
  return {};
}

void container_log_streams::close(const std::string& container) {
  impl_->end(container);
}

bool container_log_streams::is_open(const std::string& container) const {
  return impl_->streams.contains(container);
}

std::vector<std::string> container_log_streams::run(
  std::chrono::milliseconds wait,
  std::size_t bytes_max,
  const sink& take) {
  auto& me = *impl_;
  me.take = &take;
  me.budget = bytes_max;
  std::vector<std::string> ended;
  const auto until = steady_ms() + wait.count();
  me.go_on();
  for (;;) {
    int running = 0;
    curl_multi_perform(me.multi, &running);
    int left = 0;
    while (const auto* m = curl_multi_info_read(me.multi, &left)) {
      for (const auto& [id, s] : me.streams) {
        if (m->msg == CURLMSG_DONE && s->easy == m->easy_handle) {
          ended.push_back(id);
          break;
        }
      }
    }
    for (const auto& id : ended) {
      me.end(id);
    }
    const auto rest = until - steady_ms();
    if (rest <= 0 || me.budget == 0 || !ended.empty()) {
      break;
    }
    int woken = 0;
    curl_multi_poll(me.multi, nullptr, 0, static_cast<int>(rest), &woken);
    if (woken == 0 && steady_ms() < until) {
      break;  // `wake`
    }
  }
  me.take = nullptr;
  return ended;
}

void container_log_streams::wake() {
  impl_->engine.cancel();
  curl_multi_wakeup(impl_->multi);
}

}  // namespace slipway::runtime
