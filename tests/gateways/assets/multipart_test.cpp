#include "gateways/assets/multipart.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <vector>

using namespace slipway::gateways;
using slipway::messages::errc;
using slipway::messages::result;

namespace {

struct part {
  part_head head;
  std::string bytes;
  bool ended = false;
};

struct reading {
  std::vector<part> parts;
  result<void> outcome;
  bool complete = false;
};

/// Feeds `body` in pieces of the sizes that `next` gives.
template <class Next>
reading read(const std::string& body, Next next, const std::string& boundary = "XX") {
  reading r;
  multipart_reader::events on;
  on.begin = [&](const part_head& h) {
    r.parts.push_back({h, "", false});
    return result<void>{};
  };
  on.data = [&](std::string_view bytes) {
    REQUIRE(!bytes.empty());
    r.parts.back().bytes += bytes;
    return result<void>{};
  };
  on.end = [&] {
    r.parts.back().ended = true;
    return result<void>{};
  };
  multipart_reader reader(boundary, on);
  for (std::size_t at = 0; at < body.size() && r.outcome;) {
    const auto n = std::min<std::size_t>(next(), body.size() - at);
    r.outcome = reader.feed(std::string_view(body).substr(at, n));
    at += n;
  }
  r.complete = reader.complete();
  return r;
}

reading read(const std::string& body) {
  return read(body, [] { return 1'000'000; });
}

std::string field(const std::string& name, const std::string& text) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + text + "\r\n";
}

std::string file(const std::string& bytes) {
  return "--XX\r\nContent-Disposition: form-data; name=\"asset\"; filename=\"a b.bin\"\r\n"
         "Content-Type: application/x-thing\r\n\r\n"
         + bytes + "\r\n";
}

}  // namespace

TEST_CASE("a form's parts are read whole, in whatever pieces they come") {
  std::string bytes;
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    // Beginnings of boundaries among the bytes, but no whole one.
    const auto c = static_cast<char>(random());
    bytes += random() % 4 == 0 ? "\r\n--X" : std::string(1, c == 'X' ? 'Y' : c);
  }
  const auto body = field("release", "12") + file(bytes) + field("empty", "") + "--XX--\r\n";
  for (const std::size_t size : {1U, 2U, 3U, 7U, 64U, 100'000U}) {
    const auto r = read(body, [size] { return size; });
    REQUIRE(r.outcome);
    CHECK(r.complete);
    REQUIRE(r.parts.size() == 3);
    CHECK(r.parts[0].head.name == "release");
    CHECK(!r.parts[0].head.is_file);
    CHECK(r.parts[0].bytes == "12");
    CHECK(r.parts[1].head.filename == "a b.bin");
    CHECK(r.parts[1].head.content_type == "application/x-thing");
    CHECK(r.parts[1].bytes == bytes);
    CHECK(r.parts[2].bytes.empty());
    CHECK(r.parts[2].ended);
  }
}

TEST_CASE("a boundary within a line, or a longer one, ends nothing") {
  const auto r = read(file("a --XX b\n--XX\r--XX") + "--XX--");
  REQUIRE(r.outcome);
  REQUIRE(r.parts.size() == 1);
  CHECK(r.parts[0].bytes == "a --XX b\n--XX\r--XX");
  CHECK(!read(file("a\r\n--XXY\r\n")).outcome);
}

TEST_CASE("malformed forms are refused") {
  const auto many = [] {
    std::string body;
    for (std::size_t i = 0; i <= multipart_reader::parts_max; ++i) {
      body += field("a", "");
    }
    return body;
  }();
  for (const auto& body :
       {std::string("hello"),
        std::string("\r\n--XX\r\n"),
        std::string("--XY\r\n"),
        std::string("--XX\n\n"),
        std::string("--XX\r\n\r\nno name\r\n--XX--"),
        std::string("--XX\r\nContent-Disposition: form-data\r\n\r\n"),
        std::string("--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n"),
        std::string("--XX\r\nContent-Disposition form-data; name=a\r\n\r\n"),
        std::string("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n"),
        std::string("--XX\r\nContent-Disposition: form-data; name=a\nX: y\r\n\r\n"),
        std::string("--XX\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: "
                    "base64\r\n\r\n"),
        "--XX\r\nX: " + std::string(multipart_reader::head_bytes_max, 'a') + "\r\n\r\n",
        "--XX" + std::string(multipart_reader::head_bytes_max + 1, ' ') + "\r\n",
        many}) {
    const auto r = read(body);
    INFO(body.substr(0, 80));
    CHECK(!r.outcome);
    CHECK(!r.complete);
  }
  const auto cut = read(file("abc"));
  CHECK(cut.outcome);
  CHECK(!cut.complete);
}

TEST_CASE("what a refusing event says ends the reading for good") {
  multipart_reader::events on;
  int begun = 0;
  on.begin = [&](const part_head&) -> result<void> {
    ++begun;
    return slipway::messages::fail(errc::disk_full, "full");
  };
  on.data = [](std::string_view) { return result<void>{}; };
  on.end = [] { return result<void>{}; };
  multipart_reader reader("XX", on);
  CHECK(reader.feed(field("a", "b")).error().code == errc::disk_full);
  CHECK(!reader.feed(field("a", "b")));
  CHECK(begun == 1);
}

TEST_CASE("file names come quoted, bare, escaped and in UTF-8") {
  const auto head = [](const std::string& rest) {
    return parse_part_head("Content-Disposition: form-data; name=asset" + rest);
  };
  CHECK(head("; filename=plain.txt")->filename == "plain.txt");
  CHECK(head(R"(; filename="a \"b\" c;d.txt")")->filename == R"(a "b" c;d.txt)");
  CHECK(head("; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt")->filename == "na\xc3\xafve.txt");
  CHECK(head("; filename*=UTF-8''y; filename=x")->filename == "y");
  CHECK(head("; filename=\"\"")->is_file);
  CHECK(!head("")->is_file);
  CHECK(!parse_part_head(
    "content-disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"));
}

TEST_CASE("the boundary is taken from the content type, or refused") {
  CHECK(*multipart_boundary("multipart/form-data; boundary=abc") == "abc");
  CHECK(*multipart_boundary("multipart/form-data; charset=utf-8; boundary=\"a:b\"") == "a:b");
  CHECK(multipart_boundary("application/json").error().code == errc::unsupported);
  for (const auto* wrong :
       {"multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a\r\nb\""}) {
    CHECK(multipart_boundary(wrong).error().code == errc::invalid_argument);
  }
  CHECK(!multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
}
