// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "base/blob_store.h"
#include "base/clock.h"
#include "registry/db.h"
#include "registry/registry.h"
#include "tests/support/tempdir.h"

namespace slipway::registry {
namespace {

constexpr std::int64_t kRegisters = 1000;

/// A registry on the disk that holds the temporary folder, synced as in use.
struct State {
  slipway::testing::TempDir folder;
  std::unique_ptr<BlobStore> blobs = *BlobStore::Open(folder / "blobs");
  std::unique_ptr<Database> database = *Database::Open(folder / "slipway.db");
  std::unique_ptr<Registry> registry = *Registry::Open(*database, *blobs, SystemClock());

  bool Put(std::int64_t i) {
    const auto stored = blobs->PutText("content " + std::to_string(i));
    return stored && Register(*stored);
  }
  bool Register(const BlobStore::Stored& stored) {
    RegisterRequest request{.workspace = "bench", .name = "model"};
    request.files = {{.path = "weights.bin", .digest = stored.digest.text(), .size = stored.size}};
    request.tags = {{"area", "bench"}, {"onnx", ""}};
    request.properties = {{"source", "bench"}};
    return registry->Register(request).has_value();
  }
};

/// Uploading a small blob and registering it, both durable.
void UploadAndRegister(benchmark::State& state) {
  State store;
  std::int64_t i = 0;
  for (auto _ : state) {
    if (!store.Put(i++)) state.SkipWithError("register failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(UploadAndRegister)->Iterations(kRegisters)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// Registering content that is stored already.
void RegisterStored(benchmark::State& state) {
  State store;
  const auto stored = store.blobs->PutText("content");
  if (!stored) state.SkipWithError("storing failed");
  for (auto _ : state) {
    if (!store.Register(*stored)) state.SkipWithError("register failed");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RegisterStored)->Iterations(kRegisters)->Unit(benchmark::kMicrosecond)->UseRealTime();

void GetNewest(benchmark::State& state) {
  State store;
  const auto stored = store.blobs->PutText("content");
  for (int i = 0; stored && i < kRegisters; ++i) store.Register(*stored);
  for (auto _ : state) {
    if (!store.registry->Get("bench", "model", 0)) state.SkipWithError("get failed");
  }
}
BENCHMARK(GetNewest)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// One page of versions that carry a tag.
void ListPage(benchmark::State& state) {
  State store;
  const auto stored = store.blobs->PutText("content");
  for (int i = 0; stored && i < kRegisters; ++i) store.Register(*stored);
  const ModelFilter filter{.tags = {{"area", "bench"}}, .limit = state.range(0)};
  for (auto _ : state) {
    const auto page = store.registry->List("bench", filter);
    if (!page || page->models.empty()) state.SkipWithError("list failed");
  }
}
BENCHMARK(ListPage)->Arg(20)->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace slipway::registry
