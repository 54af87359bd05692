// SPDX-License-Identifier: Apache-2.0
// Det (opsets 11, 22). Spec: https://onnx.ai/onnx/operators/onnx__Det.html
// By elimination with the largest pivot, in double.
#include <cmath>
#include <utility>

#include "runtime/bounds.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  Shape shape = node.shape(0);
  if (shape.size() < 2 || shape.back() != shape[shape.size() - 2]) {
    return Invalid("input of ", shape, " is no stack of square matrices");
  }
  shape.resize(shape.size() - 2);
  return Facts{TensorFacts(node.dtype(0), shape)};
}

/// Destroys the matrix.
double Determinant(double* matrix, std::size_t size) {
  double product = 1;
  Pause pause;
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t pivot = k;
    for (std::size_t row = k + 1; row < size; ++row) {
      if (std::abs(matrix[row * size + k]) > std::abs(matrix[pivot * size + k])) pivot = row;
    }
    if (pivot != k) {
      for (std::size_t i = k; i < size; ++i) {
        std::swap(matrix[k * size + i], matrix[pivot * size + i]);
      }
      product = -product;
    }
    const double top = matrix[k * size + k];
    product *= top;
    if (top == 0) return 0;
    for (std::size_t row = k + 1; row < size; ++row) {
      const double factor = matrix[row * size + k] / top;
      if (pause.MustStop(static_cast<std::int64_t>(size - k))) return 0;
      for (std::size_t i = k + 1; i < size; ++i) {
        matrix[row * size + i] -= factor * matrix[k * size + i];
      }
    }
  }
  return product;
}

Result<void> Run(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  Doubles matrices = DoublesOf(&x);
  Doubles out(At(y.size()));
  const auto size = At(x.shape().back());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = Determinant(matrices.data() + i * size * size, size);
  }
  return StoreDoubles(context, out, y);
}

constexpr Kernel kKernels[] = {{.name = "det", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Det",
          .since = since,
          .signature = "X:T -> Y:T",
          .types = types,
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_det() {
  static constexpr auto kOps = Versions({Row(11, kT<kFloatTypes>), Row(22, kT<kFloatTypesB>)});
  return kOps;
}

}  // namespace slipway::runtime
