// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/dnnl_activation.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/sgemm.h"
#include "runtime/stored_bytes.h"
#include "runtime/work.h"

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
  /// `at_once`: operations that need not be ended.
  Parts(const Descs& whole, double at_once)
      : whole_(whole),
        size_(whole.y.dims()),
        a_(StridesOf(whole.a)),
        b_(StridesOf(whole.b)),
        y_(StridesOf(whole.y)) {
    const std::size_t rank = size_.size();
    double inner = 2.0 * static_cast<double>(whole.a.dims().back());
    for (const std::int64_t dim : size_) inner *= static_cast<double>(dim);
    for (std::size_t d = 0; d + 2 < rank; ++d) {
      inner /= static_cast<double>(size_[d]);
      size_[d] = StepsWithin(size_[d], inner, at_once);
      if (size_[d] > 1) return;
    }
    const ProductPart part =
        PartOfProduct(size_[rank - 2], whole.a.dims().back(), size_[rank - 1], at_once);
    size_[rank - 2] = part.rows;
    size_[rank - 1] = part.columns;
  }

  bool one() const { return size_ == whole_.y.dims(); }

  /// Where the columns of each part begin.
  std::vector<std::int64_t> columns() const {
    const std::int64_t all = whole_.y.dims().back();
    std::vector<std::int64_t> starts;
    for (std::int64_t at = 0; at < all; at += size_.back()) {
      starts.push_back(std::min(at, all - size_.back()));
    }
    return starts;
  }
  /// Elements of B from one column to the next.
  std::int64_t column_step() const { return b_.back(); }

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

  /// Where a part's operands begin, in elements, and which of the columns() it has.
  struct Place {
    std::int64_t a = 0, b = 0, y = 0, bias = 0;
    std::size_t column = 0;
  };

  /// Runs `body` with the place of each part until the run is to end; those with the same columns
  /// one after the other.
  template <class Body>
  void ForEach(const Body& body) const {
    const memory::dims all = whole_.y.dims();
    const std::size_t rank = all.size();
    memory::dims start(rank, 0);
    while (!MustStop()) {
      body(PlaceOf(start));
      std::size_t turn = 0;
      for (; turn < rank; ++turn) {
        const std::size_t d = turn == 0 ? rank - 2 : turn == 1 ? rank - 1 : rank - 1 - turn;
        if (start[d] + size_[d] < all[d]) {
          start[d] = std::min(start[d] + size_[d], all[d] - size_[d]);
          break;
        }
        start[d] = 0;
      }
      if (turn == rank) return;
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

  Place PlaceOf(const memory::dims& start) const {
    const std::size_t rank = start.size();
    const memory::dims a = whole_.a.dims();
    const memory::dims b = whole_.b.dims();
    Place at{.a = start[rank - 2] * a_[rank - 2],
             .b = start[rank - 1] * b_[rank - 1],
             .bias = start[rank - 1],
             .column = static_cast<std::size_t>((start.back() + size_.back() - 1) / size_.back())};
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

/// A product with the layouts of its tensors; B packed where it is constant, the columns of each
/// part for themselves.
class MatMulExecutable final : public Executable, public HoldsWeights {
 public:
  MatMulExecutable(Parts parts, const dnnl::matmul::primitive_desc& desc,
                   std::vector<Tensor> packed, bool has_bias, const dnnl::engine& engine)
      : parts_(std::move(parts)),
        scratch_bytes_(static_cast<std::int64_t>(desc.scratchpad_desc().get_size())),
        call_(dnnl::matmul(desc), engine,
              ArgumentsOf(desc, parts_.descs(), !packed.empty(), has_bias)),
        packed_(std::move(packed)),
        has_bias_(has_bias) {}

  std::int64_t scratch_bytes() const override { return scratch_bytes_; }
  bool holds_weights() const override { return !packed_.empty(); }

  Result<void> Run(KernelContext& context) const override {
    try {
      if (parts_.one()) {
        Execute(context, {});
      } else {
        parts_.ForEach([&](const Parts::Place& at) { Execute(context, at); });
      }
    } catch (const dnnl::error& error) {
      return DnnlError("matrix product", error);
    }
    return {};
  }

 private:
  void Execute(KernelContext& context, const Parts::Place& at) const {
    const auto part = [](const Tensor& tensor, std::int64_t offset) -> const void* {
      return static_cast<const float*>(tensor.raw()) + offset;
    };
    const void* b = packed_.empty() ? part(*context.input(1), at.b) : packed_[at.column].raw();
    const void* bias = has_bias_ ? part(*context.input(2), at.bias) : nullptr;
    const std::array<const void*, 5> data = {part(*context.input(0), at.a), b,
                                             part(context.output(0), at.y),
                                             context.scratch().data(), bias};
    call_.Run(std::span(data).first(has_bias_ ? 5 : 4));
  }

  Parts parts_;
  std::int64_t scratch_bytes_;
  DnnlCall call_;
  std::vector<Tensor> packed_;  // by column of parts; empty where B is not constant
  bool has_bias_;
};

/// The columns of a constant B that each part has, as the primitive wants them.
Result<std::vector<Tensor>> PackColumns(CpuContext& cpu, const Tensor& constant, const Parts& parts,
                                        const memory::desc& want) {
  const memory::desc plain = parts.descs().b;
  Tensor whole = constant;
  std::vector<Tensor> packed;
  for (const std::int64_t column : parts.columns()) {
    const std::int64_t offset = column * parts.column_step();
    float* from = static_cast<float*>(const_cast<void*>(whole.raw())) + offset;
    const Tensor rest = Tensor::Wrap(DType::kFloat32, {whole.size() - offset}, whole.owner(), from);
    packed.push_back(TRY(PackedFor(cpu, rest, plain, want)));
    // Where nothing else has these columns, they were read just now: not again for each part.
    if (packed.back().owner().use_count() == 1) whole = TRY(StoredWeights::Keep(whole));
  }
  return packed;
}

/// `finish`: what is done to the sums.
Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, CpuContext& cpu, const Descs& whole,
                                         const dnnl::post_ops& finish = {}) {
  const bool has_bias = whole.bias.data.ndims != 0;
  Parts parts(whole, WorkAtOnce(cpu.threads()));
  const Descs plain = parts.descs();
  const Tensor* constant = node.inputs[1].constant;
  memory::dims columns = plain.b.dims();
  columns.back() = whole.b.dims().back();
  if (columns != whole.b.dims()) constant = nullptr;
  memory::desc b = plain.b;
  if (constant != nullptr) b = memory::desc(b.dims(), b.data_type(), memory::format_tag::any);
  try {
    const dnnl::matmul::desc desc = has_bias ? dnnl::matmul::desc(plain.a, b, plain.bias, plain.y)
                                             : dnnl::matmul::desc(plain.a, b, plain.y);
    dnnl::primitive_attr attributes = UserScratchpad();
    attributes.set_post_ops(finish);
    const dnnl::matmul::primitive_desc primitive(desc, attributes, cpu.engine());
    std::vector<Tensor> packed;
    if (constant != nullptr) {
      packed = TRY(PackColumns(cpu, *constant, parts, primitive.weights_desc()));
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

/// Of inputs 0 and 1 by NumPy's rules; input 1 is a matrix where it is `transposed`.
Result<Descs> ProductDescs(const NodeFacts& node, bool transposed) {
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
  return Descs{PlainDesc(Lengthened(shape.a, rank)),
               transposed ? MatrixDesc(node.shape(1), true) : PlainDesc(Lengthened(shape.b, rank)),
               PlainDesc(y)};
}

}  // namespace

std::string DeclineMatMulDnnl(const NodeFacts& node) { return DeclineUnlessFloat32(node, 2); }

Result<std::unique_ptr<Executable>> PrepareMatMulDnnl(const NodeFacts& node,
                                                      DeviceContext& device) {
  return Make(node, Cpu(device), TRY(ProductDescs(node, false)));
}

Result<std::unique_ptr<Executable>> PrepareFusedMatMulDnnl(const NodeFacts& node,
                                                           DeviceContext& device) {
  Descs plain = TRY(ProductDescs(node, node.attributes.Int("transB", 0) != 0));
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
  Descs plain{MatrixDesc(node.shape(0), node.attributes.Int("transA", 0) != 0),
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
