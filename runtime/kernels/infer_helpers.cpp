// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/infer_helpers.h"

#include <algorithm>
#include <new>
#include <string>

#include "runtime/bounds.h"

namespace slipway::runtime {

Facts OutputFacts(const NodeFacts& node, Facts facts) {
  if (facts.size() > node.outputs_wanted.size()) facts.resize(node.outputs_wanted.size());
  return facts;
}

Result<Facts> InferSame(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(0), node.shape(0))};
}

namespace {

Result<Shape> BroadcastInputs(const NodeFacts& node) {
  Shape shape = node.shape(0);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.Has(i)) shape = TRY(BroadcastShapes(shape, node.shape(i)));
  }
  return shape;
}

}  // namespace

Result<Facts> InferBroadcast(const NodeFacts& node) {
  return Facts{TensorFacts(node.dtype(0), TRY(BroadcastInputs(node)))};
}

Result<Facts> InferBroadcastBool(const NodeFacts& node) {
  return Facts{TensorFacts(DType::kBool, TRY(BroadcastInputs(node)))};
}

Result<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const std::size_t lead = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    std::int64_t& dim = out[lead + i];
    if (shorter[i] == dim || shorter[i] == 1) continue;
    if (dim != 1) return Invalid("shapes ", a, " and ", b, " do not broadcast");
    dim = shorter[i];
  }
  return out;
}

Result<std::int64_t> NormalizeAxis(std::int64_t axis, std::int64_t rank, std::string_view what) {
  if (axis < -rank || axis >= rank) {
    return Invalid(what, " ", axis, " out of range [", -rank, ", ", rank, ")");
  }
  return axis < 0 ? axis + rank : axis;
}

Result<std::vector<std::int64_t>> NormalizeAxes(std::vector<std::int64_t> axes, std::int64_t rank) {
  std::vector<bool> seen(At(rank), false);
  for (std::int64_t& axis : axes) {
    axis = TRY(NormalizeAxis(axis, rank));
    if (seen[At(axis)]) return Invalid("axis ", axis, " is named twice");
    seen[At(axis)] = true;
  }
  return axes;
}

namespace {

constexpr std::int64_t kLongList = 4096;

/// Lists do not count as the session's while they live; std::bad_alloc where it has no room for a
/// long one, which ends the run with an error.
void NeedRoom(std::int64_t elements) {
  Bounds* bounds = CurrentBounds();
  if (elements <= kLongList || bounds == nullptr || bounds->memory() == nullptr) return;
  const std::int64_t bytes = elements * static_cast<std::int64_t>(sizeof(std::int64_t));
  if (bounds->memory()->Take(bytes)) return bounds->memory()->Give(bytes);
  bounds->RefuseMemory(bytes);
  throw std::bad_alloc();
}

}  // namespace

std::vector<std::int64_t> IntsOf(const Tensor* tensor) {
  if (tensor == nullptr) return {};
  NeedRoom(tensor->size());
  if (tensor->dtype() == DType::kInt64) {
    const auto elements = tensor->data<std::int64_t>();
    return {elements.begin(), elements.end()};
  }
  if (tensor->dtype() == DType::kInt32) {
    const auto elements = tensor->data<std::int32_t>();
    return {elements.begin(), elements.end()};
  }
  return {};
}

std::optional<std::vector<std::int64_t>> ConstantInts(const NodeFacts& node, std::size_t input) {
  if (!node.Has(input) || node.inputs[input].constant == nullptr) return std::nullopt;
  return IntsOf(node.inputs[input].constant);
}

bool DependsOnData(const NodeFacts& node, std::size_t index) {
  return node.Has(index) && node.inputs[index].constant == nullptr;
}

Result<void> CheckVector(const NodeFacts& node, std::size_t input, std::string_view name,
                         bool scalar_too) {
  if (!node.Has(input)) return {};
  const Shape& shape = node.shape(input);
  if (shape.size() == 1 || (scalar_too && shape.empty())) return {};
  return Invalid("input `", name, "` must have one dimension, not shape ", shape);
}

Result<Tensor*> OutputOf(const NodeFacts& node, KernelContext& context, std::size_t index,
                         DType dtype, const Shape& shape) {
  if (index < node.outputs.size() && node.outputs[index].shape) return &context.output(index);
  return context.Allocate(index, dtype, shape);
}

bool Wanted(const NodeFacts& node, std::size_t index) {
  return index < node.outputs_wanted.size() && node.outputs_wanted[index];
}

std::int64_t CountOf(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) {
    if (__builtin_mul_overflow(count, shape[i], &count)) return 0;
  }
  return count;
}

}  // namespace slipway::runtime
