// SPDX-License-Identifier: Apache-2.0
// Gather (opsets 1, 11, 13), GatherElements (11, 13), GatherND (11, 12, 13).
// Spec: https://onnx.ai/onnx/operators/onnx__Gather.html and the pages of the others.
// Gather before opset 11 takes negative indices too.
#include "runtime/kernels/gather.h"

#include <string>
#include <type_traits>

#include "runtime/kernels/by_width.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferGather(const NodeFacts& node) {
  const Shape& data = node.shape(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(data))));
  Shape shape(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), node.shape(1).begin(), node.shape(1).end());
  shape.insert(shape.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

Result<void> RunGather(const NodeFacts& node, KernelContext& context) {
  const Tensor& data = *context.input(0);
  Tensor& out = context.output(0);
  if (out.size() == 0) return {};
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), data.rank())));
  const std::int64_t dim = data.shape()[axis];
  const Offsets indices = TRY(NormalizedIndices(*context.input(1), dim));
  const auto count = static_cast<std::int64_t>(indices.size());
  const std::int64_t outer = CountOf(data.shape(), 0, axis);
  const std::int64_t inner = CountOf(data.shape(), axis + 1, data.shape().size());
  const std::int64_t grain =
      std::max<std::int64_t>(1, kGatherGrain / std::max<std::int64_t>(inner, 1));
  TextMeter meter;
  context.ParallelFor(outer * count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = i / count * dim + indices[At(i % count)];
      CopyElements(data, from * inner, out, i * inner, inner, &meter);
    }
  });
  return {};
}

Result<Facts> InferGatherElements(const NodeFacts& node) {
  const Shape& data = node.shape(0);
  const Shape& indices = node.shape(1);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(data))));
  bool fits = data.size() == indices.size();
  for (std::size_t d = 0; fits && d < data.size(); ++d) fits = d == axis || indices[d] <= data[d];
  if (!fits) return Invalid("indices of shape ", indices, " do not lie within data of ", data);
  return Facts{TensorFacts(node.dtype(0), indices)};
}

Result<void> RunGatherElements(const NodeFacts& node, KernelContext& context) {
  const Tensor& data = *context.input(0);
  Tensor& out = context.output(0);
  if (out.size() == 0) return {};
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), data.rank())));
  const auto elements = TRY(IndexedElements::Of(data.shape(), *context.input(1), axis));
  TextMeter meter;
  context.ParallelFor(out.size(), kGatherGrain, [&](std::int64_t begin, std::int64_t end) {
    ByWidth(data.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* from = static_cast<const T*>(data.raw());
      T* to = static_cast<T*>(out.raw());
      elements.ForEach(begin, end, [&](std::int64_t i, std::int64_t place) {
        if constexpr (std::is_same_v<T, std::string>) meter.Add(from[place]);
        to[i] = from[place];
      });
    });
  });
  return {};
}

Result<Facts> InferGatherND(const NodeFacts& node) {
  const Shape& data = node.shape(0);
  const Shape& indices = node.shape(1);
  const std::int64_t batch = node.attributes.Int("batch_dims", 0);
  if (data.empty() || indices.empty()) return Invalid("data and indices must not be scalars");
  if (batch < 0 || batch >= std::min(RankOf(data), RankOf(indices))) {
    return Invalid("attribute `batch_dims` is ", batch, " for data of ", data, " and indices of ",
                   indices);
  }
  for (std::size_t d = 0; d < At(batch); ++d) {
    if (data[d] != indices[d])
      return Invalid("batch dimensions of ", data, " and ", indices, " differ");
  }
  const std::int64_t last = indices.back();
  if (last < 1 || last > RankOf(data) - batch) {
    return Invalid("indices of shape ", indices, " do not index data of ", data);
  }
  Shape shape(indices.begin(), indices.end() - 1);
  shape.insert(shape.end(), data.begin() + batch + last, data.end());
  return Facts{TensorFacts(node.dtype(0), std::move(shape))};
}

Result<void> RunGatherND(const NodeFacts& node, KernelContext& context) {
  const Tensor& data = *context.input(0);
  Tensor& out = context.output(0);
  if (out.size() == 0) return {};
  const auto batch = At(node.attributes.Int("batch_dims", 0));
  const Offsets offsets = TRY(SliceOffsets(data.shape(), *context.input(1), batch));
  const auto last = At(context.input(1)->shape().back());
  const std::int64_t inner = CountOf(data.shape(), batch + last, data.shape().size());
  TextMeter meter;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    CopyElements(data, offsets[i], out, static_cast<std::int64_t>(i) * inner, inner, &meter);
  }
  return {};
}

constexpr Kernel kGather[] = {{.name = "gather", .run = RunGather}};
constexpr Kernel kGatherElements[] = {{.name = "gather_elements", .run = RunGatherElements}};
constexpr Kernel kGatherND[] = {{.name = "gather_nd", .run = RunGatherND}};

consteval OpDef Gather(int since, std::span<const TypeRule> types) {
  return {.type = "Gather",
          .since = since,
          .signature = "data:T, indices:Tind -> output:T",
          .types = types,
          .attributes = "axis:int=0",
          .infer = InferGather,
          .kernels = kGather};
}

consteval OpDef GatherElements(int since, std::span<const TypeRule> types) {
  OpDef row = Gather(since, types);
  row.type = "GatherElements";
  row.infer = InferGatherElements;
  row.kernels = kGatherElements;
  return row;
}

consteval OpDef GatherND(int since, std::span<const TypeRule> types) {
  return {.type = "GatherND",
          .since = since,
          .signature = "data:T, indices:int64 -> output:T",
          .types = types,
          .attributes = since < 12 ? "" : "batch_dims:int=0",
          .infer = InferGatherND,
          .kernels = kGatherND};
}

}  // namespace

OpList ops_gather() {
  static constexpr auto kOps = Versions({
      Gather(1, kTTind<kClassicTypes, kIndexTypes>),
      Gather(11, kTTind<kClassicTypes, kIndexTypes>),
      Gather(13, kTTind<kTypes13, kIndexTypes>),
      GatherElements(11, kTTind<kClassicTypes, kIndexTypes>),
      GatherElements(13, kTTind<kTypes13, kIndexTypes>),
      GatherND(11, kT<kClassicTypes>),
      GatherND(12, kT<kClassicTypes>),
      GatherND(13, kT<kTypes13>),
  });
  return kOps;
}

}  // namespace slipway::runtime
