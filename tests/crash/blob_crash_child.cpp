// Uploads blobs until all are stored; the parent kills it on the way. Each line it prints is an acknowledgement:
// `blob N` only after `finish` answered, `kept N BYTES` after an append was.

#include "runtime/crypto.hpp"
#include "storage/file_blob_store.hpp"
#include "tests/crash/blob_workload.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

using namespace slipway;
using namespace slipway::storage;

namespace {

void say(const std::string& line) {
  const auto text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) {
    std::exit(3);
  }
}

bool upload(blob_store& store, int n) {
  const auto bytes = test::blob_bytes(n);
  auto writer = store.resume(test::upload_id(n));
  if (!writer) {
    writer = store.begin(test::upload_id(n));
  }
  if (!writer) {
    return false;
  }
  while ((*writer)->offset() < bytes.size()) {
    const auto part = std::string_view(bytes).substr((*writer)->offset(), 700'000);
    if (!(*writer)->append(part)) {
      return false;
    }
    say("kept " + std::to_string(n) + " " + std::to_string((*writer)->offset()));
  }
  return (*writer)->finish({"sha256:" + runtime::sha256_hex(bytes)}).has_value();
}

}  // namespace

int main(int, char** argv) {
  auto store = open_file_blobs({argv[1]});
  if (!store) {
    return 2;
  }
  for (int n = 0; n < test::blobs; ++n) {
    const digest d{"sha256:" + runtime::sha256_hex(test::blob_bytes(n))};
    const bool small = n % 4 == 3;
    if ((*store)->exists(d) == true) {
      continue;
    }
    const bool stored =
      small ? (*store)->put(d, test::blob_bytes(n)).has_value() : upload(**store, n);
    if (!stored) {
      return 1;
    }
    say("blob " + std::to_string(n));
  }
  return 0;
}
