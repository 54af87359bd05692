// SPDX-License-Identifier: Apache-2.0
// DFT (opsets 17, 20), STFT (17).
// Spec: https://onnx.ai/onnx/operators/onnx__DFT.html, onnx__STFT.html
// Real numbers are transformed in double, complex ones in their own precision, 16-bit floats in
// float: NumPy's choice, and with it the last digits are NumPy's. A onesided transform of complex
// numbers is refused, as is a back one to real numbers from real ones.
#include "runtime/kernels/fourier.h"

#include <algorithm>
#include <complex>

#include "base/limits.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// A transform along one axis: shapes [outer, length, inner, parts], parts 1 or 2.
struct Plan {
  bool inverse = false, onesided = false;
  std::int64_t outer = 1, inner = 1;
  std::int64_t in_length = 0, in_parts = 1;
  std::int64_t length = 0;  ///< of the transform
  std::int64_t out_length = 0, out_parts = 2;
  Shape shape;  ///< of the output
};

Result<std::int64_t> AxisOf(const NodeFacts& node, const Tensor* axis_input) {
  const std::int64_t rank = RankOf(node.shape(0));
  std::int64_t axis = node.attributes.Int("axis", 1);
  if (node.op->since >= 20) axis = TRY(ScalarInt(node, axis_input, 2, "axis", -2));
  const std::int64_t normal = TRY(NormalizeAxis(axis, rank));
  if (normal == rank - 1) return Invalid("axis ", axis, " is that of real and imaginary parts");
  return normal;
}

Result<Plan> PlanOf(const NodeFacts& node, const Tensor* length_input, const Tensor* axis_input) {
  const Shape& x = node.shape(0);
  if (x.size() < 2 || (x.back() != 1 && x.back() != 2)) {
    return Invalid("input of ", x, " is not [...,1] or [...,2]");
  }
  const auto axis = At(TRY(AxisOf(node, axis_input)));
  Plan plan{.inverse = node.attributes.Int("inverse", 0) != 0,
            .onesided = node.attributes.Int("onesided", 0) != 0,
            .outer = CountOf(x, 0, axis),
            .inner = CountOf(x, axis + 1, x.size() - 1),
            .in_length = x[axis],
            .in_parts = x.back(),
            .shape = x};
  const bool to_real = plan.inverse && plan.onesided;
  if (plan.onesided && x.back() != (to_real ? 2 : 1)) {
    return Invalid("input of ", x, " does not go with `onesided` and `inverse` ", plan.inverse);
  }
  constexpr std::int64_t kMany = std::int64_t{1} << 60;
  const std::int64_t whole = to_real ? 2 * (std::min(x[axis], kMany) - 1) : x[axis];
  plan.length = TRY(ScalarInt(node, length_input, 1, "dft_length", whole));
  if (plan.length < 1) return Invalid("a transform of length ", plan.length);
  plan.out_length = plan.onesided && !to_real ? plan.length / 2 + 1 : plan.length;
  plan.out_parts = to_real ? 1 : 2;
  plan.shape[axis] = plan.out_length;
  plan.shape.back() = plan.out_parts;
  TRY(ElementCount(plan.shape));
  return plan;
}

Result<Facts> InferDft(const NodeFacts& node) {
  if (DependsOnData(node, 1) || DependsOnData(node, 2)) return Facts{TensorFacts(node.dtype(0))};
  const auto constant = [&](std::size_t i) {
    return node.Has(i) ? node.inputs[i].constant : nullptr;
  };
  return Facts{TensorFacts(node.dtype(0), TRY(PlanOf(node, constant(1), constant(2))).shape)};
}

