// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/resize.h"
#include "runtime/kernels/resize_simd.h"
#include "runtime/kernels/weave_simd.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kGrain = 4096;

/// One dimension's part of the work: elements as [outer, in, inner] become [outer, out, inner].
struct Step {
  std::int64_t outer = 0, in = 0, out = 0, inner = 0, taps = 0;
  std::vector<std::int64_t> indices;  ///< [out, taps]
  std::vector<float> weights;         ///< as many
  std::vector<std::int32_t> across;   ///< `indices` as [taps, out], where inner is 1
  std::vector<float> weights_across;
  bool repeats = false;  ///< each element as often, one after the other

  std::int64_t size() const { return outer * out * inner; }
};

void Cross(Step& step) {
  for (std::int64_t t = 0; t < step.taps; ++t) {
    for (std::int64_t i = 0; i < step.out; ++i) {
      step.across.push_back(static_cast<std::int32_t>(step.indices[At(i * step.taps + t)]));
      if (!step.weights.empty()) {
        step.weights_across.push_back(step.weights[At(i * step.taps + t)]);
      }
    }
  }
}

/// Whether each element stands there as often, one after the other.
bool Repeats(const Step& step) {
  if (step.inner != 1 || step.taps != 1 || step.out % step.in != 0) return false;
  const std::int64_t times = step.out / step.in;
  for (std::int64_t i = 0; i < step.out; ++i) {
    if (step.indices[At(i)] != i / times) return false;
  }
  return true;
}

std::vector<Step> StepsOf(const ResizePlan& plan, Shape shape) {
  std::vector<Step> steps;
  std::vector<ResizeAxis> axes = plan.axes;
  // Elements are picked in any order: with few of them rows are made before they are repeated.
  const bool grows = CountOf(plan.output, 0, shape.size()) > CountOf(shape, 0, shape.size());
  if (plan.options.mode == ResizeMode::kNearest && grows) std::ranges::reverse(axes);
  for (const ResizeAxis& axis : axes) {
    Step step{.outer = CountOf(shape, 0, axis.axis),
              .in = shape[axis.axis],
              .out = plan.output[axis.axis],
              .inner = CountOf(shape, axis.axis + 1, shape.size()),
              .taps = axis.taps,
              .indices = axis.indices,
              .weights = axis.weights,
              .across = {},
              .weights_across = {}};
    if (step.inner == 1) Cross(step);
    step.repeats = Repeats(step);
    shape[axis.axis] = step.out;
    steps.push_back(std::move(step));
  }
  return steps;
}

void BlendAlongRows(KernelContext& context, const Step& step, const float* x, float* y) {
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / step.inner);
  context.ParallelFor(step.outer * step.out, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<const float*> rows(At(step.taps));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = i % step.out * step.taps;
      for (std::int64_t t = 0; t < step.taps; ++t) {
        rows[At(t)] = x + (i / step.out * step.in + step.indices[At(at + t)]) * step.inner;
      }
      BlendRows(rows, std::span(step.weights).subspan(At(at), At(step.taps)), step.inner,
                y + i * step.inner);
    }
  });
}

void BlendAcross(KernelContext& context, const Step& step, const float* x, float* y) {
  const ColumnBlend blend{.indices = step.across.data(),
                          .weights = step.weights_across.data(),
                          .taps = step.taps,
                          .count = step.out};
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / step.out);
  context.ParallelFor(step.outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      BlendColumns(blend, x + i * step.in, y + i * step.out);
    }
  });
}

template <class T>
void PickAcross(KernelContext& context, const Step& step, const std::byte* from, std::byte* to) {
  const T* x = reinterpret_cast<const T*>(from);
  T* y = reinterpret_cast<T*>(to);
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / step.out);
  context.ParallelFor(step.outer, grain, [&, x, y](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const T* row = x + i * step.in;
      T* out = y + i * step.out;
      for (std::int64_t k = 0; k < step.out; ++k) out[k] = row[step.across[At(k)]];
    }
  });
}

void PickRows(KernelContext& context, const Step& step, std::int64_t bytes, const std::byte* x,
              std::byte* y) {
  const std::int64_t row = step.inner * bytes;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / step.inner);
  context.ParallelFor(step.outer * step.out, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = i / step.out * step.in + step.indices[At(i % step.out)];
      std::memcpy(y + i * row, x + from * row, At(row));
    }
  });
}

