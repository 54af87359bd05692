// SPDX-License-Identifier: Apache-2.0
// Col2Im (opset 18). Spec: https://onnx.ai/onnx/operators/onnx__Col2Im.html
// Numbers are added up where blocks overlap; other elements cannot be.
#include <complex>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

/// The sliding of the blocks over the image, and the output's shape.
struct Folding {
  Window window;
  Shape shape;
};

Result<Folding> FoldingOf(const NodeFacts& node, const std::vector<std::int64_t>& image,
                          const std::vector<std::int64_t>& block) {
  const Shape& x = node.shape(0);
  if (x.size() != 3) return Invalid("input of ", x, " is not [N,C*block,L]");
  for (const std::int64_t dim : image) {
    if (dim < 0) return Invalid("input `image_shape` is ", image);
  }
  TRY(ElementCount(image));
  Folding folding;
  folding.window = TRY(MakeWindow(node, image, block));
  const Window& window = folding.window;
  const std::int64_t block_size = TRY(ElementCount(block));
  if (x[1] % block_size != 0 || TRY(ElementCount(window.output)) != x[2]) {
    return Invalid("input of ", x, " does not hold blocks of ", block, " at ", window.output,
                   " places");
  }
  folding.shape = WithSpatial(x[0], x[1] / block_size, image);
  return folding;
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "image_shape"));
  TRY(CheckVector(node, 2, "block_shape"));
  if (DependsOnData(node, 1) || DependsOnData(node, 2)) return Facts{TensorFacts(node.dtype(0))};
  const Folding folding = TRY(FoldingOf(node, *ConstantInts(node, 1), *ConstantInts(node, 2)));
  return Facts{TensorFacts(node.dtype(0), folding.shape)};
}

template <class T>
T Sum(T a, T b) {
  if constexpr (std::is_same_v<T, bool>) {
    return a || b;
  } else if constexpr (std::is_integral_v<T>) {
    return WrapAdd(a, b);
  } else {
    return static_cast<T>(a + b);
  }
}

using SummedList =
    decltype(NumericList() + TypeList<bool, std::complex<float>, std::complex<double>>());

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const Folding folding = TRY(FoldingOf(node, IntsOf(context.input(1)), IntsOf(context.input(2))));
  const Window& window = folding.window;
  Tensor* y = TRY(OutputOf(node, context, 0, x.dtype(), folding.shape));
  FillWith(*y, nullptr);
  if (y->size() == 0) return {};
  const std::int64_t places = window.output_size();
  const std::int64_t block = window.kernel_size();
  const std::int64_t image = window.input_size();
  const std::int64_t planes = folding.shape[0] * folding.shape[1];
  return Dispatch(SummedList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = y->data<T>().data();
    std::vector<Tap> taps;
    Pause pause;
    for (std::int64_t place = 0; place < places; ++place) {
      window.Taps(place, taps);
      for (std::int64_t plane = 0; plane < planes; ++plane) {
        if (pause.MustStop(1 + 4 * block)) return;
        for (const Tap& tap : taps) {
          T& to = out[plane * image + tap.input];
          to = Sum(to, in[(plane * block + tap.kernel) * places + place]);
        }
      }
    }
  });
}

constexpr Kernel kKernels[] = {{.name = "col2im", .run = Run}};
constexpr DTypeSet kSummed = kNumericTypesB | kBoolType | kComplexTypes;

}  // namespace

OpList ops_col2im() {
  static constexpr OpDef kOps[] = {
      {.type = "Col2Im",
       .since = 18,
       .signature = "input:T, image_shape:int64, block_shape:int64 -> output:T",
       .types = kT<kSummed>,
       .attributes = "dilations:ints, pads:ints, strides:ints",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
