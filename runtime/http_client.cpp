#include "runtime/http_client.hpp"

#include "runtime/clock.hpp"
#include "runtime/local_address.hpp"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cstring>

namespace slipway::runtime {
namespace {

using messages::errc;
using messages::error;
using messages::fail;
using messages::result;

constexpr std::size_t reply_header_bytes_max = 256 * 1024;
constexpr int poll_ms_max = 1000;

struct list_deleter {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using header_list = std::unique_ptr<curl_slist, list_deleter>;

void init_curl_once() {
  // Never undone: libcurl has no safe point to do so while another thread may still hold a handle.
  static const auto done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

bool has_control(std::string_view s) {
  return std::any_of(s.begin(), s.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string lower(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return out;
}

std::string_view trim(std::string_view s) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!s.empty() && space(s.front())) {
    s.remove_prefix(1);
  }
  while (!s.empty() && space(s.back())) {
    s.remove_suffix(1);
  }
  return s;
}

bool is_loopback(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
  char* host = nullptr;
  if (
    curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK
    || curl_url_get(parsed.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK) {
    return false;
  }
  const std::string_view h = host;
  const bool yes = h == "localhost" || h.starts_with("127.") || h == "[::1]";
  curl_free(host);
  return yes;
}

/// What the callbacks of one request share.
struct transfer {
  const http_request& request;
  http_reply reply;
  std::size_t header_bytes = 0;
  std::int64_t last_byte_ms = 0;
  error gave_up{errc::none, {}};  ///< why a callback ended the transfer

  void refuse(errc code, std::string why) { gave_up = {code, std::move(why)}; }
};

std::size_t on_header(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  t.last_byte_ms = steady_ms();
  t.header_bytes += n;
  if (t.header_bytes > reply_header_bytes_max) {
    t.refuse(errc::too_large, "the answer's header is too large");
    return 0;
  }
  const std::string_view line(data, n);
  if (line.starts_with("HTTP/")) {
    t.reply.headers.clear();  // an interim answer came before this one
    const auto space = line.find(' ');
    t.reply.status = 0;
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), t.reply.status);
    }
    return n;
  }
  const auto colon = line.find(':');
  if (colon != std::string_view::npos) {
    t.reply.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
  }
  return n;
}

std::size_t on_body(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  t.last_byte_ms = steady_ms();
  try {
    if (t.request.body_sink && t.reply.status >= 200 && t.reply.status < 300) {
      if (!t.request.body_sink({data, n})) {
        t.refuse(errc::io_failed, "the receiver of the answer gave up");
        return 0;
      }
      return n;
    }
    if (n > t.request.body_bytes_max - std::min(t.request.body_bytes_max, t.reply.body.size())) {
      t.refuse(
        errc::too_large,
        "the answer is larger than " + std::to_string(t.request.body_bytes_max) + " bytes");
      return 0;
    }
    t.reply.body.append(data, n);
    return n;
  } catch (const std::exception& e) {
    t.refuse(errc::internal, e.what());
    return 0;
  }
}

std::size_t on_read(char* out, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  t.last_byte_ms = steady_ms();
  try {
    const auto got = t.request.body_source(out, n);
    if (got < 0) {
      t.refuse(errc::io_failed, "the source of the body gave up");
      return CURL_READFUNC_ABORT;
    }
    return static_cast<std::size_t>(got);
  } catch (const std::exception& e) {
    t.refuse(errc::internal, e.what());
    return CURL_READFUNC_ABORT;
  }
}

curl_socket_t open_remote(void* user, curlsocktype, curl_sockaddr* to) {
  if (is_local_address(to->addr)) {
    static_cast<transfer*>(user)->refuse(
      errc::unavailable,
      "its address is of this machine or its link");
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

result<header_list> make_headers(const http_request& r, bool has_body) {
  curl_slist* list = nullptr;
  bool content_type = false;
  bool expect = false;
  for (const auto& [name, value] : r.headers) {
    if (
      name.empty() || has_control(name) || has_control(value)
      || name.find_first_of(": ") != std::string::npos) {
      curl_slist_free_all(list);
      return fail(errc::invalid_argument, "header field `" + name + "` is malformed");
    }
    const auto key = lower(name);
    content_type |= key == "content-type";
    expect |= key == "expect";
    // libcurl's way to send a field without a value is a semicolon.
    list = curl_slist_append(list, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (has_body && !content_type) {
    list = curl_slist_append(list, "Content-Type:");  // libcurl would claim a form
  }
  if (!expect) {
    list = curl_slist_append(list, "Expect:");  // costs a second with servers that ignore it
  }
  if (r.body_source && r.body_length < 0) {
    list = curl_slist_append(list, "Transfer-Encoding: chunked");
  }
  return header_list(list);
}

}  // namespace

std::string_view http_reply::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) {
      return value;
    }
  }
  return {};
}

struct http_client::impl {
  options opts;
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
  std::atomic<bool> cancelled{false};
  distrust distrusted = distrust::none;
  bool broken = false;
  char error_text[CURL_ERROR_SIZE] = {};