/// Each element so many times: as many lines that are one and the same, woven.
void Repeat(KernelContext& context, const Step& step, std::int64_t bytes, const std::byte* x,
            std::byte* y) {
  const std::int64_t times = step.out / step.in;
  context.ParallelFor(step.outer * step.in, kGrain, [&](std::int64_t begin, std::int64_t end) {
    WeaveLines(x + begin * bytes, 0, times, end - begin, At(bytes), y + begin * times * bytes);
  });
}

void Pick(KernelContext& context, const Step& step, std::int64_t bytes, const std::byte* x,
          std::byte* y) {
  if (step.repeats && CanWeave(step.out / step.in, At(bytes)))
    return Repeat(context, step, bytes, x, y);
  if (step.inner != 1) return PickRows(context, step, bytes, x, y);
  if (bytes == 1) return PickAcross<std::uint8_t>(context, step, x, y);
  if (bytes == 2) return PickAcross<std::uint16_t>(context, step, x, y);
  if (bytes == 4) return PickAcross<std::uint32_t>(context, step, x, y);
  if (bytes == 8) return PickAcross<std::uint64_t>(context, step, x, y);
  PickRows(context, step, bytes, x, y);
}

class ResizePlanned final : public Executable {
 public:
  ResizePlanned(const ResizePlan& plan, const NodeFacts& node)
      : plan_(plan), steps_(StepsOf(plan, node.shape(0))), bytes_(DTypeBits(node.dtype(0)) / 8) {}

  /// Two places for what is between steps.
  std::int64_t scratch_bytes() const override { return 2 * room(); }

  Result<void> Run(KernelContext& context) const override {
    Tensor& y = context.output(0);
    const auto* from = static_cast<const std::byte*>(context.input(0)->raw());
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const bool last = i + 1 == steps_.size();
      const std::int64_t place = i % 2 == 0 ? 0 : room();
      std::byte* to = last ? static_cast<std::byte*>(y.raw()) : context.scratch().data() + place;
      RunStep(context, steps_[i], from, to);
      from = to;
    }
    return FillOutside(context, plan_, y);
  }

 private:
  std::int64_t room() const {
    std::int64_t most = 0;
    for (std::size_t i = 0; i + 1 < steps_.size(); ++i) most = std::max(most, steps_[i].size());
    return (most * bytes_ + 63) / 64 * 64;
  }

  void RunStep(KernelContext& context, const Step& step, const std::byte* from,
               std::byte* to) const {
    if (plan_.options.mode == ResizeMode::kNearest) return Pick(context, step, bytes_, from, to);
    const auto* x = reinterpret_cast<const float*>(from);
    auto* y = reinterpret_cast<float*>(to);
    if (step.inner == 1) return BlendAcross(context, step, x, y);
    BlendAlongRows(context, step, x, y);
  }

  ResizePlan plan_;
  std::vector<Step> steps_;
  std::int64_t bytes_;
};

Result<ResizePlan> ConstantPlan(const NodeFacts& node) {
  ResizeInputs inputs;
  TRY(ReadResizeInputs(
      node, [&](std::size_t i) { return node.Has(i) ? node.inputs[i].constant : nullptr; },
      inputs));
  return PlanResize(node, node.shape(0), inputs);
}

}  // namespace

std::string DeclineResizePlanned(const NodeFacts& node) {
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (DependsOnData(node, i)) return Message("input ", i, " depends on data");
  }
  const DType dtype = node.dtype(0);
  if (dtype == DType::kString || DTypeBits(dtype) < 8) return Message("elements of ", dtype);
  const Result<ResizePlan> plan = ConstantPlan(node);
  if (!plan) return plan.error().message;
  if (plan->axes.empty() || CountOf(plan->output, 0, plan->output.size()) == 0) {
    return "nothing to resample";
  }
  const bool nearest = plan->options.mode == ResizeMode::kNearest;
  if (!nearest && dtype != DType::kFloat32) return Message("interpolation of ", dtype);
  const std::int64_t longest = *std::ranges::max_element(node.shape(0));
  return longest > std::numeric_limits<std::int32_t>::max() ? "a dimension beyond 32 bits" : "";
}

Result<std::unique_ptr<Executable>> PrepareResizePlanned(const NodeFacts& node,
                                                         DeviceContext& /*device*/) {
  const ResizePlan plan = TRY(ConstantPlan(node));
  return std::unique_ptr<Executable>(new ResizePlanned(plan, node));
}

}  // namespace slipway::runtime
