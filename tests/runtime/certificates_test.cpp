#include "runtime/certificate_keeper.hpp"
#include "runtime/openssl_support.hpp"
#include "runtime/tls_stream.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using namespace slipway;
using namespace slipway::runtime;
using test::temp_folder;

namespace {

constexpr std::int64_t now = std::int64_t{1'790'000'000} * 1000;
const std::string domain = "slipway.test";

/// Would a client that trusts `root` talk to `host`?
bool accepted(const std::string& root, const std::string& leaf, const char* host, std::int64_t at) {
  const auto r = openssl::first_certificate(root);
  const auto l = openssl::first_certificate(leaf);
  auto* store = X509_STORE_new();
  X509_STORE_add_cert(store, r.get());
  auto* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, l.get(), nullptr);
  auto* rules = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_time(rules, at / 1000);
  X509_VERIFY_PARAM_set1_host(rules, host, 0);
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_SERVER);
  const bool yes = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  openssl::forget_errors();
  return yes;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

unsigned mode_of(const std::string& path) {
  struct stat s {};
  REQUIRE(::stat(path.c_str(), &s) == 0);
  return s.st_mode & 0777U;
}

certificate_keeper::options own(const temp_folder& folder) {
  certificate_keeper::options o;
  o.domain = domain;
  o.own_folder = folder.path() + "/ca";
  return o;
}

/// A chain and a key in files, as an operator gives them.
struct given_files {
  const temp_folder& folder;
  tls_identity root = *make_root(domain, now);

  [[nodiscard]] std::string chain() const { return folder.path() + "/chain.pem"; }
  [[nodiscard]] std::string key() const { return folder.path() + "/key.pem"; }
  tls_identity put(const std::vector<std::string>& names, std::int64_t at = now) const {
    auto leaf = make_leaf(root, names, at);
    write(chain(), leaf->chain + root.chain);
    write(key(), leaf->key);
    return *leaf;
  }
  [[nodiscard]] certificate_keeper::options options() const {
    certificate_keeper::options o;
    o.domain = domain;
    o.files = {{chain(), key()}};
    return o;
  }
};

}  // namespace

TEST_CASE("a certificate of our own authority is for the hosts of its domain and for no other") {
  const auto root = make_root(domain, now);
  REQUIRE(root);
  const auto leaf = make_leaf(*root, names_of_domain(domain), now);
  REQUIRE(leaf);
  for (const auto* host :
       {"slipway.test", "api.slipway.test", "registry2.slipway.test", "1f.devices.slipway.test"}) {
    CAPTURE(host);
    CHECK(accepted(root->chain, leaf->chain, host, now));
  }
  for (const auto* host : {"slipway.org", "api.slipway.org", "a.b.slipway.test"}) {
    CAPTURE(host);
    CHECK_FALSE(accepted(root->chain, leaf->chain, host, now));
  }
  CHECK(accepted(root->chain, leaf->chain, "api.slipway.test", now + 89 * day_ms));
  CHECK_FALSE(accepted(root->chain, leaf->chain, "api.slipway.test", now + 91 * day_ms));
}

TEST_CASE("a stolen authority is of no use outside its domain") {
  const auto root = make_root(domain, now);
  const auto leaf = make_leaf(*root, {"bank.example"}, now);
  REQUIRE(leaf);
  CHECK_FALSE(accepted(root->chain, leaf->chain, "bank.example", now));
}

TEST_CASE("a certificate does not outlive its authority") {
  const auto root = make_root(domain, now);
  const auto leaf = make_leaf(*root, {domain}, now + root_valid_ms - 5 * day_ms);
  REQUIRE(leaf);
  CHECK(read_certificate(leaf->chain)->not_after_ms == now + root_valid_ms);
}

TEST_CASE("every certificate has a key and a serial of its own") {
  const auto root = make_root(domain, now);
  const auto one = make_leaf(*root, {domain}, now);
  const auto two = make_leaf(*root, {domain}, now);
  CHECK(one->key != two->key);
  CHECK(read_certificate(one->chain)->sha256 != read_certificate(two->chain)->sha256);
  CHECK(read_certificate(one->chain)->sha256.size() == 95);
}

