#pragma once

#include "messages/fields.hpp"
#include "storage/linked_blobs.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::storage {

struct scrub_report {
  bool done = false;
  std::string failed;  ///< what ended it early, "" = nothing
  std::int64_t started_ms = 0, ended_ms = 0;
  std::uint64_t blobs = 0, bytes = 0;  ///< read
  std::string at;                      ///< the blob that is being read
  std::vector<std::string> rotten;     ///< digests, the first 1,000
  std::uint64_t rotten_count = 0;
  SLIPWAY_FIELDS(done, failed, started_ms, ended_ms, blobs, bytes, at, rotten, rotten_count)
};

/// Reads all blobs and compares them with their digests, a piece of at most 1 MiB per step; what is rotten goes aside (ADR 78).
class scrubber {
public:
  /// Begins after the blob `from`, "" = at the first.
  scrubber(blob_store& blobs, linked_blobs& links, std::string from);
  ~scrubber();

  /// Reads a piece. How many bytes, for whoever paces it; false in `more` once all is read.
  struct progress {
    bool more = true;
    std::size_t bytes = 0;
    std::string rotten = {};  ///< a blob that went aside in this step
  };
  progress step(std::int64_t now_ms);
  [[nodiscard]] const scrub_report& report() const { return report_; }

private:
  struct hash;
  messages::result<bool> next_blob();
  messages::result<progress> read_on();
  messages::result<progress> judge();

  blob_store& blobs_;
  linked_blobs& links_;
  scrub_report report_;
  std::string last_;
  std::vector<digest> page_;
  std::size_t in_page_ = 0;
  std::unique_ptr<blob_reader> open_;
  std::uint64_t offset_ = 0;
  std::unique_ptr<hash> hash_;
  std::string buffer_;
};

}  // namespace slipway::storage
