// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/matmul.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;

struct Descs {
  memory::desc a, b, y;
  memory::desc bias = {};
};

/// A product with the layouts of its tensors; B packed where it is constant.
class MatMulExecutable final : public Executable {
 public:
  MatMulExecutable(const Descs& plain, const dnnl::matmul::primitive_desc& desc,
                   std::optional<Tensor> packed, bool has_bias, const dnnl::engine& engine)
      : engine_(engine),
        plain_(plain),
        desc_(desc),
        primitive_(desc),
        packed_(std::move(packed)),
        has_bias_(has_bias) {}

  std::int64_t scratch_bytes() const override {
    return static_cast<std::int64_t>(desc_.scratchpad_desc().get_size());
  }

  Result<void> Run(KernelContext& context) const override {
    try {
      std::unordered_map<int, memory> arguments = {
          {DNNL_ARG_SRC, Over(plain_.a, engine_, context.input(0)->raw())},
          {DNNL_ARG_WEIGHTS, packed_ ? Over(desc_.weights_desc(), engine_, packed_->raw())
                                     : Over(plain_.b, engine_, context.input(1)->raw())},
          {DNNL_ARG_DST, Over(plain_.y, engine_, context.output(0).raw())},
          {DNNL_ARG_SCRATCHPAD, Over(desc_.scratchpad_desc(), engine_, context.scratch().data())}};
      if (has_bias_) {
        arguments[DNNL_ARG_BIAS] = Over(plain_.bias, engine_, context.input(2)->raw());
      }
      dnnl::stream& stream = CpuStream(engine_);
      primitive_.execute(stream, arguments);
      stream.wait();
    } catch (const dnnl::error& error) {
      return DnnlError("matrix product", error);
    }
    return {};
  }

 private:
  dnnl::engine engine_;
  Descs plain_;
  dnnl::matmul::primitive_desc desc_;
  dnnl::matmul primitive_;
  std::optional<Tensor> packed_;
  bool has_bias_;
};

Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, CpuContext& cpu, const Descs& plain,
                                         bool has_bias) {
  const Tensor* constant = node.inputs[1].constant;
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
    return std::unique_ptr<Executable>(
        new MatMulExecutable(plain, primitive, std::move(packed), has_bias, cpu.engine()));
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
  const std::string why = DeclineUnlessFloat32(node, 3);
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
  const dnnl_status_t status = dnnl_sgemm(
      trans_a ? 'T' : 'N', trans_b ? 'T' : 'N', m, n, k, node.attributes.Float("alpha", 1),
      a.data<float>().data(), a.dim(1), b.data<float>().data(), b.dim(1),
      c == nullptr ? 0.0F : node.attributes.Float("beta", 1), out, n);
  if (status == dnnl_success) return {};
  return Error{.code = Code::kInternal, .message = Message("oneDNN: sgemm: status ", int{status})};
}

}  // namespace slipway::runtime
