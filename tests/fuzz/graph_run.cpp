// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "runtime/runtime.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace slipway::runtime;

constexpr std::int64_t kMemory = std::int64_t{128} << 20;

RunLimits Soon() {
  return {.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1)};
}

void MustBeClear(const slipway::Error& error) {
  if (error.message.empty() || ErrorId(error).empty()) std::abort();
}

}  // namespace

/// A model that loads is made ready and run, as it is written and with rewrites, by the reference
/// kernels and by the fast ones.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto model = Model::Parse(std::as_bytes(std::span(data, size)), {.memory_bytes = kMemory});
  if (!model) {
    MustBeClear(model.error());
    return 0;
  }
  const auto feeds = ZeroFeeds(*model, 2);
  if (!feeds) {
    MustBeClear(feeds.error());
    return 0;
  }
  for (const bool plain : {false, true}) {
    const SessionOptions options{.threads = 1,
                                 .passes = !plain,
                                 .reference = plain,
                                 .limits = {.memory_bytes = kMemory, .loop_trips = 10'000}};
    const auto session = Session::Create(*model, options, Soon());
    if (!session) {
      MustBeClear(session.error());
      continue;
    }
    const auto outputs = (*session)->Run(*feeds, {}, Soon());
    if (!outputs) MustBeClear(outputs.error());
    if (outputs && outputs->size() != model->outputs().size()) std::abort();
    if ((*session)->MemoryBytes() > kMemory) std::abort();
  }
  return 0;
}
