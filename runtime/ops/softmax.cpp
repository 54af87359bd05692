// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax, Hardmax: opsets 1 and 11 (over all dimensions from `axis` on), 13 (along
// one axis). Spec: https://onnx.ai/onnx/operators/onnx__Softmax.html and the others' pages.
// Softmax of 16-bit floats rounds after each step of the function that the standard defines it as.
#include "runtime/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/bounds.h"
#include "runtime/kernels/argmax_simd.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/small_room.h"
#include "runtime/kernels/softmax_simd.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  TRY(SoftmaxShapeOf(node));
  return InferSame(node);
}

template <class T>
double Largest(const T* x, std::int64_t count, std::int64_t step) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<double>(x[i * step]);
    if (value > largest || value != value) largest = value;
  }
  return largest;
}

struct Softmax {
  template <class T>
  static void RoundedRow(const T* x, T* y, std::int64_t count, std::int64_t step) {
    const auto largest = static_cast<float>(Largest(x, count, step));
    float sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      const T below(static_cast<float>(x[i * step]) - largest);
      y[i * step] = T(std::exp(static_cast<float>(below)));
      sum += static_cast<float>(y[i * step]);
    }
    const auto whole = static_cast<float>(T(sum));
    for (std::int64_t i = 0; i < count; ++i) {
      y[i * step] = T(static_cast<float>(y[i * step]) / whole);
    }
  }

  template <class T>
  static void Row(const T* x, T* y, std::int64_t count, std::int64_t step) {
    if constexpr (kIsHalf<T>) return RoundedRow(x, y, count, step);
    const double largest = Largest(x, count, step);
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += std::exp(static_cast<double>(x[i * step]) - largest);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      y[i * step] = static_cast<T>(std::exp(static_cast<double>(x[i * step]) - largest) / sum);
    }
  }
};

struct LogSoftmax {
  template <class T>
  static void Row(const T* x, T* y, std::int64_t count, std::int64_t step) {
    const double largest = Largest(x, count, step);
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += std::exp(static_cast<double>(x[i * step]) - largest);
    }
    const double log = std::log(sum);
    for (std::int64_t i = 0; i < count; ++i) {
      y[i * step] = static_cast<T>(static_cast<double>(x[i * step]) - largest - log);
    }
  }
};

struct Hardmax {
  template <class T>
  static void Row(const T* x, T* y, std::int64_t count, std::int64_t step) {
    std::int64_t best = 0;
    auto most = static_cast<Compute<T>>(x[0]);
    for (std::int64_t i = 1; i < count; ++i) {
      const auto value = static_cast<Compute<T>>(x[i * step]);
      if (!(value > most)) continue;
      most = value;
      best = i;
    }
    for (std::int64_t i = 0; i < count; ++i) y[i * step] = static_cast<T>(Compute<T>{0});
    y[best * step] = static_cast<T>(Compute<T>{1});
  }
};

template <class F>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const SoftmaxShape shape = TRY(SoftmaxShapeOf(node));
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = y.data<T>().data();
    const std::int64_t rows = shape.count == 0 ? 0 : shape.outer * shape.inner;
    const std::int64_t grain =
        std::max<std::int64_t>(1, (1 << 10) / std::max<std::int64_t>(shape.count, 1));
    context.ParallelFor(rows, grain, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = row / shape.inner * shape.count * shape.inner + row % shape.inner;
        F::Row(in + at, out + at, shape.count, shape.inner);
      }
    });
  });
}

std::string DeclineSimd(const NodeFacts& node) {
  if (node.dtype(0) != DType::kFloat32) return "the input is not float32";
  const Result<SoftmaxShape> shape = SoftmaxShapeOf(node);
  if (!shape) return shape.error().message;
  return shape->count * shape->outer * shape->inner == 0 ? "the input is empty" : "";
}

/// Of a block of short rows.
constexpr std::size_t kFewNumbers = (kLeastInARow - 1) * kSoftmaxRows;

/// Long rows one by one, others many at a time.
template <bool log>
class Simd final : public Executable {
 public:
  explicit Simd(const SoftmaxShape& shape) : shape_(shape) {}

  Result<void> Run(KernelContext& context) const override {
    const float* x = context.input(0)->data<float>().data();
    float* y = context.output(0).data<float>().data();
    if (shape_.inner == 1 && shape_.count >= kLeastInARow) {
      RunRows(context, x, y);
    } else {
      RunBlocks(context, x, y);
    }
    return {};
  }

 private:
  std::int64_t Grain(std::int64_t rows) const {
    return std::max<std::int64_t>(1, (1 << 12) / shape_.count / rows);
  }

