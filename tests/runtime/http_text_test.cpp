#include "runtime/http_text.hpp"

#include <catch2/catch.hpp>

using namespace slipway::runtime;

TEST_CASE("percent-encoding is decoded, or refused when it is broken") {
  CHECK(percent_decode("a%20b%2Fc") == "a b/c");
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_decode("a+b", true) == "a b");
  CHECK(percent_decode("%00").value() == std::string(1, '\0'));
  for (const auto* bad : {"%", "%1", "%zz", "a%2", "%%20"}) {
    CHECK(!percent_decode(bad));
  }
  CHECK(percent_encode("a b/ü~") == "a%20b%2F%C3%BC~");
}

TEST_CASE("a query is parsed with repeated and indexed names") {
  const auto q =
    parse_query("scope[0]=a&scope%5B1%5D=b&scope=c&scope[]=d&x=&y&&z=1=2&scope[x]=no&scoped=no");
  REQUIRE(q);
  CHECK(query_values(*q, "scope") == std::vector<std::string_view>{"a", "b", "c", "d"});
  CHECK(query_value(*q, "x") == "");
  CHECK(query_value(*q, "y") == "");
  CHECK(query_value(*q, "z") == "1=2");
  CHECK(!query_value(*q, "w"));
  CHECK(parse_query("")->empty());
  CHECK(!parse_query("a=%"));
  CHECK(parse_query("a&b&c", 3));
  CHECK(!parse_query("a&b&c", 2));
}

TEST_CASE("HTTP dates go both ways") {
  CHECK(http_date(784111777000) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777000);
  for (const auto* bad :
       {"",
        "Mon, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Thu, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:3x GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT"}) {
    CHECK(!parse_http_date(bad));
  }
}

TEST_CASE("fields of several members are taken apart") {
  CHECK(
    header_tokens(" gzip , ,br;q=0.5,\"a,\\\"b\" ")
    == std::vector<std::string_view>{"gzip", "br;q=0.5", "\"a,\\\"b\""});
  CHECK(header_tokens("").empty());
  CHECK(header_tokens("\"open,\\") == std::vector<std::string_view>{"\"open,\\"});
  CHECK(has_token("keep-alive, Upgrade", "upgrade"));
  CHECK(has_token("br;q=0.5", "br"));
  CHECK(!has_token("brotli", "br"));
}

TEST_CASE("credentials are split into scheme and rest") {
  const auto a = authorization("  BEARER   abc.def ");
  REQUIRE(a);
  CHECK(a->first == "bearer");
  CHECK(a->second == "abc.def");
  CHECK(!authorization("Bearer"));
  CHECK(!authorization(""));
}

TEST_CASE("byte ranges are resolved against a size") {
  byte_range r;
  CHECK(parse_range("bytes=0-99", 1000, r) == range_kind::satisfiable);
  CHECK((r.first == 0 && r.last == 99));
  CHECK(parse_range("bytes=900-", 1000, r) == range_kind::satisfiable);
  CHECK((r.first == 900 && r.last == 999));
  CHECK(parse_range("bytes=900-5000", 1000, r) == range_kind::satisfiable);
  CHECK(r.last == 999);
  CHECK(parse_range("bytes=-10", 1000, r) == range_kind::satisfiable);
  CHECK((r.first == 990 && r.last == 999));
  CHECK(parse_range("bytes=-5000", 1000, r) == range_kind::satisfiable);
  CHECK(r.first == 0);
  CHECK(parse_range("bytes=1000-", 1000, r) == range_kind::unsatisfiable);
  CHECK(parse_range("bytes=-0", 1000, r) == range_kind::unsatisfiable);
  for (const auto* none :
       {"", "bytes", "bytes=", "bytes=5", "bytes=5-4", "items=0-1", "bytes=0-1,3-4", "bytes=a-b"}) {
    CHECK(parse_range(none, 1000, r) == range_kind::none);
  }
}