/// Reads one line of the input as what is transformed: cut or filled up with zeros, and for a
/// transform to real numbers with the other half of the spectrum.
template <class T>
void ReadLine(const Plan& plan, const double* in, std::int64_t step,
              CountedVector<std::complex<T>>& line) {
  std::ranges::fill(line, std::complex<T>(0));
  const bool to_real = plan.inverse && plan.onesided;
  const std::int64_t given = to_real ? plan.length / 2 + 1 : plan.length;
  for (std::int64_t i = 0; i < std::min(given, plan.in_length); ++i) {
    const double* at = in + i * step;
    line[At(i)] = {static_cast<T>(at[0]), static_cast<T>(plan.in_parts == 2 ? at[1] : 0)};
  }
  for (std::int64_t i = given; to_real && i < plan.length; ++i) {
    line[At(i)] = std::conj(line[At(plan.length - i)]);
  }
}

template <class T>
Result<void> Transform(const Plan& plan, KernelContext& context, const Tensor& x, Tensor& y) {
  const auto fourier = TRY(Fourier<T>::Of(plan.length, plan.inverse));
  const Doubles in = DoublesOf(&x);
  Doubles out(At(y.size()));
  const T scale = plan.inverse ? T{1} / static_cast<T>(plan.length) : T{1};
  const std::int64_t in_step = plan.inner * plan.in_parts;
  const std::int64_t out_step = plan.inner * plan.out_parts;
  context.ParallelFor(plan.outer * plan.inner, 1, [&](std::int64_t begin, std::int64_t end) {
    CountedVector<std::complex<T>> line(At(plan.length));
    CountedVector<std::complex<T>> work;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = i / plan.inner * plan.in_length * in_step;
      ReadLine(plan, in.data() + from + i % plan.inner * plan.in_parts, in_step, line);
      fourier.Run(line.data(), work);
      double* to = out.data() + i / plan.inner * plan.out_length * out_step +
                   i % plan.inner * plan.out_parts;
      for (std::int64_t k = 0; k < plan.out_length; ++k) {
        to[k * out_step] = line[At(k)].real() * scale;
        if (plan.out_parts == 2) to[k * out_step + 1] = line[At(k)].imag() * scale;
      }
    }
  });
  return StoreDoubles(context, out, y);
}

Result<void> RunDft(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto given = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Plan plan = TRY(PlanOf(node, given(1), given(2)));
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), plan.shape));
  if (y->size() == 0) return {};
  if (plan.in_parts == 1 || x.dtype() == DType::kFloat64)
    return Transform<double>(plan, context, x, *y);
  return Transform<float>(plan, context, x, *y);
}

struct Frames {
  std::int64_t batch = 0, signal = 0, parts = 1;
  std::int64_t step = 1, length = 1, count = 0, bins = 0;
};

Result<Frames> FramesOf(const NodeFacts& node, const Tensor* step, const Tensor* length) {
  const Shape& x = node.shape(0);
  if (x.size() != 3 || (x[2] != 1 && x[2] != 2)) {
    return Invalid("a signal of ", x, " is not [batch,length,1] or [batch,length,2]");
  }
  TRY(CheckVector(node, 2, "window"));
  Frames frames{.batch = x[0], .signal = x[1], .parts = x[2]};
  frames.step = TRY(ScalarInt(node, step, 1, "frame_step", 1));
  const std::int64_t whole = node.Has(2) ? node.shape(2)[0] : x[1];
  frames.length = TRY(ScalarInt(node, length, 3, "frame_length", whole));
  if (node.Has(2) && frames.length != whole) {
    return Invalid("frames of ", frames.length, " with a window of ", whole);
  }
  if (frames.step < 1 || frames.length < 1 || frames.length > x[1]) {
    return Invalid("frames of ", frames.length, " every ", frames.step, " in a signal of ", x[1]);
  }
  const bool onesided = node.attributes.Int("onesided", 1) != 0;
  if (onesided && x[2] == 2) {
    return Invalid("attribute `onesided` is 1 for a complex signal; set it to 0");
  }
  frames.count = (x[1] - frames.length) / frames.step + 1;
  frames.bins = onesided ? frames.length / 2 + 1 : frames.length;
  return frames;
}

