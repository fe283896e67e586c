#include "gateways/assets/multipart.hpp"

#include "runtime/http_text.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

constexpr std::size_t boundary_bytes_max = 70;
constexpr std::size_t parameter_bytes_max = 1024;

/// RFC 2046, 5.1.1, without the space, which no client uses.
bool is_boundary_character(char c) {
  const bool alphanumeric =
    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alphanumeric || std::string_view("'()+_,-./:=?").find(c) != std::string_view::npos;
}

struct parameter {
  std::string name;  ///< lower case
  std::string value;
};

/// The next `; name=value` of a field. Clients escape a quote as `\"` or as `%22`; the first is undone here, the second is the name's own.
/// Nothing at the end, an error when malformed.
result<std::optional<parameter>> next_parameter(std::string_view& rest) {
  rest = runtime::trim_space(rest);
  if (rest.empty()) {
    return std::optional<parameter>{};
  }
  const auto equals = rest.find('=');
  if (rest.front() != ';' || equals == std::string_view::npos) {
    return fail(errc::invalid_argument, "a part's header has a malformed parameter");
  }
  parameter p;
  p.name = runtime::ascii_lower(runtime::trim_space(rest.substr(1, equals - 1)));
  rest.remove_prefix(equals + 1);
  if (rest.empty() || rest.front() != '"') {
    const auto end = std::min(rest.size(), rest.find(';'));
    p.value = std::string(runtime::trim_space(rest.substr(0, end)));
    rest.remove_prefix(end);
    return std::optional(std::move(p));
  }
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    const bool escaped = rest[i] == '\\' && i + 1 < rest.size() && rest[i + 1] == '"';
    i += escaped ? 1 : 0;
    p.value += rest[i];
  }
  if (i >= rest.size() || p.value.size() > parameter_bytes_max) {
    return fail(errc::invalid_argument, "a part's header has a text without end, or a long one");
  }
  rest.remove_prefix(i + 1);
  return std::optional(std::move(p));
}

/// RFC 5987: `UTF-8''na%C3%AFve.txt`.
std::optional<std::string> extended_value(std::string_view text) {
  constexpr std::string_view charset = "utf-8'";
  if (text.size() < charset.size() || !runtime::iequals(text.substr(0, charset.size()), charset)) {
    return std::nullopt;
  }
  const auto quote = text.find('\'', charset.size());
  return quote == std::string_view::npos ? std::nullopt
                                         : runtime::percent_decode(text.substr(quote + 1));
}

result<void> read_disposition(std::string_view field, part_head& out) {
  const auto semicolon = std::min(field.size(), field.find(';'));
  if (!runtime::iequals(runtime::trim_space(field.substr(0, semicolon)), "form-data")) {
    return fail(errc::invalid_argument, "a part is not form-data");
  }
  auto rest = field.substr(semicolon);
  bool extended = false;
  for (;;) {
    auto p = next_parameter(rest);
    if (!p) {
      return tl::unexpected(p.error());
    }
    if (!*p) {
      return {};
    }
    auto& [name, text] = **p;
    if (name == "name") {
      out.name = std::move(text);
    } else if (name == "filename" && !extended) {
      out.filename = std::move(text);
      out.is_file = true;
    } else if (name == "filename*") {
      if (auto plain = extended_value(text)) {
        out.filename = std::move(*plain);
        out.is_file = extended = true;
      }
    }
  }
}

}  // namespace

result<std::string> multipart_boundary(std::string_view content_type) {
  const auto semicolon = std::min(content_type.size(), content_type.find(';'));
  const auto type = runtime::trim_space(content_type.substr(0, semicolon));
  if (!runtime::iequals(type, "multipart/form-data")) {
    return fail(errc::unsupported, "the content type must be multipart/form-data");
  }
  auto rest = content_type.substr(semicolon);
  for (;;) {
    auto p = next_parameter(rest);
    if (!p || !*p) {
      return fail(errc::invalid_argument, "the content type has no boundary");
    }
    auto& boundary = (*p)->value;
    if ((*p)->name == "boundary") {
      const bool allowed = !boundary.empty() && boundary.size() <= boundary_bytes_max
                           && std::all_of(boundary.begin(), boundary.end(), is_boundary_character);
      return allowed ? result<std::string>(std::move(boundary))
                     : fail(errc::invalid_argument, "the boundary has wrong characters");
    }
  }
}