  explicit impl(options o) : opts(std::move(o)) {
    init_curl_once();
    multi = curl_multi_init();
    easy = curl_easy_init();
    if (multi == nullptr || easy == nullptr) {
      throw std::bad_alloc();
    }
  }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;
  ~impl() {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }

  template <class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(easy, option, value);
  }

  void set_connection(const http_request& r);
  void set_body(const http_request& r, transfer& t);
  result<http_reply> run(transfer& t);
  [[nodiscard]] distrust distrust_of(CURLcode code) const;
  [[nodiscard]] error explain(CURLcode code, const transfer& t) const;
};

void http_client::impl::set_connection(const http_request& r) {
  set(CURLOPT_URL, r.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);  // dots in a name must not lead to another resource
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout.count()));
  set(CURLOPT_ERRORBUFFER, error_text);
  if (!opts.user_agent.empty()) {
    set(CURLOPT_USERAGENT, opts.user_agent.c_str());
  }
  if (!opts.unix_socket.empty()) {
    set(CURLOPT_UNIX_SOCKET_PATH, opts.unix_socket.c_str());
  }
  if (!opts.unix_socket.empty() || is_loopback(r.url)) {
    set(CURLOPT_PROXY, "");  // a proxy of the environment cannot reach what is on this machine
  }
  // CAINFO replaces the bundle; the directory of the same roots stays, so both are trusted.
  if (!opts.ca_pem.empty()) {
    curl_blob pem{opts.ca_pem.data(), opts.ca_pem.size(), CURL_BLOB_NOCOPY};
    set(CURLOPT_CAINFO_BLOB, &pem);
    set(CURLOPT_CAPATH, "/etc/ssl/certs");
  } else if (!opts.ca_file.empty()) {
    set(CURLOPT_CAINFO, opts.ca_file.c_str());
    set(CURLOPT_CAPATH, "/etc/ssl/certs");
  }
}

void http_client::impl::set_body(const http_request& r, transfer& t) {
  const bool post_like = r.method == "POST" || r.method == "PUT" || r.method == "PATCH";
  if (r.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (r.body_source) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, &on_read);
    set(CURLOPT_READDATA, static_cast<void*>(&t));
    set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(r.body_length));
    set(CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024L);
    set(CURLOPT_CUSTOMREQUEST, r.method.c_str());
  } else if (post_like || !r.body.empty()) {
    set(CURLOPT_POSTFIELDS, r.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.body.size()));
    set(CURLOPT_CUSTOMREQUEST, r.method.c_str());
  } else {
    set(CURLOPT_HTTPGET, 1L);
    set(CURLOPT_CUSTOMREQUEST, r.method.c_str());
  }
  set(CURLOPT_BUFFERSIZE, 256L * 1024L);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&t));
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&t));
}

namespace {

bool is_break(CURLcode code) {
  return code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING
         || code == CURLE_PARTIAL_FILE;
}

}  // namespace

distrust http_client::impl::distrust_of(CURLcode code) const {
  if (code == CURLE_SSL_CACERT_BADFILE) {
    return distrust::chain;
  }
  if (code != CURLE_PEER_FAILED_VERIFICATION) {
    return distrust::none;
  }
  // libcurl looks at the name before it keeps what became of the chain: 1 says that it has not.
  long chain = 0;
  curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &chain);
  return chain > 1 ? distrust::chain : distrust::name;
}