  void RunRows(KernelContext& context, const float* x, float* y) const {
    const std::int64_t count = shape_.count;
    context.ParallelFor(shape_.outer, Grain(1), [=](std::int64_t begin, std::int64_t end) {
      SoftmaxOfLongRows(x + begin * count, end - begin, count, log, y + begin * count);
    });
  }

  void RunBlocks(KernelContext& context, const float* x, float* y) const {
    const std::int64_t rows = shape_.outer * shape_.inner;
    const std::int64_t blocks = (rows + kSoftmaxRows - 1) / kSoftmaxRows;
    context.ParallelFor(blocks, Grain(kSoftmaxRows),
                        [=, this](std::int64_t begin, std::int64_t end) {
                          SmallRoom<float, kFewNumbers> room(At(shape_.count * kSoftmaxRows));
                          for (std::int64_t i = begin; i < end; ++i) {
                            const std::int64_t first = i * kSoftmaxRows;
                            SoftmaxOfRows({.shape = shape_,
                                           .log = log,
                                           .first = first,
                                           .rows = std::min(kSoftmaxRows, rows - first)},
                                          x, y, room.data());
                          }
                        });
  }

  SoftmaxShape shape_;
};

template <bool log>
Result<std::unique_ptr<Executable>> PrepareSimd(const NodeFacts& node, DeviceContext& /*device*/) {
  const SoftmaxShape shape = TRY(SoftmaxShapeOf(node));
  return std::unique_ptr<Executable>(new Simd<log>(shape));
}

std::string DeclineHardmaxRows(const NodeFacts& node) {
  std::string why = DeclineSimd(node);
  if (!why.empty()) return why;
  const Result<SoftmaxShape> shape = SoftmaxShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->inner != 1) return "the elements of a row do not lie together";
  return shape->count < kLeastPlaces || shape->count > kMostPlaces ? "rows of that length" : "";
}

Result<void> RunHardmaxRows(const NodeFacts& node, KernelContext& context) {
  const SoftmaxShape shape = TRY(SoftmaxShapeOf(node));
  const std::int64_t count = shape.count;
  const float* const x = context.input(0)->data<float>().data();
  float* const y = context.output(0).data<float>().data();
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 12) / count);
  context.ParallelFor(shape.outer, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end && !MustStop(); ++row) {
      const float* const in = x + row * count;
      float* const out = y + row * count;
      const std::int64_t best = PlaceInRow({}, in, count);
      // What is no number is the best place, but no largest element.
      if (std::isnan(in[best])) {
        Hardmax::Row(in, out, count, 1);
      } else {
        std::fill_n(out, count, 0.0F);
        out[best] = 1;
      }
    }
  });
  return {};
}

constexpr Kernel kSoftmax[] = {
    {.name = "softmax_simd", .declines = DeclineSimd, .prepare = PrepareSimd<false>},
    {.name = "softmax_reference", .run = Run<Softmax>}};
constexpr Kernel kLogSoftmax[] = {
    {.name = "log_softmax_simd", .declines = DeclineSimd, .prepare = PrepareSimd<true>},
    {.name = "log_softmax_simd_widened",
     .declines = DeclineWidened<DeclineSimd>,
     .prepare = PrepareWidened<PrepareSimd<true>>},
    {.name = "log_softmax_reference", .run = Run<LogSoftmax>}};
constexpr Kernel kHardmax[] = {
    {.name = "hardmax_rows", .declines = DeclineHardmaxRows, .run = RunHardmaxRows},
    {.name = "hardmax", .run = Run<Hardmax>}};

consteval OpDef Row(std::string_view type, int since, std::span<const Kernel> kernels) {
  return {.type = type,
          .since = since,
          .signature = "input:T -> output:T",
          .types = since < 13 ? std::span<const TypeRule>(kT<kFloatTypes>) : kT<kFloatTypesB>,
          .attributes = since < 13 ? "axis:int=1" : "axis:int=-1",
          .infer = Infer,
          .kernels = kernels};
}

consteval std::array<OpDef, 3> Rows(std::string_view type, std::span<const Kernel> kernels) {
  return Versions({Row(type, 1, kernels), Row(type, 11, kernels), Row(type, 13, kernels)});
}

}  // namespace

OpList ops_softmax() {
  static constexpr auto kOps =
      Rows("Softmax", kSoftmax) + Rows("LogSoftmax", kLogSoftmax) + Rows("Hardmax", kHardmax);
  return kOps;
}

}  // namespace slipway::runtime