TEST_CASE("the authority is made once, its files are the owner's only") {
  const temp_folder folder;
  std::string root;
  std::string leaf;
  {
    const auto keeper = certificate_keeper::open(own(folder), now);
    REQUIRE(keeper);
    root = (*keeper)->root();
    leaf = read(folder.path() + "/ca/leaf.pem");
    CHECK_FALSE((*keeper)->context()->hsts());
  }
  for (const auto* name : {"root.pem", "root.key", "leaf.pem", "leaf.key"}) {
    CHECK(mode_of(folder.path() + "/ca/" + name) == 0600);
  }
  CHECK(mode_of(folder.path() + "/ca") == 0700);
  const auto again = certificate_keeper::open(own(folder), now + day_ms);
  REQUIRE(again);
  CHECK((*again)->root() == root);
  CHECK(read(folder.path() + "/ca/leaf.pem") == leaf);
}

TEST_CASE("a certificate of our own is renewed 30 days before its end, the root stays") {
  const temp_folder folder;
  const auto keeper = certificate_keeper::open(own(folder), now);
  REQUIRE(keeper);
  const auto root = (*keeper)->root();
  const auto first = (*keeper)->context()->current();
  (*keeper)->refresh(now + 59 * day_ms);
  CHECK((*keeper)->not_after_ms() == now + 90 * day_ms);
  (*keeper)->refresh(now + 60 * day_ms);
  CHECK((*keeper)->not_after_ms() == now + 150 * day_ms);
  CHECK((*keeper)->context()->current() != first);
  CHECK(
    accepted(root, read(folder.path() + "/ca/leaf.pem"), "api.slipway.test", now + 140 * day_ms));
  CHECK((*keeper)->root() == root);
}

TEST_CASE("a server that slept past the end of its certificate starts with a new one") {
  const temp_folder folder;
  { REQUIRE(certificate_keeper::open(own(folder), now)); }
  const auto late = now + 400 * day_ms;
  const auto keeper = certificate_keeper::open(own(folder), late);
  REQUIRE(keeper);
  CHECK((*keeper)->not_after_ms() == late + 90 * day_ms);
}

TEST_CASE(
  "a damaged certificate of our own is made again, a damaged or missing authority is told") {
  const temp_folder folder;
  { REQUIRE(certificate_keeper::open(own(folder), now)); }
  const auto ca = folder.path() + "/ca/";
  const auto root = read(ca + "root.pem");
  for (const auto* name : {"leaf.pem", "leaf.key"}) {
    write(ca + name, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const auto keeper = certificate_keeper::open(own(folder), now);
    REQUIRE(keeper);
    CHECK((*keeper)->root() == root);
    CHECK(accepted(root, read(ca + "leaf.pem"), "api.slipway.test", now));
  }
  std::filesystem::rename(ca + "root.key", ca + "elsewhere");
  const auto lost = certificate_keeper::open(own(folder), now);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().detail.find("root.key is missing") != std::string::npos);
  std::filesystem::rename(ca + "elsewhere", ca + "root.key");
  write(ca + "root.pem", "nothing");
  CHECK_FALSE(certificate_keeper::open(own(folder), now));
}

TEST_CASE("an authority of another domain is not used") {
  const temp_folder folder;
  { REQUIRE(certificate_keeper::open(own(folder), now)); }
  auto o = own(folder);
  o.domain = "other.test";
  const auto keeper = certificate_keeper::open(o, now);
  REQUIRE_FALSE(keeper);
  CHECK(keeper.error().detail.find("may not sign for other.test") != std::string::npos);
}

TEST_CASE("given certificates are read again when they change") {
  const temp_folder folder;
  const given_files files{folder};
  files.put({domain});
  const auto keeper = certificate_keeper::open(files.options(), now);
  REQUIRE(keeper);
  CHECK((*keeper)->root().empty());
  CHECK((*keeper)->context()->hsts());
  const auto first = (*keeper)->context()->current();
  (*keeper)->refresh(now + 5000);
  CHECK((*keeper)->context()->current() == first);
  files.put({domain}, now + 10 * day_ms);
  (*keeper)->refresh(now + 10000);
  CHECK((*keeper)->context()->current() != first);
  CHECK((*keeper)->not_after_ms() == now + 100 * day_ms);
}

TEST_CASE("what cannot be used leaves the old certificate in use") {
  const temp_folder folder;
  const given_files files{folder};
  const auto good = files.put({domain});
  const auto keeper = certificate_keeper::open(files.options(), now);
  REQUIRE(keeper);
  const auto first = (*keeper)->context()->current();
  const auto stays = [&] {
    (*keeper)->refresh(now + 5000);
    return (*keeper)->context()->current() == first;
  };
  write(files.chain(), "nothing at all");
  CHECK(stays());
  write(files.chain(), good.chain.substr(0, good.chain.size() / 2));
  CHECK(stays());
  write(files.chain(), good.chain + good.chain.substr(0, good.chain.size() / 2));
  CHECK(stays());
  const auto stranger = make_leaf(files.root, {domain}, now);
  write(files.chain(), stranger->chain);  // the key's turn has not come yet
  CHECK(stays());
  std::filesystem::remove(files.key());
  CHECK(stays());
  write(files.key(), good.key);
  files.put({domain}, now - 200 * day_ms);  // expired
  CHECK(stays());
  write(files.chain(), stranger->chain);
  write(files.key(), stranger->key);
  CHECK_FALSE(stays());
}

