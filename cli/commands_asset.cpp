#include "cli/commands_asset.hpp"

#include "cli/commands_fleet.hpp"
#include "cli/lookup.hpp"
#include "cli/progress.hpp"
#include "cli/terminal.hpp"
#include "runtime/crypto.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

constexpr std::size_t boundary_length = 32;

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

messages::error system_error(const std::string& path) {
  const int why = errno;
  return {why == ENOENT ? errc::not_found : errc::io_failed, path + ": " + std::strerror(why)};
}

class descriptor {
public:
  explicit descriptor(int value) : value_(value) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { close(); }

  [[nodiscard]] int get() const { return value_; }
  /// False when what was written did not reach the file.
  bool close() { return value_ < 0 || ::close(std::exchange(value_, -1)) == 0; }

private:
  int value_;
};

/// What would end the line or the quotes, as browsers write it (WHATWG HTML, "multipart/form-data encoding").
std::string form_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '"' ? "%22" : c == '\r' ? "%0D" : c == '\n' ? "%0A" : std::string(1, c);
  }
  return out;
}

/// A form of text fields and one file, made while it is sent (RFC 7578).
class form {
public:
  form() : mark_(runtime::random_token(boundary_length)) {}

  void field(const std::string& name, const std::string& value) {
    head_ += "--" + mark_ + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n"
             + value + "\r\n";
  }
  /// `from` is read while the form is sent and must hold `size` bytes until then.
  void file(const std::string& name, const std::string& type, int from, std::int64_t size) {
    head_ += "--" + mark_ + "\r\nContent-Disposition: form-data; name=\"asset\"; filename=\""
             + form_name(name) + "\"\r\nContent-Type: " + type + "\r\n\r\n";
    tail_ = "\r\n--" + mark_ + "--\r\n";
    from_ = from;
    size_ = left_ = size;
  }
  [[nodiscard]] std::string content_type() const {
    return "multipart/form-data; boundary=" + mark_;
  }
  [[nodiscard]] std::int64_t length() const {
    return static_cast<std::int64_t>(head_.size() + tail_.size()) + size_;
  }

  /// As runtime::http_request::body_source. -1 when the file cannot be read or became shorter: `failure` says which.
  std::ptrdiff_t read(char* out, std::size_t room, transfer_bar& bar) {
    if (head_sent_ < head_.size()) {
      return copy(head_, head_sent_, out, room);
    }
    if (left_ == 0) {
      return copy(tail_, tail_sent_, out, room);
    }
    const auto most = std::min<std::int64_t>(left_, static_cast<std::int64_t>(room));
    const auto got = ::read(from_, out, static_cast<std::size_t>(most));
    if (got <= 0) {
      failure_ = got < 0 ? std::strerror(errno) : "became shorter while it was sent";
      return -1;
    }
    left_ -= got;
    bar.add(got);
    return got;
  }
  [[nodiscard]] const std::string& failure() const { return failure_; }

private:
  static std::ptrdiff_t
  copy(const std::string& text, std::size_t& sent, char* out, std::size_t room) {
    const auto n = text.copy(out, room, sent);
    sent += n;
    return static_cast<std::ptrdiff_t>(n);
  }

  std::string mark_, head_, tail_, failure_;
  std::size_t head_sent_ = 0, tail_sent_ = 0;
  int from_ = -1;
  std::int64_t size_ = 0, left_ = 0;
};

json summary(const json& row) {
  const auto asset = row.is_object() && row.contains("asset") ? row["asset"] : json();
  return {
    {"id", int_of(row, "id")},
    {"key", text_of(row, "asset_key")},
    {"filename", text_of(asset, "filename")},
    {"content_type", text_of(asset, "content_type")},
    {"size", asset.is_object() ? json(int_of(asset, "size")) : json()}};
}

std::string row_path(std::int64_t id) {
  return "/v7/release_asset(" + std::to_string(id) + ")";
}

odata_query assets_of(std::int64_t release, const std::string& key = {}) {
  auto filter = "release eq " + std::to_string(release);
  if (!key.empty()) {
    filter += " and asset_key eq " + odata_text(key);
  }
  return {"release_asset", filter, "id,asset_key,asset", "", "id asc", 0};
}

messages::result<json> find_asset(context& c, const std::string& release, const std::string& key) {
  return find_release(c.server, release).and_then([&](const json& row) {
    return c.server.first(
      assets_of(int_of(row, "id"), key),
      "asset " + printable(key) + " of release " + printable(text_of(row, "commit")));
  });
}

