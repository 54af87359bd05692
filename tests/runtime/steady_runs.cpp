// SPDX-License-Identifier: Apache-2.0
/// Whether a run of small models allocates: once shapes have been seen, nothing where outputs have
/// memory, and little where they are made. Counts every call of the C library's allocating
/// functions, those of other libraries included.
///
///     steady_runs MODEL.onnx...
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "runtime/kernels/blocked.h"
#include "runtime/run_into.h"
#include "runtime/runtime.h"

namespace {

std::atomic<bool> counting = false;
std::atomic<std::int64_t> allocations = 0;

void Count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1);
}

}  // namespace

// The C library's own, under the names that its functions of those names call.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  Count();
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  Count();
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  Count();
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  Count();
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t bytes) {
  Count();
  *memory = __libc_memalign(alignment, bytes);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace {

using namespace slipway;
using namespace slipway::runtime;

constexpr int kRunsBefore = 3;
constexpr int kSkipped = 77;
/// Of an output that is the caller's: its elements, what owns them, and its shape.
constexpr std::int64_t kMostForAnOutput = 3;

/// What `run` allocates once it has run before.
template <class Run>
Result<std::int64_t> AllocationsOf(const Run& run) {
  for (int i = 0; i < kRunsBefore; ++i) TRY(run());
  allocations = 0;
  counting = true;
  auto done = run();
  counting = false;
  TRY(std::move(done));
  return allocations.load();
}

Result<bool> IsSteady(const char* path) {
  const Model model = TRY(Model::Load(path));
  const auto session = TRY(Session::Create(model));
  const Feeds feeds = TRY(ZeroFeeds(model));
  std::vector<Value> memory = TRY(session->Run(feeds));
  const auto run_into = [&] { return RunInto(*session, feeds, {}, memory); };
  const auto run = [&]() -> Result<void> {
    const auto outputs = TRY(session->Run(feeds));
    return outputs.size() == memory.size()
               ? Result<void>()
               : Error{.code = Code::kInternal, .message = "outputs are missing"};
  };
  const std::int64_t into = TRY(AllocationsOf(run_into));
  const std::int64_t made = TRY(AllocationsOf(run));
  const std::int64_t most = 1 + kMostForAnOutput * static_cast<std::int64_t>(memory.size());
  std::printf("%s: %lld allocations into memory, %lld of %zu outputs\n", path,
              static_cast<long long>(into), static_cast<long long>(made), memory.size());
  // That outputs are made must be seen, or nothing is.
  return into == 0 && made > 0 && made <= most;
}

}  // namespace

int main(int argc, char** argv) {
  if (ChannelBlock() == 0) {
    std::puts("skipped: oneDNN, which allocates, works on rows on this processor");
    return kSkipped;
  }
  bool steady = argc > 1;
  for (int i = 1; i < argc; ++i) {
    const auto is_steady = IsSteady(argv[i]);
    if (!is_steady) std::printf("%s: %s\n", argv[i], is_steady.error().message.c_str());
    steady = steady && is_steady && *is_steady;
  }
  return steady ? 0 : 1;
}
