// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "runtime/bounds.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/sgemm.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;

struct Descs {
  memory::desc a, b, y;
  memory::desc bias = {};
};

memory::dims StridesOf(const memory::desc& desc) {
  const auto& strides = desc.data.format_desc.blocking.strides;
  return {strides, strides + desc.data.ndims};
}

/// A product that is computed in parts of one shape, so that it can be ended between them. The
/// last parts along a dimension begin early enough to be whole.
class Parts {
 public:
  explicit Parts(const Descs& whole)
      : whole_(whole),
        size_(whole.y.dims()),
        a_(StridesOf(whole.a)),
        b_(StridesOf(whole.b)),
        y_(StridesOf(whole.y)) {
    const std::size_t rank = size_.size();
    double inner = 2.0 * static_cast<double>(whole.a.dims().back());
    for (const std::int64_t dim : size_) inner *= static_cast<double>(dim);
    for (std::size_t d = 0; d < rank; ++d) {
      inner /= static_cast<double>(size_[d]);
      size_[d] = StepsOf(size_[d], inner);
      if (size_[d] > 1) break;
    }
  }

  bool one() const { return size_ == whole_.y.dims(); }
  bool whole_rows() const { return size_.back() == whole_.y.dims().back(); }

  /// Of one part.
  Descs descs() const {
    if (one()) return whole_;
    Descs part{Cut(whole_.a, a_, true), Cut(whole_.b, b_, false), {size_, Float(), y_}};
    if (whole_.bias.data.ndims == 0) return part;
    memory::dims bias = whole_.bias.dims();
    bias.back() = size_.back();
    part.bias = {bias, Float(), StridesOf(whole_.bias)};
    return part;
  }

  /// Where a part's operands begin, in elements.
  struct Offsets {
    std::int64_t a = 0, b = 0, y = 0, bias = 0;
  };

  /// Runs `body` with the offsets of each part until the run is to end.
  template <class Body>
  void ForEach(const Body& body) const {
    const memory::dims all = whole_.y.dims();
    memory::dims start(all.size(), 0);
    while (!MustStop()) {
      body(OffsetsAt(start));
      std::size_t d = all.size();
      while (d-- > 0) {
        if (start[d] + size_[d] < all[d]) {
          start[d] = std::min(start[d] + size_[d], all[d] - size_[d]);
          break;
        }
        start[d] = 0;
      }
      if (d == SIZE_MAX) return;
    }
  }

 private:
  static memory::data_type Float() { return memory::data_type::f32; }

  memory::desc Cut(const memory::desc& operand, const memory::dims& strides, bool rows) const {
    memory::dims dims = operand.dims();
    for (std::size_t d = 0; d + 2 < dims.size(); ++d) dims[d] = std::min(dims[d], size_[d]);
    const std::size_t cut = dims.size() - (rows ? 2 : 1);
    dims[cut] = size_[cut];
    return {dims, Float(), strides};
  }

  Offsets OffsetsAt(const memory::dims& start) const {
    const std::size_t rank = start.size();
    const memory::dims a = whole_.a.dims();
    const memory::dims b = whole_.b.dims();
    Offsets at{.a = start[rank - 2] * a_[rank - 2],
               .b = start[rank - 1] * b_[rank - 1],
               .bias = start[rank - 1]};
    for (std::size_t d = 0; d < rank; ++d) {
      at.y += start[d] * y_[d];
      if (d + 2 >= rank) continue;
      at.a += a[d] == 1 ? 0 : start[d] * a_[d];
      at.b += b[d] == 1 ? 0 : start[d] * b_[d];
    }
    return at;
  }

  Descs whole_;
  memory::dims size_;  ///< of a part of the output
  memory::dims a_, b_, y_;
};

/// `plain`: of one part.
std::vector<DnnlCall::Argument> ArgumentsOf(const dnnl::matmul::primitive_desc& desc,
                                            const Descs& plain, bool packed, bool has_bias) {
  std::vector<DnnlCall::Argument> arguments = {
      {DNNL_ARG_SRC, plain.a},
      {DNNL_ARG_WEIGHTS, packed ? desc.weights_desc() : plain.b},
      {DNNL_ARG_DST, plain.y},
      {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()}};
  if (has_bias) arguments.push_back({DNNL_ARG_BIAS, plain.bias});
  return arguments;
}

/// A product with the layouts of its tensors; B packed where it is constant.
class MatMulExecutable final : public Executable {
 public:
  MatMulExecutable(Parts parts, const dnnl::matmul::primitive_desc& desc,
                   std::optional<Tensor> packed, bool has_bias, const dnnl::engine& engine)
      : parts_(std::move(parts)),
        scratch_bytes_(static_cast<std::int64_t>(desc.scratchpad_desc().get_size())),
        call_(dnnl::matmul(desc), engine,
              ArgumentsOf(desc, parts_.descs(), packed.has_value(), has_bias)),
        packed_(std::move(packed)),
        has_bias_(has_bias) {}

