#include "gateways/api/odata/lexer.hpp"

#include "gateways/api/odata/date.hpp"

#include <charconv>

namespace slipway::gateways::odata {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_name(char c) {
  return is_name_start(c) || is_digit(c);
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

constexpr std::string_view symbols = "(),/:;=&*";

}  // namespace

lexer::lexer(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {
  advance();
}

token lexer::take() {
  auto t = std::move(next_);
  advance();
  return t;
}

bool lexer::at_symbol(char c) const {
  return next_.what == token_kind::symbol && next_.text.front() == c;
}

bool lexer::at_word(std::string_view w) const {
  return next_.what == token_kind::word && next_.text == w;
}

char lexer::after() const {
  auto i = at_;
  while (i < text_.size() && is_blank(text_[i])) {
    ++i;
  }
  return i < text_.size() ? text_[i] : '\0';
}

bool lexer::accept(char c) {
  if (!at_symbol(c)) {
    return false;
  }
  advance();
  return true;
}

bool lexer::accept_word(std::string_view w) {
  if (!at_word(w)) {
    return false;
  }
  advance();
  return true;
}

void lexer::expect(char c) {
  if (!accept(c)) {
    unexpected(std::string("`") + c + "`");
  }
}

void lexer::fail(std::string what, std::size_t position) {
  if (failed_) {
    return;
  }
  failed_ = true;
  failure_ = {
    messages::errc::invalid_argument,
    std::move(what) + " in " + where_ + " at position " + std::to_string(position)};
  next_ = token{};
  at_ = text_.size();
}

void lexer::unexpected(std::string_view wanted) {
  const auto found =
    next_.what == token_kind::end ? std::string("the end") : "`" + std::string(next_.text) + "`";
  fail("expected " + std::string(wanted) + ", found " + found);
}

void lexer::advance() {
  while (at_ < text_.size() && is_blank(text_[at_])) {
    ++at_;
  }
  next_ = token{};
  next_.position = at_ + 1;
  if (at_ >= text_.size()) {
    return;
  }
  const char c = text_[at_];
  const char following = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (c == '\'') {
    read_text();
  } else if (is_digit(c) || ((c == '-' || c == '+') && is_digit(following))) {
    read_number();
  } else if (is_name_start(c) || ((c == '$' || c == '@') && is_name_start(following))) {
    read_word();
  } else if (symbols.find(c) != std::string_view::npos) {
    next_.what = token_kind::symbol;
    next_.text = text_.substr(at_++, 1);
  } else {
    fail("a character that has no meaning", next_.position);
  }
}

void lexer::read_text() {
  std::string value;
  for (auto i = at_ + 1; i < text_.size(); ++i) {
    if (text_[i] != '\'') {
      value += text_[i];
    } else if (i + 1 < text_.size() && text_[i + 1] == '\'') {
      value += '\'';
      ++i;
    } else {
      next_.what = token_kind::literal;
      next_.gives = kind::text;
      next_.text = text_.substr(at_, i + 1 - at_);
      next_.value = std::move(value);
      at_ = i + 1;
      return;
    }
  }
  fail("a text without its closing quote", next_.position);
}

void lexer::read_number() {
  auto end = at_ + 1;
  bool whole = true;
  while (end < text_.size() && (is_name(text_[end]) || text_[end] == '.')) {
    whole = whole && is_digit(text_[end]);
    ++end;
  }
  next_.text = text_.substr(at_, end - at_);
  auto digits = next_.text;
  if (digits.front() == '+') {
    digits.remove_prefix(1);
  }
  const char* const stop = digits.data() + digits.size();
  std::int64_t i = 0;
  double d = 0;
  if (whole) {
    const auto r = std::from_chars(digits.data(), stop, i);
    if (r.ec != std::errc{} || r.ptr != stop) {
      fail("an integer beyond 64 bits", next_.position);
      return;
    }
    next_.value = i;
  } else {
    const auto r = std::from_chars(digits.data(), stop, d, std::chars_format::fixed);
    if (r.ec != std::errc{} || r.ptr != stop) {
      fail("a malformed number", next_.position);
      return;
    }
    next_.value = d;
  }
  next_.what = token_kind::literal;
  next_.gives = kind::number;
  at_ = end;
}

void lexer::read_word() {
  auto end = at_ + 1;
  while (end < text_.size() && is_name(text_[end])) {
    ++end;
  }
  next_.text = text_.substr(at_, end - at_);
  const char c = text_[at_];
  next_.what = c == '$' ? token_kind::system : c == '@' ? token_kind::parameter : token_kind::word;
  at_ = end;
  if (next_.what == token_kind::word && end < text_.size() && text_[end] == '\'') {
    read_typed(next_.text);
  }
}

void lexer::read_typed(std::string_view type) {
  const auto position = next_.position;
  read_text();
  if (failed_) {
    return;
  }
  next_.position = position;
  if (type != "datetime" && type != "date" && type != "datetimeoffset") {
    fail("literals of type `" + std::string(type) + "` are not supported", position);
    return;
  }
  const auto ms = parse_date(std::get<std::string>(next_.value));
  if (!ms) {
    fail("a malformed date", position);
    return;
  }
  next_.value = *ms;
  next_.gives = kind::date;
}

}  // namespace slipway::gateways::odata
