// SPDX-License-Identifier: Apache-2.0
// Slice: opsets 1 (attributes), 10, 11, 13 (inputs, steps). DynamicSlice (1 to 9, experimental).
// Spec: https://onnx.ai/onnx/operators/onnx__Slice.html
#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

struct Bounds {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

/// What to take of each dimension: `count` elements from `start`, `step` apart.
struct Cut {
  std::vector<std::int64_t> start, step;
  Shape shape;
};

void CutDimension(std::int64_t dim, std::int64_t start, std::int64_t end, std::int64_t step,
                  std::size_t axis, Cut& cut) {
  step = std::max(step, -std::numeric_limits<std::int64_t>::max());
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  std::int64_t count = 0;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, dim);
    end = std::clamp<std::int64_t>(end, 0, dim);
    count = end > start ? (end - start - 1) / step + 1 : 0;
  } else {
    start = std::clamp<std::int64_t>(start, -1, dim - 1);
    end = std::clamp<std::int64_t>(end, -1, dim - 1);
    count = start > end ? (start - end - 1) / -step + 1 : 0;
  }
  cut.start[axis] = count > 0 ? start : 0;
  cut.step[axis] = count > 1 ? step : 1;
  cut.shape[axis] = count;
}

Result<Cut> CutOf(const Shape& shape, Bounds bounds) {
  const std::size_t count = bounds.starts.size();
  if (bounds.axes.empty()) {
    bounds.axes.resize(count);
    std::iota(bounds.axes.begin(), bounds.axes.end(), 0);
  }
  if (bounds.steps.empty()) bounds.steps.assign(count, 1);
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count) {
    return Invalid("starts ", bounds.starts, ", ends ", bounds.ends, ", axes ", bounds.axes,
                   " and steps ", bounds.steps, " differ in length");
  }
  const std::vector<std::int64_t> axes = TRY(NormalizeAxes(bounds.axes, RankOf(shape)));
  Cut cut{std::vector<std::int64_t>(shape.size(), 0), std::vector<std::int64_t>(shape.size(), 1),
          shape};
  for (std::size_t i = 0; i < count; ++i) {
    if (bounds.steps[i] == 0) return Invalid("step ", i, " is 0");
    const auto axis = At(axes[i]);
    CutDimension(shape[axis], bounds.starts[i], bounds.ends[i], bounds.steps[i], axis, cut);
  }
  return cut;
}

bool HasAttributes(const NodeFacts& node) {
  return node.op->type == "Slice" && node.op->since < 10;
}

Bounds AttributeBounds(const NodeFacts& node) {
  return {.starts = node.attributes.Ints("starts", {}),
          .ends = node.attributes.Ints("ends", {}),
          .axes = node.attributes.Ints("axes", {}),
          .steps = {}};
}

Result<Facts> Infer(const NodeFacts& node) {
  constexpr std::string_view kNames[] = {"data", "starts", "ends", "axes", "steps"};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) TRY(CheckVector(node, i, kNames[i]));
  Bounds bounds;
  if (HasAttributes(node)) {
    bounds = AttributeBounds(node);
  } else {
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (DependsOnData(node, i)) return Facts{TensorFacts(node.dtype(0))};
    }
    bounds = {.starts = *ConstantInts(node, 1),
              .ends = *ConstantInts(node, 2),
              .axes = ConstantInts(node, 3).value_or(std::vector<std::int64_t>{}),
              .steps = ConstantInts(node, 4).value_or(std::vector<std::int64_t>{})};
  }
  return Facts{TensorFacts(node.dtype(0), TRY(CutOf(node.shape(0), std::move(bounds))).shape)};
}

/// What to copy of a tensor of that shape.
StridedBox BoxOf(const Shape& shape, const Cut& cut) {
  StridedBox box{
      .dims = cut.shape, .from = ContiguousStrides(shape), .to = ContiguousStrides(cut.shape)};
  for (std::size_t d = 0; d < box.from.size(); ++d) {
    box.from_offset += cut.start[d] * box.from[d];
    box.from[d] *= cut.step[d];
  }
  return box;
}

/// The bounds that the inputs have, as `ints` gives them.
template <class IntsOfInput>
Bounds InputBounds(const NodeFacts& node, const IntsOfInput& ints) {
  const auto given = [&](std::size_t i) {
    return node.Has(i) ? IntsOf(ints(i)) : std::vector<std::int64_t>{};
  };
  return {.starts = given(1), .ends = given(2), .axes = given(3), .steps = given(4)};
}

class SliceExecutable final : public Executable {
 public:
  SliceExecutable(const NodeFacts& node, std::optional<StridedBox> known)
      : node_(node), known_(std::move(known)) {}

  Result<void> Run(KernelContext& context) const override {
    const Tensor& in = *context.input(0);
    if (known_) {
      CopyBox(context, *known_, in, context.output(0));
      return {};
    }
    Bounds bounds = HasAttributes(node_)
                        ? AttributeBounds(node_)
                        : InputBounds(node_, [&](std::size_t i) { return context.input(i); });
    const Cut cut = TRY(CutOf(in.shape(), std::move(bounds)));
    Tensor* out = TRY(OutputOf(node_, context, 0, in.dtype(), cut.shape));
    CopyBox(context, BoxOf(in.shape(), cut), in, *out);
    return {};
  }

 private:
  const NodeFacts& node_;
  std::optional<StridedBox> known_;  // where bounds and shapes are
};

Result<std::unique_ptr<Executable>> Prepare(const NodeFacts& node, DeviceContext&) {
  bool known = node.outputs[0].shape.has_value();
  for (std::size_t i = 1; i < node.inputs.size(); ++i) known = known && !DependsOnData(node, i);
  std::optional<StridedBox> box;
  if (known) {
    Bounds bounds = HasAttributes(node)
                        ? AttributeBounds(node)
                        : InputBounds(node, [&](std::size_t i) { return node.inputs[i].constant; });
    box = BoxOf(node.shape(0), TRY(CutOf(node.shape(0), std::move(bounds))));
  }
  return std::unique_ptr<Executable>(std::make_unique<SliceExecutable>(node, std::move(box)));
}

constexpr Kernel kKernels[] = {{.name = "slice", .prepare = Prepare}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Slice",
          .since = since,
          .signature = since < 10
                           ? "data:T -> output:T"
                           : "data:T, starts:Tind, ends:Tind, axes?:Tind, steps?:Tind -> output:T",
          .types = types,
          .attributes = since < 10 ? "axes:ints, ends!:ints, starts!:ints" : "",
          .infer = Infer,
          .kernels = kKernels};
}

consteval OpDef DynamicSlice() {
  return {.type = "DynamicSlice",
          .until = 9,
          .signature = "data:T, starts:Tind, ends:Tind, axes?:Tind -> output:T",
          .types = kTTind<kClassicTypes, kIndexTypes>,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_slice() {
  static constexpr auto kOps = Versions({
      Row(1, kT<kClassicTypes>),
      Row(10, kTTind<kClassicTypes, kIndexTypes>),
      Row(11, kTTind<kClassicTypes, kIndexTypes>),
      Row(13, kTTind<kTypes13, kIndexTypes>),
      DynamicSlice(),
  });
  return kOps;
}

}  // namespace slipway::runtime