messages::error taken(const std::string& key) {
  return {
    errc::unique_violated,
    "the release has an asset " + printable(key) + " already; --overwrite replaces it"};
}

/// Sends the form with Ctrl-C ending it.
messages::result<json> send(
  context& c,
  form& body,
  transfer_bar& bar,
  const std::string& method,
  const std::string& path,
  const std::string& file) {
  const interrupt_guard guard([&c] { c.server.cancel(); });
  auto sent = c.server.upload(
    method,
    path,
    body.content_type(),
    body.length(),
    [&](char* out, std::size_t room) -> std::ptrdiff_t {
      return guard.raised() ? -1 : body.read(out, room, bar);
    });
  bar.finish(sent.has_value());
  c.interrupted = guard.raised();
  if (!body.failure().empty()) {
    return fail(errc::io_failed, file + ": " + body.failure());
  }
  return sent;
}

/// The file of a download: beside its place under another name until it is complete.
class new_file {
public:
  new_file(std::string place, bool replace)
    : place_(std::move(place)),
      hidden_(place_ + ".XXXXXX"),
      replace_(replace),
      out_(::mkstemp(hidden_.data())) {
    opened_ = out_.get() >= 0;
    if (!opened_) {
      failure_ = system_error(place_);
    }
  }
  new_file(const new_file&) = delete;
  new_file& operator=(const new_file&) = delete;
  ~new_file() {
    if (opened_) {
      ::unlink(hidden_.c_str());
    }
  }

  /// False after the first failure; `keep` tells it.
  bool write(std::string_view bytes) {
    while (!failure_ && !bytes.empty()) {
      const auto n = ::write(out_.get(), bytes.data(), bytes.size());
      if (n >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno != EINTR) {
        failure_ = system_error(place_);
      }
    }
    return !failure_;
  }
  [[nodiscard]] const std::optional<messages::error>& failure() const { return failure_; }

  /// Gives the file its name and the permissions of any other new file.
  messages::result<void> keep() {
    const auto mask = ::umask(0);
    ::umask(mask);
    // The mode is a courtesy: without it only the owner can read the file.
    (void)::fchmod(out_.get(), 0666 & ~mask);
    if (!out_.close()) {
      return tl::unexpected(system_error(place_));
    }
    int moved = -1;
    if (!replace_) {
      moved = ::renameat2(AT_FDCWD, hidden_.c_str(), AT_FDCWD, place_.c_str(), RENAME_NOREPLACE);
      if (moved != 0 && errno == EEXIST) {
        return fail(errc::unique_violated, place_ + " exists already; --overwrite replaces it");
      }
    }
    // Some file systems cannot do without replacing; the place was free when the command began.
    if (moved != 0 && ::rename(hidden_.c_str(), place_.c_str()) != 0) {
      return tl::unexpected(system_error(place_));
    }
    opened_ = false;
    return {};
  }

private:
  std::string place_, hidden_;
  bool replace_;
  bool opened_ = false;
  descriptor out_;
  std::optional<messages::error> failure_;
};

/// Gives what is behind the asset's link to `sink`. Errors: not_found (nothing was uploaded), io_failed (not as long as announced).
messages::result<std::int64_t>
receive(context& c, const json& row, const std::function<bool(std::string_view)>& sink) {
  const auto asset = row.contains("asset") ? row["asset"] : json();
  const auto link = text_of(asset, "href");
  const auto key = text_of(row, "asset_key");
  if (link.empty()) {
    return fail(errc::not_found, "nothing was uploaded to " + printable(key) + " yet");
  }
  const auto size = int_of(asset, "size");
  transfer_bar bar(c.out, key, phase::pulling, size);
  const interrupt_guard guard([&c] { c.server.cancel(); });
  auto got = c.server.download(link, [&](std::string_view bytes) {
    bar.add(static_cast<std::int64_t>(bytes.size()));
    return !guard.raised() && sink(bytes);
  });
  if (got && bar.done() != size) {
    got = fail(
      errc::io_failed,
      "only " + std::to_string(bar.done()) + " of " + std::to_string(size) + " bytes came");
  }
  bar.finish(got.has_value());
  c.interrupted = guard.raised();
  return got.map([size] { return size; });
}

