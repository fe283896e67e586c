#pragma once

#include "storage/blob_store.hpp"
#include "storage/repository_store.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace caf {
class actor_system;
}

namespace slipway::actors {

/// A writer borrowed from its upload session; gives it back at the end.
class upload_loan {
public:
  upload_loan(std::shared_ptr<storage::blob_writer> writer, std::function<void(bool)> give_back)
    : writer_(std::move(writer)), give_back_(std::move(give_back)) {}
  ~upload_loan() {
    writer_.reset();
    give_back_(over_);
  }
  upload_loan(const upload_loan&) = delete;
  upload_loan& operator=(const upload_loan&) = delete;

  [[nodiscard]] storage::blob_writer& writer() { return *writer_; }
  /// The upload was finished or aborted: the session ends with this loan.
  void over() { over_ = true; }

private:
  std::shared_ptr<storage::blob_writer> writer_;
  std::function<void(bool)> give_back_;
  bool over_ = false;
};

struct upload_limits {
  std::size_t sessions_max =
    4096;  ///< in memory; at the limit others, new or from disk, are refused: too_many_requests
  std::size_t sessions_of_one_max = 512;  ///< of these in one repository
  std::chrono::seconds idle_max{600};     ///< then a session leaves memory and its bytes stay
  std::chrono::seconds expiry{86'400};    ///< then the bytes go as well
  std::chrono::seconds sweep_every{3600};
  std::chrono::seconds answer_max{10};  ///< a session that answers later counts as down: timed_out
};

/// Upload sessions for gateways: each is an actor (actors/upload.hpp), found by id, brought back from disk when needed.
/// `done` is called once, on a thread of the actor system; it must not block.
class uploads {
public:
  template <class T>
  using answer = std::function<void(messages::result<T>)>;

  virtual ~uploads() = default;
  /// Begins an upload in `repository` and answers its id.
  virtual void open(std::string repository, answer<std::string> done) = 0;
  /// Errors: upload_unknown, conflict (another request has it), too_many_requests.
  virtual void
  lend(std::string id, std::string repository, answer<std::shared_ptr<upload_loan>> done) = 0;
  /// Bytes received so far. Errors: upload_unknown, too_many_requests.
  virtual void offset(std::string id, std::string repository, answer<std::uint64_t> done) = 0;
  /// Errors: upload_unknown, conflict, too_many_requests.
  virtual void cancel(std::string id, std::string repository, answer<void> done) = 0;
};

/// The system outlives it and the stores outlive the system. When it goes the sessions go, except for writers still lent.
[[nodiscard]] std::unique_ptr<uploads> make_uploads(
  caf::actor_system& system,
  storage::blob_store& blobs,
  storage::repository_store& repositories,
  upload_limits limits,
  std::function<std::int64_t()> now_ms);

}  // namespace slipway::actors
