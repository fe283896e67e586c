#pragma once

#include "gateways/api/odata/request.hpp"
#include "messages/error.hpp"

#include <string>
#include <string_view>

namespace slipway::gateways::odata {

enum class token_kind : std::uint8_t {
  end,
  word,       ///< a name or an operator
  system,     ///< `$count`, with the dollar
  parameter,  ///< `@name`, with the at sign
  literal,    ///< a number, text or date; `true`, `false` and `null` are words
  symbol,     ///< one of ( ) , / : ; = & *
};

struct token {
  token_kind what = token_kind::end;
  std::string_view text;
  messages::value value;
  kind gives = kind::nothing;  ///< of a literal
  std::size_t position = 0;    ///< 1 = first byte of the decoded text
};

/// Reads tokens off a decoded text, which must outlive it. The first error sticks: from then on there are only `end` tokens, so that
/// a parser's loops finish by themselves and it need look at the error once.
class lexer {
public:
  /// `where` names the text in errors: `$filter`, `path`.
  lexer(std::string_view text, std::string where);

  [[nodiscard]] const token& peek() const { return next_; }
  token take();

  [[nodiscard]] bool at_symbol(char c) const;
  [[nodiscard]] bool at_word(std::string_view w) const;
  /// The first byte after the token in hand, blanks skipped; 0 at the end.
  [[nodiscard]] char after() const;
  bool accept(char c);
  bool accept_word(std::string_view w);
  void expect(char c);

  /// Records `what` with the place, unless there is an error already.
  void fail(std::string what, std::size_t position);
  void fail(std::string what) { fail(std::move(what), next_.position); }
  /// "unexpected x" at the token in hand.
  void unexpected(std::string_view wanted);

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const messages::error& failure() const { return failure_; }

private:
  void advance();
  void read_text();
  void read_number();
  void read_word();
  void read_typed(std::string_view type);

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
  token next_;
  bool failed_ = false;
  messages::error failure_;
};

}  // namespace slipway::gateways::odata
