#include "gateways/api/odata/json_writer.hpp"

#include "gateways/api/odata/date.hpp"
#include "gateways/api/odata/uri.hpp"

#include <charconv>
#include <cmath>

namespace slipway::gateways::odata {

using domain::field_def;
using domain::field_type;
using messages::value;

namespace {

void append_escape(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4U];
      out += digits[static_cast<unsigned char>(c) & 0xfU];
  }
}

bool plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x80 && c != '"'
         && c != '\\';
}

template <class T>
void append_number(std::string& out, T x) {
  char buffer[32];
  const auto r = std::to_chars(std::begin(buffer), std::end(buffer), x);
  out.append(buffer, r.ptr);
}

void append_integer(std::string& out, const field_def& f, std::int64_t i) {
  switch (f.type) {
    case field_type::date:
      out += '"';
      append_date(out, i);
      out += '"';
      return;
    case field_type::reference:
      out += "{\"__id\":";
      append_number(out, i);
      out += '}';
      return;
    case field_type::big_integer:
      out += '"';
      append_number(out, i);
      out += '"';
      return;
    default:
      append_number(out, i);
  }
}

}  // namespace

void append_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    std::size_t n = 0;
    while (n < text.size() && plain(text[n])) {
      ++n;
    }
    out += text.substr(0, n);
    text.remove_prefix(n);
    if (text.empty()) {
      break;
    }
    n = 1;
    if (static_cast<unsigned char>(text.front()) < 0x80) {
      append_escape(out, text.front());
    } else if (const auto length = utf8_length(text); length > 0) {
      out += text.substr(0, length);
      n = length;
    } else {
      out += "\xef\xbf\xbd";
    }
    text.remove_prefix(n);
  }
  out += '"';
}

void append_name(std::string& out, std::string_view name) {
  out += '"';
  out += name;  // names of the schema need no escapes
  out += "\":";
}

void append_value(std::string& out, const field_def& f, const value& v) {
  if (const auto* i = std::get_if<std::int64_t>(&v)) {
    append_integer(out, f, *i);
  } else if (const auto* s = std::get_if<std::string>(&v)) {
    append_text(out, *s);
  } else if (const auto* b = std::get_if<bool>(&v)) {
    out += *b ? "true" : "false";
  } else if (const auto* j = std::get_if<messages::json_text>(&v)) {
    // It was parsed on its way in. v6 shows some documents as texts.
    if (f.type == field_type::text) {
      append_text(out, j->text);
    } else {
      out += j->text;
    }
  } else if (const auto* d = std::get_if<double>(&v); d != nullptr && std::isfinite(*d)) {
    append_number(out, *d);
  } else {
    out += "null";
  }
}

}  // namespace slipway::gateways::odata