Shape ShapeOf(const Frames& frames) { return {frames.batch, frames.count, frames.bins, 2}; }

Result<Facts> InferStft(const NodeFacts& node) {
  if (DependsOnData(node, 1) || DependsOnData(node, 3)) return Facts{TensorFacts(node.dtype(0))};
  const Tensor* length = node.Has(3) ? node.inputs[3].constant : nullptr;
  const Frames frames = TRY(FramesOf(node, node.inputs[1].constant, length));
  return Facts{TensorFacts(node.dtype(0), ShapeOf(frames))};
}

template <class T>
Result<void> TransformFrames(const Frames& frames, KernelContext& context, const Doubles& window,
                             Tensor& y) {
  const auto fourier = TRY(Fourier<T>::Of(frames.length, false));
  const Doubles in = DoublesOf(context.input(0));
  Doubles out(At(y.size()));
  context.ParallelFor(frames.batch * frames.count, 1, [&](std::int64_t begin, std::int64_t end) {
    CountedVector<std::complex<T>> line(At(frames.length));
    CountedVector<std::complex<T>> work;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t start = i / frames.count * frames.signal + i % frames.count * frames.step;
      for (std::int64_t k = 0; k < frames.length; ++k) {
        const double* at = in.data() + (start + k) * frames.parts;
        const T weight = static_cast<T>(window[At(k)]);
        line[At(k)] = {static_cast<T>(at[0]) * weight,
                       static_cast<T>(frames.parts == 2 ? at[1] : 0) * weight};
      }
      fourier.Run(line.data(), work);
      for (std::int64_t k = 0; k < frames.bins; ++k) {
        out[At((i * frames.bins + k) * 2)] = line[At(k)].real();
        out[At((i * frames.bins + k) * 2 + 1)] = line[At(k)].imag();
      }
    }
  });
  return StoreDoubles(context, out, y);
}

Result<void> RunStft(const NodeFacts& node, KernelContext& context) {
  const DType dtype = node.dtype(0);
  const Frames frames =
      TRY(FramesOf(node, context.input(1), node.Has(3) ? context.input(3) : nullptr));
  Tensor* y = TRY(OutputOf(node, context, 0, dtype, ShapeOf(frames)));
  if (y->size() == 0) return {};
  Doubles window = DoublesOf(node.Has(2) ? context.input(2) : nullptr);
  window.resize(At(frames.length), 1.0);
  if (frames.parts == 1 || dtype == DType::kFloat64) {
    return TransformFrames<double>(frames, context, window, *y);
  }
  return TransformFrames<float>(frames, context, window, *y);
}

constexpr Kernel kDft[] = {{.name = "fft", .run = RunDft}};
constexpr Kernel kStft[] = {{.name = "fft", .run = RunStft}};

}  // namespace

OpList ops_fourier() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "DFT",
            .since = 17,
            .signature = "input:T1, dft_length?:T2 -> output:T1",
            .types = kT1T2<kFloatTypesB, kIndexTypes>,
            .attributes = "axis:int=1, inverse:int=0, onesided:int=0",
            .infer = InferDft,
            .kernels = kDft},
      OpDef{.type = "DFT",
            .since = 20,
            .signature = "input:T1, dft_length?:T2, axis?:int64 -> output:T1",
            .types = kT1T2<kFloatTypesB, kIndexTypes>,
            .attributes = "inverse:int=0, onesided:int=0",
            .infer = InferDft,
            .kernels = kDft},
      OpDef{.type = "STFT",
            .since = 17,
            .signature = "signal:T1, frame_step:T2, window?:T1, frame_length?:T2 -> output:T1",
            .types = kT1T2<kFloatTypesB, kIndexTypes>,
            .attributes = "onesided:int=1",
            .infer = InferStft,
            .kernels = kStft},
  });
  return kOps;
}

}  // namespace slipway::runtime
