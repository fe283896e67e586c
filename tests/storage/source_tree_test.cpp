#include "storage/source_tree.hpp"

#include "storage/tar_format.hpp"
#include "tests/support/temp_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <map>

using namespace slipway;
using namespace slipway::storage;
using messages::errc;
using test::temp_folder;

namespace {

/// A tar made with libarchive: every kind of entry that a client could send.
class tar_maker {
public:
  enum class packing { none, gzip, zstd };

  explicit tar_maker(packing how = packing::none, int format = ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
    : archive_(archive_write_new()) {
    archive_write_set_format(archive_, format);
    if (how == packing::gzip) {
      archive_write_add_filter_gzip(archive_);
    } else if (how == packing::zstd) {
      archive_write_add_filter_zstd(archive_);
    }
    archive_write_set_bytes_in_last_block(archive_, 1);
    archive_write_set_options(archive_, "hdrcharset=BINARY");
    const auto append = [](archive*, void* to, const void* bytes, std::size_t n) -> la_ssize_t {
      static_cast<std::string*>(to)->append(static_cast<const char*>(bytes), n);
      return static_cast<la_ssize_t>(n);
    };
    archive_write_open(archive_, &out_, nullptr, append, nullptr);
  }
  ~tar_maker() { archive_write_free(archive_); }
  tar_maker(const tar_maker&) = delete;
  tar_maker& operator=(const tar_maker&) = delete;

  tar_maker& file(const std::string& path, const std::string& content, int mode = 0644) {
    return add(path, AE_IFREG, mode, content);
  }
  tar_maker& folder(const std::string& path, int mode = 0755) { return add(path, AE_IFDIR, mode); }
  tar_maker& link(const std::string& path, const std::string& target) {
    return add(path, AE_IFLNK, 0777, {}, target);
  }
  tar_maker& hard_link(const std::string& path, const std::string& target) {
    return add(path, 0, 0644, {}, target);
  }
  tar_maker& add(
    const std::string& path,
    unsigned type,
    int mode,
    const std::string& content = {},
    const std::string& target = {}) {
    auto* e = archive_entry_new();
    archive_entry_set_pathname(e, path.c_str());
    archive_entry_set_filetype(e, type != 0 ? type : AE_IFREG);
    archive_entry_set_perm(e, static_cast<unsigned>(mode));
    archive_entry_set_mtime(e, 1'700'000'000, 0);
    archive_entry_set_uid(e, 1000);
    archive_entry_set_size(e, static_cast<la_int64_t>(content.size()));
    if (type == AE_IFLNK) {
      archive_entry_set_symlink(e, target.c_str());
    } else if (type == 0) {
      archive_entry_set_hardlink(e, target.c_str());
    }
    REQUIRE(archive_write_header(archive_, e) >= ARCHIVE_WARN);
    archive_write_data(archive_, content.data(), content.size());
    archive_entry_free(e);
    return *this;
  }
  std::string bytes() {
    archive_write_close(archive_);
    return out_;
  }

private:
  std::string out_;
  archive* archive_;
};

byte_source source_of(std::string_view bytes) {
  return [bytes](char* to, std::size_t n) mutable -> std::ptrdiff_t {
    n = bytes.copy(to, std::min<std::size_t>(n, 70'000));
    bytes.remove_prefix(n);
    return static_cast<std::ptrdiff_t>(n);
  };
}

using received = messages::result<std::unique_ptr<source_tree>>;

struct place {
  temp_folder folder;
  std::string file = folder.path() + "/source.tar";

  received receive(const std::string& bytes, const source_limits& limits = {}) const {
    return source_tree::receive(source_of(bytes), file, limits);
  }
  /// The error of a source that must be refused, once it was checked that nothing is left of it.
  messages::error refusal(const std::string& bytes, const source_limits& limits = {}) const {
    const auto r = receive(bytes, limits);
    REQUIRE_FALSE(r);
    CHECK(std::filesystem::is_empty(folder.path()));
    return r.error();
  }
};

std::string drain(const byte_source& from) {
  std::string bytes;
  std::vector<char> buffer(4'097);
  for (;;) {
    const auto n = from(buffer.data(), buffer.size());
    REQUIRE(n >= 0);
    if (n == 0) {
      return bytes;
    }
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

/// Names in a tar and what they hold, as libarchive reads it: links as `-> target`, folders as "dir".
std::map<std::string, std::string> unpack(const std::string& bytes) {
  std::map<std::string, std::string> out;
  auto* a = archive_read_new();
  archive_read_support_format_tar(a);
  REQUIRE(archive_read_open_memory(a, bytes.data(), bytes.size()) == ARCHIVE_OK);
  archive_entry* e = nullptr;
  while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
    std::string content;
    if (archive_entry_filetype(e) == AE_IFDIR) {
      content = "dir";
    } else if (archive_entry_filetype(e) == AE_IFLNK) {
      content = std::string("-> ") + archive_entry_symlink(e);
    } else {
      content.resize(static_cast<std::size_t>(archive_entry_size(e)));
      REQUIRE(
        archive_read_data(a, content.data(), content.size())
        == static_cast<la_ssize_t>(content.size()));
    }
    CHECK(archive_entry_uid(e) == 0);
    CHECK(out.emplace(archive_entry_pathname(e), content).second);
  }
  archive_read_free(a);
  return out;
}

std::map<std::string, std::string> stream(const source_tree& t, source_tree::context c = {}) {
  return unpack(drain(t.stream(std::move(c))));
}

/// Packed once more.
std::string packed(const std::string& bytes, int filter) {
  std::string out;
  auto* a = archive_write_new();
  archive_write_set_format_raw(a);
  archive_write_add_filter(a, filter);
  archive_write_set_bytes_in_last_block(a, 1);
  const auto append = [](archive*, void* to, const void* part, std::size_t n) -> la_ssize_t {
    static_cast<std::string*>(to)->append(static_cast<const char*>(part), n);
    return static_cast<la_ssize_t>(n);
  };
  archive_write_open(a, &out, nullptr, append, nullptr);
  auto* e = archive_entry_new();
  archive_entry_set_filetype(e, AE_IFREG);
  archive_write_header(a, e);
  archive_write_data(a, bytes.data(), bytes.size());
  archive_entry_free(e);
  archive_write_close(a);
  archive_write_free(a);
  return out;
}

/// A GNU sparse file whose map goes on as long as somebody reads: in the form of pax 1.0, or in the old one.
class endless_map {
public:
  explicit endless_map(bool old) {
    if (!old) {
      const std::string records = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n";
      begin_ = tar_header({tar_kind::file, 0644, 0, records.size(), "x", ""});
      begin_[156] = 'x';
      seal(begin_);
      begin_ += records + std::string(512 - records.size(), '\0')
                + tar_header({tar_kind::file, 0644, 0, std::uint64_t{1} << 32U, "holes", ""})
                + "999999999\n";
      again_ = "0\n0\n";
      return;
    }
    begin_ = tar_header({tar_kind::file, 0644, 0, 0, "holes", ""});
    begin_[156] = 'S';
    begin_.replace(257, 8, std::string("ustar  \0", 8));
    const std::string number = "00000000001 ";
    begin_.replace(386, 24, number + number);
    begin_[482] = '\1';  // goes on in the next block, and so does that one
    seal(begin_);
    for (int i = 0; i < 42; ++i) {
      again_ += number;
    }
    again_ += '\1';
    again_.resize(512);
  }

  /// To be read once.
  byte_source source(std::uint64_t bytes, std::uint64_t& read) const {
    return [this, bytes, &read](char* to, std::size_t n) -> std::ptrdiff_t {
      n = std::min<std::uint64_t>(n, bytes - read);
      for (std::size_t i = 0; i < n; ++i, ++read) {
        to[i] =
          read < begin_.size() ? begin_[read] : again_[(read - begin_.size()) % again_.size()];
      }
      return static_cast<std::ptrdiff_t>(n);
    };
  }

private:
  static void seal(std::string& header) {
    header.replace(148, 8, std::string(8, ' '));
    unsigned sum = 0;
    for (const char c : header.substr(0, 512)) {
      sum += static_cast<unsigned char>(c);
    }
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    header.replace(148, 7, std::string(text, 7));
  }

  std::string begin_;
  std::string again_;
};

long peak_kib() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss;
}

/// Whether the peak has grown by less than that. The address sanitizer keeps what was freed, so there it has no meaning.
bool grew_less_than(long mib, long before_kib) {
#if defined(__SANITIZE_ADDRESS__)
  (void)mib, (void)before_kib;
  return true;
#else
  return peak_kib() - before_kib < mib * 1024;
#endif
}

}  // namespace

TEST_CASE("a tar, plain or packed, becomes a tree that can be read, listed and opened again") {
  for (const auto how :
       {tar_maker::packing::none, tar_maker::packing::gzip, tar_maker::packing::zstd}) {
    const place p;
    const std::string big(3'000'000, 'b');
    const std::string long_name(180, 'n');
    tar_maker tar(how);
    tar.file("./Dockerfile", "FROM x\n")
      .file("web/src/main.c", "int x;")
      .file("web/" + long_name, "long")
      .file("web/\xc3\xa4.txt", "umlaut")
      .file("big", big)
      .folder("empty")
      .link("web/link", "../Dockerfile")
      .link("way", "web/src")
      .hard_link("same", "Dockerfile");
    const auto made = p.receive(tar.bytes());
    INFO((made ? "" : made.error().detail));
    REQUIRE(made);
    struct stat s {};
    REQUIRE(::stat(p.file.c_str(), &s) == 0);
    CHECK((s.st_mode & 0777U) == 0600);
    CHECK((*made)->bytes() == static_cast<std::uint64_t>(s.st_size));
    const auto opened = source_tree::open(p.file);
    REQUIRE(opened);
    for (const auto* t : {made->get(), opened->get()}) {
      CHECK(t->entries() == 11);
      CHECK(t->read("Dockerfile").value() == "FROM x\n");
      CHECK(t->read("same").value() == "FROM x\n");
      CHECK(t->read("web/link").value() == "FROM x\n");
      CHECK(t->read("way/main.c").value() == "int x;");
      CHECK(t->read("web/src/main.c/").value() == "int x;");
      CHECK_FALSE(t->read("none").value());
      CHECK_FALSE(t->read("web").value());
      CHECK(t->read("big").error().code == errc::too_large);
      CHECK(t->list("") == std::vector<std::string>{"Dockerfile", "big", "same"});
      CHECK(t->list("web") == std::vector<std::string>{"link", long_name, "\xc3\xa4.txt"});
      CHECK(t->list("way") == std::vector<std::string>{"main.c"});
      CHECK(t->list("none").empty());
      const auto all = stream(*t);
      CHECK(all.at("big") == big);
      CHECK(all.at("empty/") == "dir");
      CHECK(all.at("web/link") == "-> ../Dockerfile");
      CHECK(all.at("web/" + long_name) == "long");
      CHECK(all.size() == 11);
    }
  }
}

TEST_CASE("a context is a folder with what is ignored left out and the Dockerfile filled in") {
  const place p;
  tar_maker tar;
  tar.file("Dockerfile", "root")
    .file("web/Dockerfile.template", "raw")
    .file("web/.dockerignore", "*\n")
    .file("web/a", "a")
    .file("web/skip/b", "b")
    .file("web-other", "o")
    .file("web/sub/Dockerfile", "s")
    .file(".git/config", "g")
    .file(".balena/secrets/s", "s")
    .file(".resin/x", "s");
  const auto t = p.receive(tar.bytes());
  REQUIRE(t);
  CHECK(
    stream(**t)
    == std::map<std::string, std::string>{
      {"Dockerfile", "root"},
      {"web/", "dir"},
      {"web/.dockerignore", "*\n"},
      {"web/Dockerfile.template", "raw"},
      {"web/a", "a"},
      {"web/skip/", "dir"},
      {"web/skip/b", "b"},
      {"web/sub/", "dir"},
      {"web/sub/Dockerfile", "s"},
      {"web-other", "o"}});
  source_tree::context c{
    "web",
    [](std::string_view path) { return path != "a"; },
    {{"Dockerfile.template", "filled"}, {"new/file", "n"}, {"zz", "z"}}};
  CHECK(
    stream(**t, c)
    == std::map<std::string, std::string>{
      {".dockerignore", "*\n"},
      {"Dockerfile.template", "filled"},
      {"a", "a"},
      {"new/file", "n"},
      {"zz", "z"}});
  char byte = 0;
  CHECK((*t)->stream({"none", {}, {}})(&byte, 1) == -1);
  CHECK((*t)->stream({"Dockerfile", {}, {}})(&byte, 1) == -1);
}

TEST_CASE("the same files are the same bytes, in whatever order and form they came") {
  const place p;
  const place q;
  tar_maker a;
  a.file("b", "1").file("a/x", "2").link("l", "b");
  tar_maker b(tar_maker::packing::zstd, ARCHIVE_FORMAT_TAR_GNUTAR);
  b.link("l", "b").file("./a/x", "2").file("b", "old").file("b", "1");
  const auto one = p.receive(a.bytes());
  const auto two = q.receive(b.bytes());
  REQUIRE(one);
  REQUIRE(two);
  CHECK(drain((*one)->stream({})) == drain((*two)->stream({})));
}

TEST_CASE("of a path that comes twice the last one counts, also when the file is opened again") {
  const place p;
  tar_maker tar;
  tar.file("a", "one").link("b", "a").file("a", "second").file("b", "no link");
  const auto t = p.receive(tar.bytes());
  REQUIRE(t);
  const auto again = source_tree::open(p.file);
  REQUIRE(again);
  for (const auto* tree : {t->get(), again->get()}) {
    CHECK(stream(*tree) == std::map<std::string, std::string>{{"a", "second"}, {"b", "no link"}});
  }
}

TEST_CASE("paths and links that leave the tree are refused and nothing is written") {
  const place p;
  const auto detail = [&](auto&& fill) {
    tar_maker tar;
    fill(tar);
    const auto e = p.refusal(tar.bytes());
    CHECK(e.code == errc::invalid_argument);
    return e.detail;
  };
  CHECK(detail([](auto& t) { t.file("../x", ""); }) == "../x: a path with ..");
  CHECK(detail([](auto& t) { t.file("a/../../x", ""); }) == "a/../../x: a path with ..");
  CHECK(detail([](auto& t) { t.file("/etc/passwd", ""); }) == "/etc/passwd: an absolute path");
  CHECK(detail([](auto& t) { t.folder("/etc"); }).find("an absolute path") != std::string::npos);
  CHECK(
    detail([](auto& t) { t.link("a", "/etc"); }) == "a: the link to /etc leads out of the project");
  CHECK(
    detail([](auto& t) { t.link("d/a", "../../etc"); })
    == "d/a: the link to ../../etc leads out of the project");
  CHECK(
    detail([](auto& t) { t.link("d/a", "x/../../.."); })
    == "d/a: the link to x/../../.. goes down and up again");
  CHECK(
    detail([](auto& t) { t.folder("d").link("l", "d").file("l/x", ""); })
    == "l/x: passes through the link l");
  CHECK(
    detail([](auto& t) { t.file("f", "").file("f/x", ""); }) == "f/x: passes through the file f");
  CHECK(
    detail([](auto& t) { t.file("f/x", "").file("f", ""); })
    == "f: a folder and something else at the same time");
  CHECK(
    detail([](auto& t) { t.hard_link("h", "../../etc/passwd"); })
    == "../../etc/passwd: a path with ..");
  CHECK(
    detail([](auto& t) { t.hard_link("h", "/etc/passwd"); }).find("absolute") != std::string::npos);
  CHECK(
    detail([](auto& t) { t.hard_link("h", "none"); })
    == "h: a hard link to none, which is no file before it");
  CHECK(
    detail([](auto& t) { t.link("l", "x").hard_link("h", "l"); })
    == "h: a hard link to l, which is no file before it");
}

TEST_CASE("links in circles end, and no chain of links leads out") {
  const place p;
  tar_maker tar;
  tar.link("a", "b").link("b", "a").link("self", "self").link("up", "d/e/f/..").file("x", "");
  CHECK(p.refusal(tar.bytes()).detail == "up: the link to d/e/f/.. goes down and up again");
  tar_maker circle;
  circle.link("a", "b")
    .link("b", "a/c")
    .link("d/root", "../.")
    .link("e", "d/root/d/root")
    .file("f", "x");
  const auto t = p.receive(circle.bytes());
  INFO((t ? "" : t.error().detail));
  REQUIRE(t);
  CHECK_FALSE((*t)->read("a").value());
  CHECK((*t)->read("e/f").value() == "x");
  CHECK_FALSE((*t)->read("e/../../../etc/passwd").value());
}

TEST_CASE("devices, pipes and sockets are refused") {
  for (const unsigned type : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
    const place p;
    tar_maker tar;
    tar.add("dev", type, 0666);
    CHECK(p.refusal(tar.bytes()).detail == "dev: devices, pipes and sockets cannot be sent");
  }
}

TEST_CASE("names that are not UTF-8 are refused, and errors show no control characters") {
  for (const int format :
       {ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE}) {
    for (const auto* name : {"caf\xe9", "\xff\xfe", "a\xc0\xaf", "\xed\xa0\x80"}) {
      const place p;
      tar_maker tar(tar_maker::packing::none, format);
      tar.file(name, "x");
      const auto e = p.refusal(tar.bytes());
      CHECK(e.code == errc::invalid_argument);
      CHECK(e.detail.find("UTF-8") != std::string::npos);
    }
  }
  const place p;
  tar_maker tar;
  tar.file("/\x1b[31m\n", "");
  CHECK(p.refusal(tar.bytes()).detail == "/?[31m?: an absolute path");
}

TEST_CASE("bombs, plain and packed, end at the limit with bounded memory") {
  source_limits limits;
  limits.bytes_max = 8U << 20U;
  const auto before = peak_kib();
  for (const auto how : {tar_maker::packing::gzip, tar_maker::packing::zstd}) {
    const place p;
    tar_maker tar(how);
    const std::string part(1U << 20U, '\0');
    for (int i = 0; i < 40; ++i) {
      tar.file("f" + std::to_string(i), part);
    }
    const auto bytes = tar.bytes();
    REQUIRE(bytes.size() < (2U << 20U));
    const auto e = p.refusal(bytes, limits);
    CHECK(e.code == errc::too_large);
    CHECK(e.detail == "the project unpacks to more than 8 MiB");
  }
  const place p;
  tar_maker links;
  links.file("f", std::string(2U << 20U, 'x'));
  for (int i = 0; i < 10; ++i) {
    links.hard_link("h" + std::to_string(i), "f");
  }
  CHECK(p.refusal(links.bytes(), limits).code == errc::too_large);
  CHECK(grew_less_than(64, before));
}

TEST_CASE("a million tiny entries end at the limit, quickly and with bounded memory") {
  // The same header over and over, made once: making the tar must not take longer than reading it.
  const auto one = tar_header({tar_kind::file, 0644, 0, 0, "same", ""});
  std::size_t left = 1'000'000;
  std::size_t asked = 0;
  const byte_source from = [&](char* to, std::size_t n) -> std::ptrdiff_t {
    std::size_t done = 0;
    for (; left > 0 && done + one.size() <= n; --left, ++asked) {
      done += one.copy(to + done, one.size());
    }
    return static_cast<std::ptrdiff_t>(done);
  };
  const place p;
  const auto before = peak_kib();
  const auto r = source_tree::receive(from, p.file);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::too_large);
  CHECK(r.error().detail == "the tar has more than 200000 entries");
  CHECK(asked < 202'000);
  CHECK(grew_less_than(32, before));

  std::string deep;
  for (int i = 0; i < 500; ++i) {
    deep += "d/";
  }
  tar_maker tar;
  for (int i = 0; i < 300; ++i) {
    tar.file(std::to_string(i) + "/" + deep + "f", "");
  }
  const auto e = p.refusal(tar.bytes());
  CHECK(e.code == errc::too_large);
  CHECK(e.detail == "the paths of the project are together longer than 64 MiB");
}

TEST_CASE("headers that claim sizes which are not there are refused") {
  const place p;
  const auto claim = [](std::uint64_t size) {
    return tar_header({tar_kind::file, 0644, 0, size, "f", ""});
  };
  CHECK(p.refusal(claim(std::uint64_t{1} << 62U)).code == errc::too_large);
  CHECK(p.refusal(claim(9ULL << 30U)).code == errc::too_large);
  CHECK(p.refusal(claim(1'000'000) + "only this").code == errc::invalid_argument);
  // GNU's binary numbers: -1 in the field of the size.
  auto negative = tar_header({tar_kind::file, 0644, 0, 0, "f", ""});
  negative.replace(124, 12, std::string(12, '\xff'));
  negative.replace(148, 8, std::string(8, ' '));
  unsigned sum = 0;
  for (const char c : negative) {
    sum += static_cast<unsigned char>(c);
  }
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  negative.replace(148, 7, std::string(text, 7));
  CHECK(p.refusal(negative + std::string(1024, '\0')).code == errc::invalid_argument);
}

TEST_CASE("huge pax headers and chains of them are refused") {
  const place p;
  tar_maker tar;
  tar.file(std::string(2'000'000, 'x'), "");
  CHECK_FALSE(p.receive(tar.bytes()));
  tar_maker middle;
  middle.file(std::string(5'000, 'x'), "");
  CHECK(p.refusal(middle.bytes()).code == errc::too_large);
  tar_maker target;
  target.link("l", std::string(5'000, 'x'));
  CHECK_FALSE(p.receive(target.bytes()));
  // A header about a header about a header.
  auto pax = tar_header({tar_kind::file, 0644, 0, 0, std::string(120, 'p'), ""});
  pax.resize(pax.size() - tar_block_bytes);
  std::string chain;
  for (int i = 0; i < 100'000; ++i) {
    chain += pax;
  }
  CHECK(p.refusal(chain).code == errc::invalid_argument);
}

TEST_CASE("a sparse file is read with its holes, and cannot claim more than it may") {
  const place p;
  // GNU's old form, by hand: 1 MiB of which 512 bytes at 4096 are there.
  auto header = tar_header({tar_kind::file, 0644, 0, 512, "holes", ""});
  header[156] = 'S';
  header.replace(257, 8, std::string("ustar  \0", 8));
  const auto octal = [&](std::size_t at, std::uint64_t n) {
    char text[13];
    std::snprintf(text, sizeof text, "%011llo", static_cast<unsigned long long>(n));
    header.replace(at, 12, std::string(text, 12));
  };
  const auto seal = [&] {
    header.replace(148, 8, std::string(8, ' '));
    unsigned sum = 0;
    for (const char c : header) {
      sum += static_cast<unsigned char>(c);
    }
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum);
    header.replace(148, 7, std::string(text, 7));
  };
  octal(386, 4'096);
  octal(398, 512);
  octal(483, 1U << 20U);
  seal();
  const auto rest = std::string(512, 'D') + std::string(1'024, '\0');
  const auto t = p.receive(header + rest);
  INFO((t ? "" : t.error().detail));
  REQUIRE(t);
  const auto text = (*t)->read("holes").value().value();
  CHECK(text.size() == (1U << 20U));
  CHECK(text.substr(4'096, 512) == std::string(512, 'D'));
  CHECK(text[0] == '\0');
  octal(483, std::uint64_t{1} << 32U);
  seal();
  source_limits limits;
  limits.bytes_max = 1U << 30U;
  CHECK(p.receive(header + rest, limits).error().code == errc::too_large);
}

TEST_CASE("a map of holes without an end is refused soon and with bounded memory") {
  const place p;
  const auto before = peak_kib();
  for (const bool old : {false, true}) {
    const endless_map map(old);
    std::uint64_t read = 0;
    const auto plain = source_tree::receive(map.source(48U << 20U, read), p.file);
    REQUIRE_FALSE(plain);
    CHECK(plain.error().detail == "an entry of the tar has headers of more than 1 MiB");
    CHECK(plain.error().code == errc::too_large);
    CHECK(read < (2U << 20U));
    read = 0;
    const auto whole = drain(map.source(4U << 20U, read));
    CHECK(p.refusal(packed(whole, ARCHIVE_FILTER_GZIP)).code == errc::too_large);
    CHECK(p.refusal(packed(whole, ARCHIVE_FILTER_ZSTD)).code == errc::too_large);
  }
  CHECK(grew_less_than(128, before));
}

TEST_CASE("whether more may be written is asked while a source is unpacked") {
  const place p;
  auto left = tar_header({tar_kind::file, 0644, 0, 1U << 30U, "f", ""});
  std::uint64_t read = 0;
  const byte_source from = [&](char* to, std::size_t n) -> std::ptrdiff_t {
    std::fill_n(to, n, '\0');
    const auto head = left.copy(to, n);
    left.erase(0, head);
    read += n;
    return static_cast<std::ptrdiff_t>(n);
  };
  source_limits limits;
  limits.go_on = [] { return messages::fail(errc::disk_full, "no room"); };
  const auto r = source_tree::receive(from, p.file, limits);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::disk_full);
  CHECK(read < (70U << 20U));
  CHECK(std::filesystem::is_empty(p.folder.path()));
}

TEST_CASE("a source is packed once or not at all") {
  const place p;
  tar_maker tar;
  tar.file("a", "1");
  for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD}) {
    const auto once = packed(tar.bytes(), filter);
    CHECK(p.receive(once));
    std::filesystem::remove(p.file);
    CHECK(p.refusal(packed(once, ARCHIVE_FILTER_GZIP)).code == errc::invalid_argument);
    CHECK(p.refusal(packed(once, ARCHIVE_FILTER_ZSTD)).code == errc::invalid_argument);
  }
}

TEST_CASE("what is no tar is refused, and so is a source that breaks off") {
  const place p;
  for (const std::string& bytes :
       {std::string("hello"),
        std::string(),
        std::string(5'000, 'z'),
        std::string("\x1f\x8b\x08\0garbage", 11)}) {
    CHECK(p.refusal(bytes).code == errc::invalid_argument);
  }
  tar_maker tar(tar_maker::packing::gzip);
  std::string content;
  for (int i = 0; i < 100'000; ++i) {
    content += std::to_string(i * 7'919);
  }
  tar.file("a", content);
  const auto whole = tar.bytes();
  CHECK(p.refusal(whole.substr(0, whole.size() / 2)).code == errc::invalid_argument);
  auto cut = source_of(whole);
  int calls = 0;
  const auto r = source_tree::receive(
    [&](char* to, std::size_t n) {
      return ++calls > 2 ? -1 : cut(to, std::min<std::size_t>(n, 1'000));
    },
    p.file);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == errc::io_failed);
  CHECK(std::filesystem::is_empty(p.folder.path()));
}

TEST_CASE("a file that is no source of ours is not opened") {
  const place p;
  CHECK(source_tree::open(p.file).error().code == errc::not_found);
  tar_maker tar;
  tar.file("a", std::string(600, 'a')).link("b", "a");
  REQUIRE(p.receive(tar.bytes()));
  std::ifstream in(p.file, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const auto code_of = [&](const std::string& bytes) {
    std::ofstream(p.file, std::ios::binary | std::ios::trunc) << bytes;
    return source_tree::open(p.file).error().code;
  };
  CHECK(code_of("") == errc::corrupt);
  CHECK(code_of(good.substr(0, good.size() - 1'024)) == errc::corrupt);
  CHECK(code_of(good.substr(0, 700)) == errc::corrupt);
  auto flipped = good;
  flipped[3] = 'x';
  CHECK(code_of(flipped) == errc::corrupt);
  CHECK(
    code_of(tar_header({tar_kind::file, 0644, 0, 0, "../x", ""}) + std::string(1'024, '\0'))
    == errc::corrupt);
}
