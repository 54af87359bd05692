// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "runtime/kernels/dnnl_activation.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/product_parts.h"
#include "runtime/kernels/sgemm.h"
#include "runtime/work.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;

/// What one call computes: a part with so many columns.
struct Part {
  ProductDescs product;
  dnnl::matmul::primitive_desc primitive;
};

std::vector<DnnlCall::Argument> ArgumentsOf(const Part& part) {
  std::vector<DnnlCall::Argument> arguments = {
      {DNNL_ARG_SRC, part.product.a},
      {DNNL_ARG_WEIGHTS, part.product.b},
      {DNNL_ARG_DST, part.product.y},
      {DNNL_ARG_SCRATCHPAD, part.primitive.scratchpad_desc()}};
  if (part.product.has_bias()) arguments.push_back({DNNL_ARG_BIAS, part.product.bias});
  return arguments;
}

/// A product with the layouts of its tensors; B packed where it is constant.
class MatMulExecutable final : public Executable, public HoldsWeights {
 public:
  /// `kinds`: one for all columns but the last if these are fewer, then one for those.
  MatMulExecutable(ProductParts parts, const std::vector<Part>& kinds, std::optional<Tensor> packed,
                   const dnnl::engine& engine)
      : parts_(std::move(parts)),
        packed_(std::move(packed)),
        has_bias_(kinds.front().product.has_bias()) {
    std::size_t pad = 0;
    for (const Part& part : kinds) {
      pad = std::max(pad, part.primitive.scratchpad_desc().get_size());
      calls_.emplace_back(dnnl::matmul(part.primitive), engine, ArgumentsOf(part));
    }
    pad_at_ = scratch_.Add(pad);
    if (parts_.apart()) sums_at_ = scratch_.Add(kinds.front().product.y.get_size());
  }

  std::int64_t scratch_bytes() const override { return scratch_.bytes(); }
  bool holds_weights() const override { return packed_.has_value(); }

  Result<void> Run(KernelContext& context) const override {
    try {
      parts_.ForEach([&](const ProductParts::Place& at) { Execute(context, at); });
    } catch (const dnnl::error& error) {
      return DnnlError("matrix product", error);
    }
    return {};
  }

 private:
  void Execute(KernelContext& context, const ProductParts::Place& at) const {
    const auto part = [](const Tensor& tensor, std::int64_t offset) -> const void* {
      return static_cast<const float*>(tensor.raw()) + offset;
    };
    std::byte* const room = context.scratch().data();
    float* const y = context.output(0).data<float>().data() + at.y;
    auto* const sums = parts_.apart() ? reinterpret_cast<float*>(room + sums_at_) : y;
    const void* b = part(packed_ ? *packed_ : *context.input(1), at.b);
    const void* bias = has_bias_ ? part(*context.input(2), at.bias) : nullptr;
    const std::array<const void*, 5> data = {part(*context.input(0), at.a), b, sums, room + pad_at_,
                                             bias};
    const bool last = at.column + 1 == parts_.columns().size();
    const DnnlCall& call = last ? calls_.back() : calls_.front();
    call.Run(std::span(data).first(has_bias_ ? 5 : 4));
    if (parts_.apart()) Spread(context, sums, parts_.columns()[at.column].count, y);
  }

  /// Rows that lie one after the other to where they are in y.
  void Spread(KernelContext& context, const float* rows, std::int64_t count, float* y) const {
    const std::int64_t step = parts_.row_step();
    const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / count);
    context.ParallelFor(parts_.rows(), grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) std::copy_n(rows + i * count, count, y + i * step);
    });
  }

  ProductParts parts_;
  std::vector<DnnlCall> calls_;
  std::optional<Tensor> packed_;  // where B is constant
  bool has_bias_;
  ScratchLayout scratch_;
  std::int64_t pad_at_ = 0, sums_at_ = 0;
};

dnnl::matmul::primitive_desc PrimitiveOf(const ProductDescs& product, const dnnl::post_ops& finish,
                                         const dnnl::engine& engine) {
  const dnnl::matmul::desc desc =
      product.has_bias() ? dnnl::matmul::desc(product.a, product.b, product.bias, product.y)
                         : dnnl::matmul::desc(product.a, product.b, product.y);
  dnnl::primitive_attr attributes = UserScratchpad();
  attributes.set_post_ops(finish);
  return {desc, attributes, engine};
}

/// How oneDNN likes B best: the same for any number of rows.
memory::desc PackedLayout(ProductDescs product, const dnnl::post_ops& finish,
                          const dnnl::engine& engine) {
  product.b = {product.b.dims(), product.b.data_type(), memory::format_tag::any};
  return PrimitiveOf(product, finish, engine).weights_desc();
}

/// `finish`: what is done to the sums.
Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, CpuContext& cpu, ProductDescs whole,
                                         const dnnl::post_ops& finish = {}) {
  try {
    std::optional<Tensor> packed;
    if (const Tensor* constant = node.inputs[1].constant; constant != nullptr) {
      const memory::desc want = PackedLayout(whole, finish, cpu.engine());
      packed = TRY(PackedFor(cpu, *constant, whole.b, want));
      whole.b = want;
    }
    ProductParts parts(whole, WorkAtOnce(cpu.threads()));
    std::vector<Part> kinds;
    for (const ProductParts::Columns& columns : parts.columns()) {
      const ProductDescs product = parts.Descs(columns);
      if (!kinds.empty() && kinds.back().product.y == product.y) continue;
      kinds.push_back({product, PrimitiveOf(product, finish, cpu.engine())});
    }
    return std::unique_ptr<Executable>(
        new MatMulExecutable(std::move(parts), kinds, std::move(packed), cpu.engine()));
  } catch (const dnnl::error& error) {
    return DnnlError("matrix product", error);
  }
}

