#pragma once

#include <boost/beast/http/basic_parser.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::runtime {

/// Beast's push parser, made to keep what it saw in storage that outlives the request: a connection that serves many requests
/// allocates nothing for their headers. Text is kept as offsets while it grows, and is read as views once the header is done.
class http_parser final : public boost::beast::http::basic_parser<true> {
public:
  using error_code = boost::beast::error_code;

  struct storage {
    struct field {
      std::uint32_t name = 0, name_size = 0, value = 0, value_size = 0;
      boost::beast::http::field known = boost::beast::http::field::unknown;
    };
    std::string text;
    std::vector<field> fields;
    std::uint32_t method_size = 0;
    std::uint32_t target_size = 0;
    int version = 0;

    void clear();
    [[nodiscard]] std::string_view method() const;
    [[nodiscard]] std::string_view target() const;
    [[nodiscard]] std::string_view value(const field& f) const;
    [[nodiscard]] std::string_view name(const field& f) const;
    [[nodiscard]] std::string_view find(boost::beast::http::field known) const;
    [[nodiscard]] std::string_view find(std::string_view name) const;
    [[nodiscard]] std::size_t count(boost::beast::http::field known) const;
  };

  http_parser(storage& out, std::uint32_t header_bytes_max);

  /// Where the next bytes of a chunked body go. What does not fit stays unparsed.
  void sink(std::span<char> out) {
    out_ = out;
    taken_ = 0;
  }
  [[nodiscard]] std::size_t taken() const { return taken_; }

private:
  using text_view = boost::beast::string_view;
  void on_request_impl(
    boost::beast::http::verb,
    text_view method,
    text_view target,
    int version,
    error_code&) override;
  void on_response_impl(int, text_view, int, error_code&) override {}
  void on_field_impl(
    boost::beast::http::field known,
    text_view name,
    text_view value,
    error_code& ec) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(text_view, error_code&) override;
  void on_chunk_header_impl(std::uint64_t, text_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text_view body, error_code&) override;
  void on_finish_impl(error_code&) override {}

  storage& store_;
  std::span<char> out_;
  std::size_t taken_ = 0;
};

/// Status that a request deserves whose header does not parse.
int status_of(const boost::beast::error_code& ec);

/// Checks of a complete header that Beast leaves to its users: Host, Transfer-Encoding, target. 0 = fine, else a status.
int check_header(const http_parser& parser, const http_parser::storage& head);

}  // namespace slipway::runtime