error http_client::impl::explain(CURLcode code, const transfer& t) const {
  if (t.gave_up.code != errc::none) {
    return t.gave_up;
  }
  const std::string text = error_text[0] != '\0' ? error_text : curl_easy_strerror(code);
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {errc::invalid_argument, text};
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CONNECT_ERROR:
      return {errc::unavailable, text};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {errc::unavailable, "its certificate cannot be trusted: " + text};
    case CURLE_SSL_CACERT_BADFILE:
      return {errc::unavailable, "the root certificate to trust cannot be used: " + text};
    case CURLE_OPERATION_TIMEDOUT: {
      curl_off_t before_request = 0;
      curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &before_request);
      // Nothing was sent yet, so the outcome is known: it did not happen.
      return {before_request == 0 ? errc::unavailable : errc::timed_out, text};
    }
    case CURLE_OUT_OF_MEMORY:
      return {errc::internal, text};
    default:
      return {errc::io_failed, text};
  }
}

result<http_reply> http_client::impl::run(transfer& t) {
  const auto stall_ms = std::chrono::milliseconds(t.request.stall_timeout).count();
  t.last_byte_ms = steady_ms();
  curl_multi_add_handle(multi, easy);
  struct remover {
    impl& self;
    ~remover() { curl_multi_remove_handle(self.multi, self.easy); }
  } const remove_at_end{*this};
  for (;;) {
    int running = 0;
    if (const auto rc = curl_multi_perform(multi, &running); rc != CURLM_OK) {
      return fail(errc::internal, curl_multi_strerror(rc));
    }
    if (running == 0) {
      break;
    }
    if (cancelled) {
      return fail(errc::io_failed, "cancelled");
    }
    auto wait = std::int64_t{poll_ms_max};
    if (stall_ms > 0) {
      const auto left = t.last_byte_ms + stall_ms - steady_ms();
      if (left <= 0) {
        return fail(errc::timed_out, "no byte for " + std::to_string(stall_ms) + " ms");
      }
      wait = std::min(wait, left);
    }
    // libcurl shortens the wait for its own timers; `cancel` ends it through a wake-up.
    if (const auto rc = curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait), nullptr);
        rc != CURLM_OK) {
      return fail(errc::internal, curl_multi_strerror(rc));
    }
  }
  int left = 0;
  CURLcode code = CURLE_OK;
  while (const auto* m = curl_multi_info_read(multi, &left)) {
    if (m->msg == CURLMSG_DONE) {
      code = m->data.result;
    }
  }
  if (code != CURLE_OK) {
    distrusted = distrust_of(code);
    broken = t.gave_up.code == errc::none && is_break(code);
    return tl::unexpected(explain(code, t));
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  t.reply.status = static_cast<int>(status);
  return std::move(t.reply);
}

http_client::http_client(options o) : impl_(std::make_unique<impl>(std::move(o))) {}
http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;
http_client& http_client::operator=(http_client&&) noexcept = default;

result<http_reply> http_client::send(const http_request& r) {
  auto& c = *impl_;
  c.cancelled = false;
  c.distrusted = distrust::none;
  c.broken = false;
  if (r.method.empty() || has_control(r.method) || r.method.find(' ') != std::string::npos) {
    return fail(errc::invalid_argument, "method is malformed");
  }
  if (has_control(r.url) || r.url.find(' ') != std::string::npos) {
    return fail(errc::invalid_argument, "url is malformed");
  }
  auto headers = make_headers(r, r.body_source || !r.body.empty() || r.method == "POST");
  if (!headers) {
    return tl::unexpected(headers.error());
  }
  transfer t{.request = r, .reply = {}, .gave_up = {errc::none, {}}};
  c.error_text[0] = '\0';
  curl_easy_reset(c.easy);  // options only; connections stay
  c.set_connection(r);
  c.set_body(r, t);
  if (r.no_local_address) {
    c.set(CURLOPT_OPENSOCKETFUNCTION, &open_remote);
    c.set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&t));
    c.set(CURLOPT_FRESH_CONNECT, 1L);  // a kept connection was opened without asking
  }
  c.set(CURLOPT_HTTPHEADER, headers->get());
  return c.run(t);
}

distrust http_client::distrusted() const {
  return impl_->distrusted;
}

bool http_client::reached_local_address() const {
  const char* ip = nullptr;
  curl_easy_getinfo(impl_->easy, CURLINFO_PRIMARY_IP, &ip);
  return ip != nullptr && is_local_address(std::string(ip));
}

bool http_client::broken() const {
  return impl_->broken;
}

void http_client::cancel() {
  impl_->cancelled = true;
  curl_multi_wakeup(impl_->multi);
}

}  // namespace slipway::runtime