/// With leading ones, so that both have as many dimensions.
Shape Lengthened(Shape shape, std::size_t rank) {
  shape.insert(shape.begin(), rank - shape.size(), 1);
  return shape;
}

/// Row-major, or its transpose where `transposed`.
memory::desc MatrixDesc(const Shape& stored, bool transposed) {
  if (!transposed) return PlainDesc(stored);
  return {{stored[1], stored[0]}, memory::data_type::f32, memory::dims{1, stored[1]}};
}

/// Whether C adds one row to every row, or nothing.
bool IsRow(const NodeFacts& node) {
  if (!node.Has(2)) return true;
  const Shape& c = node.shape(2);
  const std::int64_t n = node.outputs[0].shape->back();
  return !c.empty() && c.back() == n && CountOf(c, 0, c.size() - 1) == 1;
}

/// Of inputs 0 and 1 by NumPy's rules; input 1 is a matrix where it is `transposed`.
Result<ProductDescs> DescsOf(const NodeFacts& node, bool transposed) {
  Shape b = node.shape(1);
  if (transposed) std::swap(b[0], b[1]);
  MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), b));
  if (CountOf(shape.b, 0, shape.b.size() - 2) == 1) {
    shape.m *= CountOf(shape.a, 0, shape.a.size() - 2);
    shape.a = {shape.m, shape.k};
    shape.b = {shape.k, shape.n};
    shape.batch = {};
  }
  const std::size_t rank = shape.batch.size() + 2;
  Shape y = shape.batch;
  y.insert(y.end(), {shape.m, shape.n});
  return ProductDescs{
      PlainDesc(Lengthened(shape.a, rank)),
      transposed ? MatrixDesc(node.shape(1), true) : PlainDesc(Lengthened(shape.b, rank)),
      PlainDesc(y)};
}

}  // namespace

std::string DeclineMatMulDnnl(const NodeFacts& node) { return DeclineUnlessFloat32(node, 2); }

Result<std::unique_ptr<Executable>> PrepareMatMulDnnl(const NodeFacts& node,
                                                      DeviceContext& device) {
  return Make(node, Cpu(device), TRY(DescsOf(node, false)));
}

Result<std::unique_ptr<Executable>> PrepareFusedMatMulDnnl(const NodeFacts& node,
                                                           DeviceContext& device) {
  ProductDescs plain = TRY(DescsOf(node, node.attributes.Int("transB", 0) != 0));
  if (node.Has(2)) {
    plain.bias = PlainDesc(Lengthened({node.outputs[0].shape->back()}, plain.y.dims().size()));
  }
  dnnl::post_ops finish;
  AppendActivation(node, TRY(ConvActivationOf(node)), finish);
  return Make(node, Cpu(device), plain, finish);
}

std::string DeclineGemmDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  if (node.attributes.Float("alpha", 1) != 1) return "attribute `alpha` is not 1";
  if (node.Has(2) && node.attributes.Float("beta", 1) != 1) return "attribute `beta` is not 1";
  return IsRow(node) ? "" : Message("C of shape ", node.shape(2), " is no row");
}

Result<std::unique_ptr<Executable>> PrepareGemmDnnl(const NodeFacts& node, DeviceContext& device) {
  const std::int64_t n = node.outputs[0].shape->back();
  ProductDescs plain{MatrixDesc(node.shape(0), node.attributes.Int("transA", 0) != 0),
                     MatrixDesc(node.shape(1), node.attributes.Int("transB", 0) != 0),
                     PlainDesc(*node.outputs[0].shape)};
  if (node.Has(2)) plain.bias = PlainDesc({1, n});
  return Make(node, Cpu(device), plain);
}

std::string DeclineGemmBlas(const NodeFacts& node) { return DeclineUnlessFloat32(node, 3); }

Result<void> RunGemmBlas(const NodeFacts& node, KernelContext& context) {
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  Tensor& y = context.output(0);
  const bool trans_a = node.attributes.Int("transA", 0) != 0;
  const bool trans_b = node.attributes.Int("transB", 0) != 0;
  const std::int64_t m = y.dim(0);
  const std::int64_t n = y.dim(1);
  const std::int64_t k = a.dim(trans_a ? 0 : 1);
  const Tensor* c = node.Has(2) ? context.input(2) : nullptr;
  float* out = y.data<float>().data();
  if (c != nullptr) {
    const Shape wide = Lengthened(c->shape(), 2);
    const float* from = c->data<float>().data();
    const std::int64_t row_step = wide[0] == 1 ? 0 : wide[1];
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < n; ++j)
        out[i * n + j] = from[i * row_step + (wide[1] == 1 ? 0 : j)];
    }
  }
  return Sgemm({.a = a.data<float>().data(),
                .b = b.data<float>().data(),
                .y = out,
                .m = m,
                .n = n,
                .k = k,
                .lda = a.dim(1),
                .ldb = b.dim(1),
                .ldy = n,
                .trans_a = trans_a,
                .trans_b = trans_b,
                .alpha = node.attributes.Float("alpha", 1),
                .beta = c == nullptr ? 0.0F : node.attributes.Float("beta", 1)});
}

}  // namespace slipway::runtime
