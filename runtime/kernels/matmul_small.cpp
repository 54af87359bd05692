// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/device/cpu.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/row_product_simd.h"

namespace slipway::runtime {
namespace {

/// Numbers of a matrix that stay near, and operations that are done while a call of oneDNN begins.
constexpr std::int64_t kMostNumbers = 16 << 10;
constexpr double kMostWork = 1 << 18;

/// Rows times a matrix.
struct SmallShape {
  std::int64_t rows = 0, depth = 0, width = 0;
  bool turned = false;  ///< the matrix lies as [width, depth]

  std::int64_t padded() const { return (width + kRowPad - 1) / kRowPad * kRowPad; }
};

/// Of MatMul, Gemm and `slipway.MatMul`, where input 1 is one matrix.
Result<SmallShape> SmallShapeOf(const NodeFacts& node) {
  Shape b = node.shape(1);
  const bool turned = node.attributes.Int("transB", 0) != 0;
  if (turned && b.size() == 2) std::swap(b[0], b[1]);
  const MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), b));
  const std::int64_t rows = shape.m * CountOf(shape.batch, 0, shape.batch.size());
  return SmallShape{.rows = rows, .depth = shape.k, .width = shape.n, .turned = turned};
}

/// The matrix as AddRowProduct reads it, with columns of zeros.
Result<Tensor> PanelsOf(const Tensor& matrix, const SmallShape& shape) {
  const std::int64_t width = shape.padded();
  Tensor panels = TRY(Tensor::Make(DType::kFloat32, {shape.depth, width}));
  std::ranges::fill(panels.data<float>(), 0.0F);
  const float* const from = matrix.data<float>().data();
  const std::int64_t step = shape.turned ? 1 : shape.width;
  for (std::int64_t j = 0; j < shape.width; ++j) {
    const Panel panel = PanelOf(j, width);
    float* const to = panels.data<float>().data() + panel.begin * shape.depth + j - panel.begin;
    const float* const column = from + j * (shape.turned ? shape.depth : 1);
    for (std::int64_t k = 0; k < shape.depth; ++k) to[k * panel.stride] = column[k * step];
  }
  return panels;
}

class SmallProduct final : public Executable, public HoldsWeights {
 public:
  SmallProduct(const NodeFacts& node, const SmallShape& shape, const ConvFinish& finish,
               Tensor panels)
      : shape_(shape), finish_(finish), panels_(std::move(panels)), has_sum_(node.Has(2)) {}

  bool holds_weights() const override { return true; }

  std::int64_t scratch_bytes() const override {
    return shape_.rows * shape_.padded() * static_cast<std::int64_t>(sizeof(float));
  }

  Result<void> Run(KernelContext& context) const override {
    const std::int64_t width = shape_.padded();
    auto* const sums = reinterpret_cast<float*>(context.scratch().data());
    Begin(context, sums, width);
    AddRowProduct({.x = context.input(0)->data<float>().data(),
                   .w = panels_.data<float>().data(),
                   .y = sums,
                   .rows = shape_.rows,
                   .depth = shape_.depth,
                   .width = width,
                   .x_stride = shape_.depth,
                   .y_stride = width});
    const ConvBounds bounds = finish_.bounds();
    float* y = context.output(0).data<float>().data();
    for (std::int64_t row = 0; row < shape_.rows; ++row, y += shape_.width) {
      const float* const from = sums + row * width;
      for (std::int64_t j = 0; j < shape_.width; ++j) y[j] = bounds.Held(from[j]);
    }
    finish_.Rest(context);
    return {};
  }

 private:
  /// Sums begin with what is added to each row.
  void Begin(KernelContext& context, float* sums, std::int64_t width) const {
    std::fill_n(sums, shape_.rows * width, 0.0F);
    if (!has_sum_) return;
    const float* const row = context.input(2)->data<float>().data();
    for (std::int64_t i = 0; i < shape_.rows; ++i) std::copy_n(row, shape_.width, sums + i * width);
  }

  SmallShape shape_;
  ConvFinish finish_;
  Tensor panels_;
  bool has_sum_;
};

}  // namespace

std::string DeclineMatMulSmall(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const Shape& b = node.shape(1);
  if (node.inputs[1].constant == nullptr) return "the matrix is not known";
  if (b.size() != 2) return "input 1 is no matrix";
  const auto shape = SmallShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->depth * shape->padded() > kMostNumbers) return "the matrix is large";
  const double work =
      2.0 * static_cast<double>(shape->rows) * static_cast<double>(shape->depth * shape->padded());
  return work > kMostWork ? "there is much to compute" : "";
}

std::string DeclineGemmSmall(const NodeFacts& node) {
  std::string why = DeclineGemmDnnl(node);
  if (!why.empty()) return why;
  return node.attributes.Int("transA", 0) != 0 ? "input 0 is transposed" : DeclineMatMulSmall(node);
}

Result<std::unique_ptr<Executable>> PrepareMatMulSmall(const NodeFacts& node,
                                                       DeviceContext& device) {
  const SmallShape shape = TRY(SmallShapeOf(node));
  const ConvFinish finish = TRY(ConvFinish::Of(node));
  const Tensor& matrix = *node.inputs[1].constant;
  Tensor panels = TRY(Cpu(device).Packed(matrix, shape.turned ? "turned panels" : "panels",
                                         [&] { return PanelsOf(matrix, shape); }));
  return std::unique_ptr<Executable>(new SmallProduct(node, shape, finish, std::move(panels)));
}

}  // namespace slipway::runtime
