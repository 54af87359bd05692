// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/resize.h"

#include "runtime/kernels/convert.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

/// Tensors as [outer, dimension, inner] around one axis.
struct View {
  std::int64_t outer, in, out, inner;
};

View Around(const Shape& shape, const ResizeAxis& axis, std::int64_t out) {
  return {CountOf(shape, 0, axis.axis), shape[axis.axis], out,
          CountOf(shape, axis.axis + 1, shape.size())};
}

void Pick(KernelContext& context, const ResizeAxis& axis, const View& view, const Tensor& x,
          Tensor& y) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(view.inner, 1));
  TextMeter meter;
  context.ParallelFor(view.outer * view.out, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = i / view.out * view.in + axis.indices[At(i % view.out)];
      CopyElements(x, from * view.inner, y, i * view.inner, view.inner, &meter);
    }
  });
}

template <class C>
void Blend(KernelContext& context, const ResizeAxis& axis, const View& view, const C* x, C* y) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, 2048 / std::max<std::int64_t>(view.inner, 1));
  context.ParallelFor(view.outer * view.out, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = i % view.out * axis.taps;
      C* to = y + i * view.inner;
      std::fill_n(to, view.inner, C{0});
      for (std::int64_t t = at; t < at + axis.taps; ++t) {
        const auto weight = static_cast<C>(axis.weights[At(t)]);
        if (weight == C{0}) continue;
        const C* from = x + (i / view.out * view.in + axis.indices[At(t)]) * view.inner;
        for (std::int64_t k = 0; k < view.inner; ++k) to[k] += weight * from[k];
      }
    }
  });
}

bool AnyOutside(const ResizePlan& plan) {
  for (const ResizeAxis& axis : plan.axes) {
    for (const bool outside : axis.outside) {
      if (outside) return true;
    }
  }
  return false;
}

template <class Step>
Result<Tensor> ThroughAxes(const ResizePlan& plan, const Tensor& x, const Step& step) {
  Tensor now = x;
  for (const ResizeAxis& axis : plan.axes) {
    Shape shape = now.shape();
    shape[axis.axis] = plan.output[axis.axis];
    Tensor next = TRY(Tensor::Make(x.dtype(), shape));
    step(axis, Around(now.shape(), axis, shape[axis.axis]), now, next);
    now = std::move(next);
  }
  return now;
}

template <class C>
Result<Tensor> Interpolated(KernelContext& context, const ResizePlan& plan, const Tensor& x) {
  Tensor wide = TRY(Tensor::Make(kDTypeOf<C>, x.shape()));
  TRY(ConvertElements(context, x, wide));
  return ThroughAxes(plan, wide,
                     [&](const ResizeAxis& axis, const View& view, const Tensor& from, Tensor& to) {
                       Blend(context, axis, view, from.data<C>().data(), to.data<C>().data());
                     });
}

}  // namespace

Result<void> FillOutside(KernelContext& context, const ResizePlan& plan, Tensor& y) {
  if (!AnyOutside(plan)) return {};
  const Tensor wanted =
      Tensor::FromVector(DType::kFloat32, {}, std::vector<float>{plan.options.extrapolation});
  Tensor value = TRY(Tensor::Make(y.dtype(), {}));
  TRY(ConvertElements(context, wanted, value));
  for (const ResizeAxis& axis : plan.axes) {
    const View view = Around(y.shape(), axis, y.shape()[axis.axis]);
    for (std::int64_t i = 0; i < view.outer * view.out; ++i) {
      if (!axis.outside[At(i % view.out)]) continue;
      for (std::int64_t k = 0; k < view.inner; ++k) {
        CopyElements(value, 0, y, i * view.inner + k, 1);
      }
    }
  }
  return {};
}

Result<void> RunResize(KernelContext& context, const ResizePlan& plan, const Tensor& x, Tensor& y) {
  if (plan.options.mode == ResizeMode::kNearest || plan.axes.empty()) {
    const Tensor picked = TRY(ThroughAxes(
        plan, x, [&](const ResizeAxis& axis, const View& view, const Tensor& from, Tensor& to) {
          Pick(context, axis, view, from, to);
        }));
    CopyAll(picked, y);
  } else if (!kNumericTypesB.Has(x.dtype()) && x.dtype() != DType::kBool) {
    return Error{.code = Code::kUnimplemented,
                 .message = Message("elements of ", x.dtype(), " do not interpolate")};
  } else {
    const Tensor blended = x.dtype() == DType::kFloat64
                               ? TRY(Interpolated<double>(context, plan, x))
                               : TRY(Interpolated<float>(context, plan, x));
    TRY(ConvertElements(context, blended, y));
  }
  return FillOutside(context, plan, y);
}

}  // namespace slipway::runtime