result<part_head> parse_part_head(std::string_view lines) {
  part_head out;
  bool placed = false;
  while (!lines.empty()) {
    const auto end = std::min(lines.size(), lines.find("\r\n"));
    const auto line = lines.substr(0, end);
    lines.remove_prefix(std::min(lines.size(), end + 2));
    const auto colon = line.find(':');
    const bool control = std::any_of(line.begin(), line.end(), [](unsigned char c) {
      return (c < 0x20 && c != '\t') || c == 0x7f;
    });
    if (colon == std::string_view::npos || colon == 0 || control) {
      return fail(errc::invalid_argument, "a part has a malformed header");
    }
    const auto name = line.substr(0, colon);
    const auto field = runtime::trim_space(line.substr(colon + 1));
    if (runtime::iequals(name, "content-disposition")) {
      if (placed) {
        return fail(errc::invalid_argument, "a part is named twice");
      }
      placed = true;
      if (auto ok = read_disposition(field, out); !ok) {
        return tl::unexpected(ok.error());
      }
    } else if (runtime::iequals(name, "content-type")) {
      out.content_type = std::string(field.substr(0, 255));
    } else if (runtime::iequals(name, "content-transfer-encoding")) {
      const bool plain = runtime::iequals(field, "binary") || runtime::iequals(field, "8bit")
                         || runtime::iequals(field, "7bit");
      if (!plain) {
        return fail(errc::invalid_argument, "a part has a transfer encoding");
      }
    }
  }
  if (out.name.empty()) {
    return fail(errc::invalid_argument, "a part has no name");
  }
  return out;
}

multipart_reader::multipart_reader(const std::string& boundary, events on)
  : delimiter_("\r\n--" + boundary), on_(std::move(on)), kept_("\r\n") {
  // The first boundary has no line before it; one that is made up lets it be found like the others.
}

result<void> multipart_reader::refuse(std::string why) {
  return fail(errc::invalid_argument, std::move(why));
}

result<void> multipart_reader::feed(std::string_view bytes) {
  if (at_ == state::failed) {
    return refuse("the body is malformed");
  }
  if (at_ == state::over) {
    return {};
  }
  kept_ += bytes;
  bool more = true;
  while (more) {
    if (auto ok = step(more); !ok) {
      at_ = state::failed;
      kept_.clear();
      return ok;
    }
  }
  return {};
}

result<void> multipart_reader::step(bool& more) {
  switch (at_) {
    case state::preamble:
      more = kept_.size() >= delimiter_.size();
      if (!more) {
        return {};
      }
      if (!kept_.starts_with(delimiter_)) {
        return refuse("the body does not begin with its boundary");
      }
      kept_.erase(0, delimiter_.size());
      at_ = state::after_boundary;
      return {};
    case state::after_boundary:
      return read_boundary_end(more);
    case state::head:
      return read_head(more);
    case state::body:
      return read_body(more);
    default:
      more = false;
      kept_.clear();
      return {};
  }
}

result<void> multipart_reader::read_boundary_end(bool& more) {
  const auto text = std::string_view(kept_);
  const auto padding = std::min(text.find_first_not_of(" \t"), text.size());
  if (padding > head_bytes_max) {
    return refuse("a boundary's line is too long");
  }
  more = text.size() >= padding + 2;
  if (!more) {
    return {};
  }
  if (padding == 0 && text.starts_with("--")) {
    at_ = state::over;
    return {};
  }
  if (text.substr(padding, 2) != "\r\n") {
    return refuse("a boundary is followed by something else");
  }
  if (++parts_ > parts_max) {
    return refuse("the body has more than 16 parts");
  }
  // The line's end stays, so that the header's end is found even when it has no lines.
  kept_.erase(0, padding);
  at_ = state::head;
  return {};
}

result<void> multipart_reader::read_head(bool& more) {
  const auto end = kept_.find("\r\n\r\n");
  if (end == std::string::npos || end > head_bytes_max) {
    more = false;
    // The four bytes of the end may still be on their way.
    return kept_.size() > head_bytes_max + 4 ? refuse("a part's header is too long")
                                             : result<void>{};
  }
  const auto lines = end < 2 ? std::string_view{} : std::string_view(kept_).substr(2, end - 2);
  const auto head = parse_part_head(lines);
  if (!head) {
    return tl::unexpected(head.error());
  }
  if (auto ok = on_.begin(*head); !ok) {
    return ok;
  }
  kept_.erase(0, end + 4);
  at_ = state::body;
  return {};
}

result<void> multipart_reader::read_body(bool& more) {
  const auto end = kept_.find(delimiter_);
  // What may be the beginning of a boundary waits for the rest.
  const auto safe = end != std::string::npos            ? end
                    : kept_.size() >= delimiter_.size() ? kept_.size() - delimiter_.size() + 1
                                                        : 0;
  if (safe > 0) {
    if (auto ok = on_.data(std::string_view(kept_).substr(0, safe)); !ok) {
      return ok;
    }
  }
  if (end == std::string::npos) {
    kept_.erase(0, safe);
    more = false;
    return {};
  }
  kept_.erase(0, end + delimiter_.size());
  at_ = state::after_boundary;
  return on_.end();
}

}  // namespace slipway::gateways
