// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/matvec.h"

#include <algorithm>
#include <optional>

#include "runtime/device/cpu.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/matvec_simd.h"
#include "runtime/kernels/turned.h"

namespace slipway::runtime {
namespace {

/// Numbers of a matrix whose reading is worth a thread's beginning.
constexpr std::int64_t kLeastNumbers = 1 << 15;
/// Constant matrices of so many columns and numbers are kept by columns, as they are read faster.
constexpr std::int64_t kMostTurned = 1 << 16;
constexpr std::int64_t kFewColumns = 256;

struct VectorProduct {
  std::size_t vector = 0;  ///< which input it is; the other is the matrix
  std::int64_t batch = 1;  ///< of more than one only matrices that lie as [width, depth]
  std::int64_t depth = 0, width = 0;
  bool by_columns = false;  ///< the matrix lies as [width, depth]
  float alpha = 1, beta = 0;
};

class MatVecExecutable final : public Executable {
 public:
  MatVecExecutable(const VectorProduct& product, std::optional<Tensor> turned, bool has_sum)
      : product_(product), turned_(std::move(turned)), has_sum_(has_sum) {}

  Result<void> Run(KernelContext& context) const override {
    const float* const x = context.input(product_.vector)->data<float>().data();
    const float* const w = turned_ ? turned_->data<float>().data()
                                   : context.input(1 - product_.vector)->data<float>().data();
    float* const y = context.output(0).data<float>().data();
    const std::int64_t depth = product_.depth;
    const std::int64_t width = product_.width;
    if (turned_ || product_.by_columns) {
      const std::int64_t grain = std::max<std::int64_t>(4, kLeastNumbers / depth);
      context.ParallelFor(product_.batch * width, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t j = begin; j < end;) {
          const std::int64_t i = j / width, first = i * width, last = std::min(end, first + width);
          TimesRows(x + i * depth, w + first * depth, depth, j - first, last - first, y + first);
          j = last;
        }
        Finish(context, begin, end, y);
      });
      return {};
    }
    const std::int64_t strips = (width + kColumnsAtOnce - 1) / kColumnsAtOnce;
    const std::int64_t grain = std::max<std::int64_t>(1, kLeastNumbers / (depth * kColumnsAtOnce));
    context.ParallelFor(strips, grain, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t begin = first * kColumnsAtOnce;
      const std::int64_t end = std::min(width, last * kColumnsAtOnce);
      TimesColumns(x, w, depth, width, begin, end, y);
      Finish(context, begin, end, y);
    });
    return {};
  }

 private:
  void Finish(KernelContext& context, std::int64_t begin, std::int64_t end, float* y) const {
    if (product_.alpha != 1) {
      for (std::int64_t j = begin; j < end; ++j) y[j] *= product_.alpha;
    }
    if (!has_sum_) return;
    const auto c = context.input(2)->data<float>();
    if (c.size() == 1) {
      for (std::int64_t j = begin; j < end; ++j) y[j] += product_.beta * c[0];
    } else {
      for (std::int64_t j = begin; j < end; ++j) y[j] += product_.beta * c[At(j)];
    }
  }

  VectorProduct product_;
  std::optional<Tensor> turned_;
  bool has_sum_;
};

Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, const VectorProduct& product,
                                         DeviceContext& device) {
  std::optional<Tensor> turned;
  const Tensor* w = node.inputs[1 - product.vector].constant;
  if (w != nullptr && !product.by_columns && product.width < kFewColumns &&
      w->size() <= kMostTurned) {
    turned = TRY(Cpu(device).Packed(*w, "turned",
                                    [&] { return Turned(*w, 1, product.depth, product.width); }));
  }
  return std::unique_ptr<Executable>(new MatVecExecutable(product, std::move(turned), node.Has(2)));
}

}  // namespace

std::string DeclineMatMulVector(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = MatMulShapeOf(node.shape(0), node.shape(1));
  if (!shape) return shape.error().message;
  const bool one = shape->m == 1 && CountOf(shape->batch, 0, shape->batch.size()) == 1;
  return one ? "" : "more than one row";
}

Result<std::unique_ptr<Executable>> PrepareMatMulVector(const NodeFacts& node,
                                                        DeviceContext& device) {
  const MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), node.shape(1)));
  return Make(node, {.depth = shape.k, .width = shape.n, .by_columns = shape.n == 1}, device);
}

std::string DeclineMatMulColumn(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = MatMulShapeOf(node.shape(0), node.shape(1));
  if (!shape) return shape.error().message;
  if (shape->n != 1) return "more than one column";
  const bool one = CountOf(shape->b, 0, shape->b.size()) == shape->k;
  const std::int64_t matrices = CountOf(shape->a, 0, shape->a.size() - 2);
  const std::int64_t batch = CountOf(shape->batch, 0, shape->batch.size());
  const bool alike = matrices == batch && CountOf(shape->b, 0, shape->b.size()) == batch * shape->k;
  return (one && matrices == batch) || alike ? "" : "matrices are broadcast";
}

Result<std::unique_ptr<Executable>> PrepareMatMulColumn(const NodeFacts& node,
                                                        DeviceContext& device) {
  const MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), node.shape(1)));
  const std::int64_t batch = CountOf(shape.b, 0, shape.b.size()) / shape.k;
  const std::int64_t rows = CountOf(shape.a, 0, shape.a.size()) / shape.k / batch;
  return Make(node,
              {.vector = 1, .batch = batch, .depth = shape.k, .width = rows, .by_columns = true},
              device);
}

std::string DeclineGemmColumn(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = GemmShapeOf(node);
  if (!shape) return shape.error().message;
  if (shape->trans_a) return "the matrix lies by columns";
  return shape->n == 1 ? "" : "more than one column";
}

Result<std::unique_ptr<Executable>> PrepareGemmColumn(const NodeFacts& node,
                                                      DeviceContext& device) {
  const GemmShape shape = TRY(GemmShapeOf(node));
  return Make(node,
              {.vector = 1,
               .depth = shape.k,
               .width = shape.m,
               .by_columns = true,
               .alpha = node.attributes.Float("alpha", 1),
               .beta = node.attributes.Float("beta", 1)},
              device);
}

std::string DeclineGemmVector(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, node.inputs.size());
  if (!why.empty()) return why;
  const auto shape = GemmShapeOf(node);
  if (!shape) return shape.error().message;
  return shape->m == 1 ? "" : "more than one row";
}

Result<std::unique_ptr<Executable>> PrepareGemmVector(const NodeFacts& node,
                                                      DeviceContext& device) {
  const GemmShape shape = TRY(GemmShapeOf(node));
  return Make(node,
              {.depth = shape.k,
               .width = shape.n,
               .by_columns = shape.trans_b || shape.n == 1,
               .alpha = node.attributes.Float("alpha", 1),
               .beta = node.attributes.Float("beta", 1)},
              device);
}

}  // namespace slipway::runtime