  std::int64_t scratch_bytes() const override { return scratch_bytes_; }

  Result<void> Run(KernelContext& context) const override {
    try {
      if (parts_.one()) {
        Execute(context, {});
      } else {
        parts_.ForEach([&](const Parts::Offsets& at) { Execute(context, at); });
      }
    } catch (const dnnl::error& error) {
      return DnnlError("matrix product", error);
    }
    return {};
  }

 private:
  void Execute(KernelContext& context, const Parts::Offsets& at) const {
    const auto part = [](const Tensor& tensor, std::int64_t offset) -> const void* {
      return static_cast<const float*>(tensor.raw()) + offset;
    };
    const void* b = packed_ ? packed_->raw() : part(*context.input(1), at.b);
    const void* bias = has_bias_ ? part(*context.input(2), at.bias) : nullptr;
    const std::array<const void*, 5> data = {part(*context.input(0), at.a), b,
                                             part(context.output(0), at.y),
                                             context.scratch().data(), bias};
    call_.Run(std::span(data).first(has_bias_ ? 5 : 4));
  }

  Parts parts_;
  std::int64_t scratch_bytes_;
  DnnlCall call_;
  std::optional<Tensor> packed_;
  bool has_bias_;
};

Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, CpuContext& cpu, const Descs& whole,
                                         bool has_bias) {
  Parts parts(whole);
  const Descs plain = parts.descs();
  // The columns of B lie together where it is packed: parts of them cannot be taken.
  const Tensor* constant = parts.whole_rows() ? node.inputs[1].constant : nullptr;
  if (constant != nullptr && plain.b.dims() != whole.b.dims()) constant = nullptr;
  memory::desc b = plain.b;
  if (constant != nullptr) b = memory::desc(b.dims(), b.data_type(), memory::format_tag::any);
  try {
    const dnnl::matmul::desc desc = has_bias ? dnnl::matmul::desc(plain.a, b, plain.bias, plain.y)
                                             : dnnl::matmul::desc(plain.a, b, plain.y);
    const dnnl::matmul::primitive_desc primitive(desc, UserScratchpad(), cpu.engine());
    std::optional<Tensor> packed;
    if (constant != nullptr) {
      packed = TRY(PackedFor(cpu, *constant, plain.b, primitive.weights_desc()));
    }
    return std::unique_ptr<Executable>(new MatMulExecutable(
        std::move(parts), primitive, std::move(packed), has_bias, cpu.engine()));
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

}  // namespace

std::string DeclineMatMulDnnl(const NodeFacts& node) { return DeclineUnlessFloat32(node, 2); }

Result<std::unique_ptr<Executable>> PrepareMatMulDnnl(const NodeFacts& node,
                                                      DeviceContext& device) {
  MatMulShape shape = TRY(MatMulShapeOf(node.shape(0), node.shape(1)));
  if (CountOf(shape.b, 0, shape.b.size() - 2) == 1) {
    shape.m *= CountOf(shape.a, 0, shape.a.size() - 2);
    shape.a = {shape.m, shape.k};
    shape.b = {shape.k, shape.n};
    shape.batch = {};
  }
  const std::size_t rank = shape.batch.size() + 2;
  Shape y = shape.batch;
  y.insert(y.end(), {shape.m, shape.n});
  const Descs plain{PlainDesc(Lengthened(shape.a, rank)), PlainDesc(Lengthened(shape.b, rank)),
                    PlainDesc(y)};
  return Make(node, Cpu(device), plain, false);
}

std::string DeclineGemmDnnl(const NodeFacts& node) {
  std::string why = DeclineUnlessFloat32(node, 3);
  if (!why.empty()) return why;
  if (node.attributes.Float("alpha", 1) != 1) return "attribute `alpha` is not 1";
  if (node.Has(2) && node.attributes.Float("beta", 1) != 1) return "attribute `beta` is not 1";
  return IsRow(node) ? "" : Message("C of shape ", node.shape(2), " is no row");
}

Result<std::unique_ptr<Executable>> PrepareGemmDnnl(const NodeFacts& node, DeviceContext& device) {
  const bool has_bias = node.Has(2);
  const std::int64_t n = node.outputs[0].shape->back();
  Descs plain{MatrixDesc(node.shape(0), node.attributes.Int("transA", 0) != 0),
              MatrixDesc(node.shape(1), node.attributes.Int("transB", 0) != 0),
              PlainDesc(*node.outputs[0].shape)};
  if (has_bias) plain.bias = PlainDesc({1, n});
  return Make(node, Cpu(device), plain, has_bias);
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
