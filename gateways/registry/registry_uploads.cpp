#include "gateways/counted_slot.hpp"
#include "gateways/registry/content_range.hpp"
#include "gateways/registry/registry_core.hpp"

#include <algorithm>

namespace slipway::gateways {

using actors::upload_loan;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::size_t buffer_bytes_min = 16 * 1024;
constexpr const char* more_than_allowed = "more bytes than announced or allowed";
/// What clients are asked to send at least per chunk. Smaller ones are taken too; they only cost more requests.
constexpr const char* chunk_bytes_min = "65536";

/// Status, where to go on, and how far it has come.
response
upload_response(int status, const std::string& shown, const std::string& id, std::uint64_t offset) {
  auto r = registry_response(status);
  r.headers.emplace_back("Location", "/v2/" + shown + "/blobs/uploads/" + id);
  // The specification has no way to say "nothing yet"; 0-0 is what clients expect.
  r.headers.emplace_back("Range", "0-" + std::to_string(offset == 0 ? 0 : offset - 1));
  r.headers.emplace_back("Docker-Upload-UUID", id);
  return r;
}

response created(const std::string& shown, std::string_view digest) {
  auto r = registry_response(201);
  r.headers.emplace_back("Location", "/v2/" + shown + "/blobs/" + std::string(digest));
  r.headers.emplace_back("Docker-Content-Digest", std::string(digest));
  return r;
}

}  // namespace

awaitable<result<std::string>> registry_core::open_upload(const std::string& repository) {
  std::function<void(actors::uploads::answer<std::string>)> start = [&](auto done) {
    parts_.uploads.open(repository, std::move(done));
  };
  co_return co_await completion<result<std::string>>(std::move(start));
}

awaitable<result<std::shared_ptr<upload_loan>>> registry_core::borrow(registry_request& r) {
  std::function<void(actors::uploads::answer<std::shared_ptr<upload_loan>>)> start =
    [&](auto done) { parts_.uploads.lend(r.last, r.repository, std::move(done)); };
  co_return co_await completion<result<std::shared_ptr<upload_loan>>>(std::move(start));
}

result<void> registry_core::append(
  const std::string& upload,
  storage::blob_writer& writer,
  std::span<const char> bytes) {
  auto good = options_.disk ? options_.disk() : result<void>{};
  if (good && options_.quota != nullptr) {
    // What a request announced is held already.
    good = options_.quota->resize(upload, writer.offset() + bytes.size());
  }
  return good ? writer.append(bytes) : good;
}

void registry_core::release(const std::string& upload, bool stored) {
  if (options_.quota != nullptr) {
    options_.quota->release(upload, stored);
  }
}

/// The body goes into the writer, up to offset `to`. One buffer: the kernel's socket buffer fills while the pool writes. What arrived
/// before a failure is kept, so that the client can go on from there.
awaitable<result<void>>
registry_core::receive_into(registry_request& r, storage::blob_writer& writer, std::uint64_t to) {
  auto& x = r.x;
  const auto length = x.content_length();
  const auto wanted = length < 0 ? options_.buffer_bytes : static_cast<std::size_t>(length);
  const auto size = std::clamp(wanted, buffer_bytes_min, options_.buffer_bytes);
  const std::unique_ptr<char[]> buffer(new char[size]);
  result<std::size_t> n = 1;
  while (n && *n > 0) {
    std::size_t filled = 0;
    while (filled < size) {
      n = co_await x.read_some(std::span(buffer.get() + filled, size - filled));
      if (!n || *n == 0) {
        break;
      }
      filled += *n;
    }
    if (filled > to - writer.offset()) {
      co_return fail(errc::too_large, more_than_allowed);
    }
    if (filled > 0) {
      std::function<result<void>()> work = [&] {
        return append(r.last, writer, std::span<const char>(buffer.get(), filled));
      };
      auto written = co_await run_on<result<void>>(pool_, std::move(work));
      if (!written) {
        co_return written;
      }
    }
  }
  r.body_late = !n && n.error().code == errc::timed_out;
  co_return n ? result<void>{} : tl::unexpected(n.error());
}

awaitable<result<std::uint64_t>> registry_core::room(const std::string& repository) {
  const auto space = options_.disk ? options_.disk() : result<void>{};
  if (!space) {
    co_return tl::unexpected(space.error());
  }
  if (options_.quota == nullptr) {
    co_return options_.blob_bytes_max;
  }
  std::function<result<std::uint64_t>()> work = [&] { return options_.quota->room(repository); };
  co_return co_await run_on<result<std::uint64_t>>(pool_, std::move(work));
}

