#include "runtime/http_parser.hpp"

#include "runtime/http_text.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <limits>

namespace slipway::runtime {

namespace http = boost::beast::http;

namespace {

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'
         || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

bool is_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") {
    return std::all_of(target.begin(), target.end(), is_host_character);
  }
  return target.starts_with('/') || target.starts_with("http://") || target.starts_with("https://")
         || (target == "*" && method == "OPTIONS");
}

}  // namespace

void http_parser::storage::clear() {
  text.clear();
  fields.clear();
  method_size = target_size = 0;
  version = 0;
}

std::string_view http_parser::storage::method() const {
  return std::string_view(text).substr(0, method_size);
}

std::string_view http_parser::storage::target() const {
  return std::string_view(text).substr(method_size, target_size);
}

std::string_view http_parser::storage::value(const field& f) const {
  return std::string_view(text).substr(f.value, f.value_size);
}

std::string_view http_parser::storage::name(const field& f) const {
  return std::string_view(text).substr(f.name, f.name_size);
}

std::string_view http_parser::storage::find(http::field known) const {
  for (const auto& f : fields) {
    if (f.known == known) {
      return value(f);
    }
  }
  return {};
}

std::string_view http_parser::storage::find(std::string_view wanted) const {
  for (const auto& f : fields) {
    if (iequals(name(f), wanted)) {
      return value(f);
    }
  }
  return {};
}

std::size_t http_parser::storage::count(http::field known) const {
  return static_cast<std::size_t>(
    std::count_if(fields.begin(), fields.end(), [=](const field& f) { return f.known == known; }));
}

http_parser::http_parser(storage& out, std::uint32_t header_bytes_max) : store_(out) {
  header_limit(header_bytes_max);
  // The exchange counts, with the limit that each handler names. Not boost::none: 1.74 takes that for zero.
  body_limit(std::numeric_limits<std::uint64_t>::max());
  store_.clear();
}

void http_parser::on_request_impl(
  http::verb,
  text_view method,
  text_view target,
  int version,
  error_code&) {
  store_.text.append(method.data(), method.size());
  store_.text.append(target.data(), target.size());
  store_.method_size = static_cast<std::uint32_t>(method.size());
  store_.target_size = static_cast<std::uint32_t>(target.size());
  store_.version = version;
}

void http_parser::on_field_impl(http::field known, text_view name, text_view value, error_code&) {
  if (is_header_done()) {
    return;  // trailers carry nothing that we act on, and views of the header must stay valid
  }
  storage::field f;
  f.known = known;
  f.name = static_cast<std::uint32_t>(store_.text.size());
  f.name_size = static_cast<std::uint32_t>(name.size());
  store_.text.append(name.data(), name.size());
  f.value = static_cast<std::uint32_t>(store_.text.size());
  f.value_size = static_cast<std::uint32_t>(value.size());
  store_.text.append(value.data(), value.size());
  store_.fields.push_back(f);
}

std::size_t http_parser::on_body_impl(text_view, error_code& ec) {
  ec = http::error::need_buffer;  // bodies with a length never pass through the parser
  return 0;
}

std::size_t http_parser::on_chunk_body_impl(std::uint64_t, text_view body, error_code&) {
  const auto n = std::min(body.size(), out_.size() - taken_);
  std::copy_n(body.data(), n, out_.data() + taken_);
  taken_ += n;
  return n;
}

int status_of(const boost::beast::error_code& ec) {
  if (ec == http::error::header_limit) {
    return 431;
  }
  return ec == http::error::bad_version ? 505 : 400;
}

int check_header(const http_parser& parser, const http_parser::storage& head) {
  const auto encodings = head.count(http::field::transfer_encoding);
  if (encodings != 0) {
    // Anything but one `chunked` is read differently by different programs: the way requests are smuggled.
    if (encodings != 1 || head.version < 11 || head.count(http::field::content_length) != 0) {
      return 400;
    }
    if (!iequals(head.find(http::field::transfer_encoding), "chunked") || !parser.chunked()) {
      return 501;
    }
  }
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version >= 11)) {
    return 400;
  }
  const auto host = head.find(http::field::host);
  if (!std::all_of(host.begin(), host.end(), is_host_character)) {
    return 400;
  }
  return is_target(head.method(), head.target()) ? 0 : 400;
}

}  // namespace slipway::runtime