messages::result<void> download_to_stdout(context& c, const asset_args& args) {
  if (c.out.json()) {
    return fail(errc::invalid_argument, "--json and the file cannot both go to stdout");
  }
  return find_asset(c, args.release, args.key)
    .and_then([&](const json& row) {
      return receive(c, row, [&](std::string_view bytes) { return c.out.raw(bytes); });
    })
    .map([](std::int64_t) {});
}

}  // namespace

messages::result<void> asset_upload(context& c, const asset_args& args) {
  const descriptor file(::open(args.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0) {
    return tl::unexpected(system_error(args.file));
  }
  if (!S_ISREG(about.st_mode)) {
    return fail(errc::invalid_argument, args.file + " is not a file");
  }
  const auto name = last_part(args.file);
  const auto key = args.key.empty() ? name : args.key;
  const auto release = find_release(c.server, args.release);
  if (!release) {
    return tl::unexpected(release.error());
  }
  const auto release_id = int_of(*release, "id");
  const auto there = c.server.query(assets_of(release_id, key));
  if (!there) {
    return tl::unexpected(there.error());
  }
  if (!there->empty() && !args.overwrite) {
    return tl::unexpected(taken(key));
  }
  form body;
  if (there->empty()) {
    body.field("asset_key", key);
    body.field("release", std::to_string(release_id));
  }
  body.file(name, args.type, file.get(), about.st_size);
  transfer_bar bar(c.out, key, phase::pushing, about.st_size);
  const auto sent =
    there->empty() ? send(c, body, bar, "POST", "/v7/release_asset", args.file)
                   : send(c, body, bar, "PATCH", row_path(int_of(there->front(), "id")), args.file);
  if (!sent) {
    // Somebody else may have taken the key meanwhile.
    return tl::unexpected(sent.error().code == errc::unique_violated ? taken(key) : sent.error());
  }
  if (!c.out.json()) {
    c.out.line(
      "uploaded " + printable(key) + ", " + bytes_text(static_cast<std::int64_t>(about.st_size)));
    return {};
  }
  return c.server.first(assets_of(release_id, key), "asset " + printable(key))
    .map([&c](const json& row) { c.out.print(summary(row)); });
}

messages::result<void> asset_list(context& c, const std::string& release) {
  const auto row = find_release(c.server, release);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto rows = c.server.query(assets_of(int_of(*row, "id")));
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& r : *rows) {
    const auto s = summary(r);
    cells.push_back(
      {text_of(s, "key"),
       s["size"].is_null() ? "not uploaded" : bytes_text(int_of(s, "size")),
       text_of(s, "content_type"),
       text_of(s, "filename")});
    all.push_back(s);
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("the release has no assets");
  } else {
    c.out.table({"KEY", "SIZE", "TYPE", "FILE"}, cells);
  }
  return {};
}

messages::result<void> asset_download(context& c, const asset_args& args) {
  if (args.file == "-") {
    return download_to_stdout(c, args);
  }
  const auto place = args.file.empty() ? last_part(args.key) : args.file;
  if (place.empty() || place == "." || place == "..") {
    return fail(errc::invalid_argument, "the key names no file; --output FILE does");
  }
  if (!args.overwrite && ::access(place.c_str(), F_OK) == 0) {
    return fail(errc::unique_violated, place + " exists already; --overwrite replaces it");
  }
  const auto row = find_asset(c, args.release, args.key);
  if (!row) {
    return tl::unexpected(row.error());
  }
  new_file out(place, args.overwrite);
  if (out.failure()) {
    return tl::unexpected(*out.failure());
  }
  const auto size = receive(c, *row, [&out](std::string_view bytes) { return out.write(bytes); });
  if (!size) {
    return tl::unexpected(out.failure().value_or(size.error()));
  }
  if (auto kept = out.keep(); !kept) {
    return kept;
  }
  if (c.out.json()) {
    c.out.print({{"key", args.key}, {"file", place}, {"size", *size}});
  } else {
    c.out.line(printable(place) + ", " + bytes_text(*size));
  }
  return {};
}

messages::result<void> asset_remove(context& c, const asset_args& args, bool yes) {
  const auto row = find_asset(c, args.release, args.key);
  if (!row) {
    return tl::unexpected(row.error());
  }
  if (auto sure = confirm("remove the asset " + printable(args.key), yes); !sure) {
    return sure;
  }
  auto removed = c.server.remove(row_path(int_of(*row, "id")));
  if (removed) {
    c.out.note("removed " + printable(args.key));
  }
  return removed;
}

}  // namespace slipway::cli