awaitable<result<void>> registry_core::admit_body(const registry_request& r, std::uint64_t offset) {
  auto space = options_.disk ? options_.disk() : result<void>{};
  if (!space || options_.quota == nullptr) {
    co_return space;
  }
  const auto length = static_cast<std::uint64_t>(std::max<std::int64_t>(r.x.content_length(), 0));
  std::function<result<void>()> work = [&] {
    return options_.quota->hold(r.repository, r.last, offset + length);
  };
  co_return co_await run_on<result<void>>(pool_, std::move(work));
}

awaitable<result<void>> registry_core::receive(registry_request& r, storage::blob_writer& writer) {
  auto& x = r.x;
  const counted_slot slot(bodies_, options_.bodies_max);
  if (!slot) {
    co_return fail(errc::too_many_requests, "too many uploads at once");
  }
  auto to = options_.blob_bytes_max;
  const auto field = x.header("content-range");
  std::optional<chunk_range> range;
  if (!field.empty()) {
    range = parse_chunk_range(field);
    if (!range || range->first != writer.offset()) {
      co_return fail(errc::range_invalid, "the chunk does not follow what is here");
    }
    to = std::min(to, range->last + 1);
    if (
      x.content_length() >= 0 && static_cast<std::uint64_t>(x.content_length()) != range->size()) {
      co_return fail(errc::range_invalid, "Content-Range and Content-Length differ");
    }
  }
  auto received = co_await admit_body(r, writer.offset());
  if (!received) {
    co_return received;
  }
  received = co_await receive_into(r, writer, to);
  if (options_.quota != nullptr) {
    options_.quota->pause(r.last, writer.offset());  // less than was announced may have come
  }
  if (received && range && writer.offset() != range->last + 1) {
    co_return fail(errc::range_invalid, "fewer bytes than announced");
  }
  co_return received;
}

// Whoever answers gives the loan back first: the client's next request may come before this one's end.

/// Checks the digest, makes the blob durable and readable through the repository, answers.
awaitable<result<void>> registry_core::complete(
  registry_request& r,
  std::shared_ptr<upload_loan>& loan,
  std::string_view digest) {
  const auto d = storage::parse_digest(digest);
  if (!d) {
    co_return tl::unexpected(d.error());
  }
  std::function<result<void>()> work = [&]() -> result<void> {
    auto done = parts_.links.finish(loan->writer(), r.repository, *d, options_.now_ms());
    if (done) {
      release(r.last, true);
      loan->over();
    }
    return done;
  };
  auto done = co_await run_on<result<void>>(pool_, std::move(work));
  if (done) {
    loan.reset();
    auto answer = created(r.shown, d->text);
    co_await r.x.respond(std::move(answer));
  }
  co_return done;
}

/// From the repository that is named, or from any that the token lets its bearer pull.
result<void> registry_core::mount_from(const registry_request& r, const storage::digest& d) {
  const auto from = runtime::query_value(r.query, "from").value_or("");
  auto mounted = result<std::uint64_t>(fail(errc::blob_unknown, "nowhere to mount from"));
  for (const auto& a : r.claims->access) {
    const auto source = allowed_repository(*r.claims, a.name, "pull");
    const bool meant = from.empty() || from == a.name || (!a.alias.empty() && from == a.alias);
    const bool withdrawn =
      !source.empty() && parts_.still_may && !parts_.still_may(*r.claims, source, "pull");
    if (!meant || source.empty() || withdrawn) {
      continue;
    }
    mounted = parts_.links.mount(source, r.repository, d, options_.now_ms());
    if (mounted || mounted.error().code != errc::blob_unknown) {
      break;
    }
  }
  return mounted ? result<void>{} : tl::unexpected(mounted.error());
}