TEST_CASE("a start with certificates that cannot be used says which file") {
  const temp_folder folder;
  const given_files files{folder};
  CHECK(
    certificate_keeper::open(files.options(), now).error().detail.find("chain.pem")
    != std::string::npos);
  files.put({domain}, now - 200 * day_ms);
  const auto expired = certificate_keeper::open(files.options(), now);
  REQUIRE_FALSE(expired);
  CHECK(expired.error().detail.find("chain.pem: the certificate has expired") != std::string::npos);
  files.put({domain});
  write(files.key(), make_leaf(files.root, {domain}, now)->key);
  const auto wrong = certificate_keeper::open(files.options(), now);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().detail.find("the private key is not the certificate's") != std::string::npos);
  auto o = files.options();
  files.put({domain});
  o.root_file = folder.path() + "/root.pem";
  CHECK_FALSE(certificate_keeper::open(o, now));
  write(o.root_file, files.root.chain);
  const auto told = certificate_keeper::open(o, now);
  REQUIRE(told);
  CHECK((*told)->root() == files.root.chain);
  CHECK_FALSE((*told)->context()->hsts());
}

TEST_CASE("a client gets the certificate that covers the host it names, else the first") {
  tls_context context({});
  CHECK(context.current() == nullptr);
  const auto root = make_root(domain, now);
  std::vector<tls_identity> identities;
  for (const auto& names : std::vector<std::vector<std::string>>{
         {"slipway.test", "*.slipway.test"},
         {"*.devices.slipway.test"}}) {
    identities.push_back(*make_leaf(*root, names, now));
  }
  REQUIRE(context.use(identities, now));
  const auto g = context.current();
  auto* const first = g->for_host("");
  CHECK(g->for_host("api.slipway.test") == first);
  CHECK(g->for_host("API.Slipway.Test.") == first);
  CHECK(g->for_host("stranger.org") == first);
  CHECK(g->for_host("1f.devices.slipway.test") != first);
  CHECK(g->for_host("devices.slipway.test") == first);
  CHECK_FALSE(context.use({}, now));
  CHECK_FALSE(context.use({{"x", "y"}}, now));
  CHECK(context.current() == g);
}

TEST_CASE("a star in a certificate's name is one whole label") {
  CHECK(name_covers("a.test", "a.test"));
  CHECK_FALSE(name_covers("a.test", "b.a.test"));
  CHECK(name_covers("*.a.test", "b.a.test"));
  CHECK_FALSE(name_covers("*.a.test", "a.test"));
  CHECK_FALSE(name_covers("*.a.test", ".a.test"));
  CHECK_FALSE(name_covers("*.a.test", "c.b.a.test"));
  CHECK_FALSE(name_covers("*.a.test", ""));
}

TEST_CASE("a handshake that announces more than clients send is refused in its first bytes") {
  const auto head = [](std::size_t record, std::size_t message) {
    std::string h = "\x16\x03\x01";
    h += static_cast<char>(record >> 8U);
    h += static_cast<char>(record & 0xffU);
    h += '\x01';
    h += static_cast<char>(message >> 16U);
    h += static_cast<char>((message >> 8U) & 0xffU);
    h += static_cast<char>(message & 0xffU);
    return h;
  };
  CHECK(hello_guard().admit(head(512, 508) + std::string(508, 'x')));
  CHECK(hello_guard().admit(head(16384, hello_guard::hello_bytes_max)));
  CHECK_FALSE(hello_guard().admit(head(16384, hello_guard::hello_bytes_max + 1)));
  CHECK_FALSE(hello_guard().admit(head(16384, 131396)));
  CHECK_FALSE(hello_guard().admit(head(3, 200)));    // the head of the message is cut
  CHECK_FALSE(hello_guard().admit("\x80\x2e\x01"));  // SSL 2
  CHECK(hello_guard().admit("GET / HTTP/1.1\r\n"));  // OpenSSL says what it is
  hello_guard slow;
  bool admitted = true;
  for (const char c : head(16384, 131396)) {
    CHECK(admitted);
    admitted = slow.admit({&c, 1});
  }
  CHECK_FALSE(admitted);
}
