// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/node_context.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>

#include "runtime/bounds.h"

namespace slipway::runtime {

const Tensor* NodeContext::input(std::size_t index) {
  if (index >= setup_.inputs.size() || setup_.inputs[index] == nullptr) return nullptr;
  return setup_.inputs[index]->tensor();
}

const Value& NodeContext::input_value(std::size_t index) {
  if (index >= setup_.inputs.size() || setup_.inputs[index] == nullptr) return unwanted_;
  return *setup_.inputs[index];
}

Tensor& NodeContext::output(std::size_t index) {
  SLIPWAY_CHECK(index < setup_.outputs.size() && setup_.outputs[index] != nullptr);
  Tensor* tensor = setup_.outputs[index]->tensor();
  SLIPWAY_CHECK(tensor != nullptr);
  return *tensor;
}

Result<Tensor*> NodeContext::Allocate(std::size_t index, DType dtype, Shape shape) {
  Tensor tensor = TRY(Tensor::Make(dtype, std::move(shape)));
  Value* slot = index < setup_.outputs.size() ? setup_.outputs[index] : nullptr;
  if (slot == nullptr) slot = &unwanted_;
  *slot = Value(std::move(tensor));
  return slot->tensor();
}

bool NodeContext::InArena(const Tensor& tensor) const {
  const auto at = reinterpret_cast<std::uintptr_t>(tensor.raw());
  const auto start = reinterpret_cast<std::uintptr_t>(setup_.arena);
  return setup_.arena != nullptr && at >= start && at < start + setup_.arena_bytes;
}

/// A tensor that has its place in the arena stays there: it takes the elements of `value`.
Result<void> NodeContext::Fill(Tensor& planned, const Value& value) const {
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr || tensor->dtype() != planned.dtype() ||
      tensor->shape() != planned.shape()) {
    return Error{.code = Code::kInternal,
                 .message = "an output of another type or shape than it was planned with"};
  }
  if (tensor->raw() != planned.raw() && planned.bytes() > 0) {
    std::memmove(planned.raw(), tensor->raw(), static_cast<std::size_t>(planned.bytes()));
  }
  return {};
}

void NodeContext::Set(std::size_t index, Value value) {
  Value* slot = index < setup_.outputs.size() ? setup_.outputs[index] : nullptr;
  if (slot == nullptr) return;
  if (Tensor* planned = slot->tensor(); planned != nullptr && InArena(*planned)) {
    auto filled = Fill(*planned, value);
    if (!filled) failed_ = std::move(filled).error();
    return;
  }
  if (const Tensor* tensor = value.tensor(); tensor != nullptr && InArena(*tensor)) {
    auto copy = tensor->Clone();
    if (!copy) {
      failed_ = std::move(copy).error();
      return;
    }
    value = Value(*std::move(copy));
  }
  *slot = std::move(value);
}

namespace {

/// False where there is no memory for what the body keeps.
bool RunPiece(const RangeBody& body, std::int64_t begin, std::int64_t end) {
  try {
    body(begin, end);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  } catch (const std::length_error&) {
    return false;
  }
}

/// The same in parts short enough to end between them: each is as many indices as the last took
/// a fair time for.
bool RunParts(const RangeBody& body, std::int64_t begin, std::int64_t end, std::int64_t grain) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kFair = std::chrono::milliseconds(4);
  std::int64_t size = std::max<std::int64_t>(1, grain);
  while (end - begin > size) {
    const auto start = Clock::now();
    if (!RunPiece(body, begin, begin + size)) return false;
    begin += size;
    if (MustStop()) return true;
    if (Clock::now() - start < kFair && size < INT64_MAX / 2) size *= 2;
  }
  return RunPiece(body, begin, end);
}

}  // namespace

void NodeContext::ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) {
  if (count <= 0) return;
  const std::int64_t most = count / std::max<std::int64_t>(1, grain);
  RunPieces(count, std::clamp<std::int64_t>(most, 1, setup_.threads), grain, body);
}

void NodeContext::RunPieces(std::int64_t count, std::int64_t pieces, std::int64_t grain,
                            const RangeBody& body) {
  Bounds* bounds = CurrentBounds();
  const bool timed = bounds != nullptr && bounds->timed();
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    return timed ? RunParts(body, begin, end, grain) : RunPiece(body, begin, end);
  };
  if (pieces == 1) {
    if (!run(0, count)) failed_ = NoMemory();
    return;
  }
  std::atomic<bool> done = true;
#pragma omp parallel for num_threads(static_cast <int>(pieces)) schedule(static, 1)
  for (std::int64_t i = 0; i < pieces; ++i) {
    const BoundsScope scope(bounds);
    const std::int64_t size = count / pieces;
    const std::int64_t rest = count % pieces;
    const std::int64_t begin = i * size + std::min(i, rest);
    if (!run(begin, begin + size + (i < rest ? 1 : 0))) done = false;
  }
  if (!done) failed_ = NoMemory();
}

Result<std::vector<Value>> NodeContext::RunGraph(const GraphData& graph,
                                                 std::vector<Value> inputs) {
  if (setup_.subgraphs == nullptr) return KernelContext::RunGraph(graph, std::move(inputs));
  return setup_.subgraphs->RunSubgraph(graph, std::move(inputs));
}

Result<void> NodeContext::TakeError() {
  TRY(MayGoOn());
  return std::exchange(failed_, Result<void>());
}

}  // namespace slipway::runtime