/// OCI distribution-spec, "Mounting a blob from another repository": false when there is nothing to mount.
awaitable<result<bool>> registry_core::try_mount(registry_request& r, std::string_view digest) {
  const auto d = storage::parse_digest(digest);
  if (!d) {
    co_return false;
  }
  const auto left = co_await room(r.repository);
  if (!left) {
    co_return tl::unexpected(left.error());
  }
  std::function<result<void>()> work = [&] { return mount_from(r, *d); };
  const auto mounted = co_await run_on<result<void>>(pool_, std::move(work));
  if (!mounted && mounted.error().code != errc::blob_unknown) {
    co_return tl::unexpected(mounted.error());
  }
  if (mounted) {
    auto answer = created(r.shown, d->text);
    co_await r.x.respond(std::move(answer));
  }
  co_return mounted.has_value();
}

awaitable<result<void>> registry_core::post_upload(registry_request& r) {
  if (const auto digest = runtime::query_value(r.query, "mount"); digest) {
    const auto mounted = co_await try_mount(r, *digest);
    if (!mounted || *mounted) {
      co_return mounted ? result<void>{} : tl::unexpected(mounted.error());
    }
  } else {
    // Refused before anything is sent.
    const auto left = co_await room(r.repository);
    if (!left || *left == 0) {
      co_return left ? fail(errc::forbidden, quota_exceeded) : tl::unexpected(left.error());
    }
  }
  auto id = co_await open_upload(r.repository);
  if (!id) {
    co_return tl::unexpected(id.error());
  }
  r.last = std::move(*id);
  const auto digest = runtime::query_value(r.query, "digest");
  if (!digest) {
    auto answer = upload_response(202, r.shown, r.last, 0);
    answer.headers.emplace_back("OCI-Chunk-Min-Length", chunk_bytes_min);
    co_await r.x.respond(std::move(answer));
    co_return result<void>{};
  }
  auto loan = co_await borrow(r);
  if (!loan) {
    co_return tl::unexpected(loan.error());
  }
  auto done = co_await receive(r, (*loan)->writer());
  if (done) {
    done = co_await complete(r, *loan, *digest);
  }
  if (!done) {
    // The client never learnt the id, so nobody could go on with it.
    (*loan)->writer().abort();
    release(r.last, false);
    (*loan)->over();
  }
  co_return done;
}

awaitable<result<void>> registry_core::patch_upload(registry_request& r) {
  auto loan = co_await borrow(r);
  if (!loan) {
    co_return tl::unexpected(loan.error());
  }
  const auto received = co_await receive(r, (*loan)->writer());
  const auto offset = (*loan)->writer().offset();
  loan->reset();
  if (!received && received.error().code != errc::range_invalid) {
    co_return received;
  }
  auto answer = upload_response(received ? 202 : 416, r.shown, r.last, offset);
  if (!received) {
    add_error(answer, "BLOB_UPLOAD_INVALID", received.error().detail);
  }
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

awaitable<result<void>> registry_core::put_upload(registry_request& r) {
  const auto digest = runtime::query_value(r.query, "digest");
  if (!digest) {
    co_return fail(errc::digest_invalid, "no digest given");
  }
  auto loan = co_await borrow(r);
  if (!loan) {
    co_return tl::unexpected(loan.error());
  }
  auto done = co_await receive(r, (*loan)->writer());
  if (!done && done.error().code == errc::range_invalid) {
    const auto offset = (*loan)->writer().offset();
    loan->reset();
    auto answer = upload_response(416, r.shown, r.last, offset);
    add_error(answer, "BLOB_UPLOAD_INVALID", done.error().detail);
    co_await r.x.respond(std::move(answer));
    co_return result<void>{};
  }
  if (done) {
    done = co_await complete(r, *loan, *digest);
  }
  co_return done;
}

awaitable<result<void>> registry_core::get_upload(registry_request& r) {
  std::function<void(actors::uploads::answer<std::uint64_t>)> start = [&](auto done) {
    parts_.uploads.offset(r.last, r.repository, std::move(done));
  };
  const auto offset = co_await completion<result<std::uint64_t>>(std::move(start));
  if (!offset) {
    co_return tl::unexpected(offset.error());
  }
  auto answer = upload_response(204, r.shown, r.last, *offset);
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

awaitable<result<void>> registry_core::delete_upload(registry_request& r) {
  std::function<void(actors::uploads::answer<void>)> start = [&](auto done) {
    parts_.uploads.cancel(r.last, r.repository, std::move(done));
  };
  auto done = co_await completion<result<void>>(std::move(start));
  if (done) {
    release(r.last, false);
    auto answer = registry_response(204);
    co_await r.x.respond(std::move(answer));
  }
  co_return done;
}

}  // namespace slipway::gateways
