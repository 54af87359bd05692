// SPDX-License-Identifier: Apache-2.0
// Rows times a constant matrix in bfloat16 or in bytes. Rows are converted as they are needed; each
// row of bytes has a scale of its own, so that it does not matter which others come with it.
#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/kernels/byte_rows_simd.h"
#include "runtime/kernels/conv_finish.h"
#include "runtime/kernels/dnnl_activation.h"
#include "runtime/kernels/half_simd.h"
#include "runtime/kernels/holds_weights.h"
#include "runtime/kernels/low_precision.h"
#include "runtime/kernels/matmul.h"
#include "runtime/kernels/quantize_simd.h"
#include "runtime/work.h"

namespace slipway::runtime {
namespace {

using dnnl::memory;

/// Numbers that are worth a thread's beginning.
constexpr std::int64_t kGrain = 16 << 10;

struct LowProduct {
  Precision precision = Precision::kFloat32;
  std::int64_t rows = 0, depth = 0, width = 0;
  bool transposed = false;  ///< the matrix lies as [width, depth]
  bool has_row = false;     ///< one is added to each

  double work(std::int64_t of_rows) const {
    return 2.0 * static_cast<double>(of_rows) * static_cast<double>(depth) *
           static_cast<double>(width);
  }
  /// Rows that one call takes.
  std::int64_t part(int threads) const { return StepsWithin(rows, work(1), WorkAtOnce(threads)); }
  std::int64_t grain() const { return std::max<std::int64_t>(1, kGrain / depth); }
};

/// Nothing where the node is no product of rows and one constant matrix of float32.
std::optional<LowProduct> ProductOf(const NodeFacts& node, Precision precision) {
  if (!DeclineMatMulDnnl(node).empty() || node.inputs[1].constant == nullptr) return std::nullopt;
  const Shape& b = node.shape(1);
  const Shape& y = *node.outputs[0].shape;
  if (b.size() != 2 || node.shape(0).size() < 2 || y.empty()) return std::nullopt;
  const bool transposed = node.attributes.Int("transB", 0) != 0;
  const std::int64_t width = b[transposed ? 0 : 1];
  return LowProduct{.precision = precision,
                    .rows = CountOf(y, 0, y.size()) / width,
                    .depth = b[transposed ? 1 : 0],
                    .width = width,
                    .transposed = transposed,
                    .has_row = node.Has(2)};
}

memory::desc MatrixDesc(std::int64_t rows, std::int64_t columns, memory::data_type type) {
  return {{rows, columns}, type, memory::format_tag::ab};
}

/// The constant matrix as it lies, with elements of that type.
memory::desc WeightsAsTheyLie(const LowProduct& product, memory::data_type type) {
  return {{product.depth, product.width},
          type,
          product.transposed ? memory::format_tag::ba : memory::format_tag::ab};
}

/// Sums of bytes are finished by loops of our own: each row has a scale.
dnnl::matmul::primitive_desc MakeDesc(const NodeFacts& node, const LowProduct& product,
                                      std::int64_t part, const dnnl::engine& engine) {
  const memory::data_type type = DnnlTypeOf(product.precision);
  const memory::desc a = MatrixDesc(part, product.depth, type);
  const memory::desc b({product.depth, product.width}, type, memory::format_tag::any);
  const memory::desc y = MatrixDesc(part, product.width, memory::data_type::f32);
  dnnl::primitive_attr attributes = UserScratchpad();
  if (product.precision == Precision::kInt8) return {{a, b, y}, attributes, engine};
  dnnl::post_ops finish;
  const auto activation = ConvActivationOf(node);
  AppendActivation(node, activation ? *activation : ConvActivation::kNone, finish);
  attributes.set_post_ops(finish);
  if (!product.has_row) return {{a, b, y}, attributes, engine};
  const memory::desc row = MatrixDesc(1, product.width, memory::data_type::f32);
  return {{a, b, row, y}, attributes, engine};
}

std::vector<DnnlCall::Argument> ArgumentsOf(const dnnl::matmul::primitive_desc& desc,
                                            bool has_row) {
  std::vector<DnnlCall::Argument> arguments = {{DNNL_ARG_SRC, desc.src_desc()},
                                               {DNNL_ARG_WEIGHTS, desc.weights_desc()},
                                               {DNNL_ARG_DST, desc.dst_desc()},
                                               {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()}};
  if (has_row) arguments.push_back({DNNL_ARG_BIAS, desc.bias_desc()});
  return arguments;
}

/// What both precisions have in common: the rows of a part, and the call.
class LowMatMul : public Executable, public HoldsWeights {
 public:
  LowMatMul(const LowProduct& product, std::int64_t part, int threads,
            const dnnl::matmul::primitive_desc& desc, Tensor packed, bool adds,
            const dnnl::engine& engine)
      : product_(product),
        part_(part),
        threads_(threads),
        adds_(adds),
        call_(dnnl::matmul(desc), engine, ArgumentsOf(desc, adds)),
        packed_(std::move(packed)) {
    converted_at_ = scratch_.Add(desc.src_desc().get_size());
    pad_at_ = scratch_.Add(desc.scratchpad_desc().get_size());
    scales_at_ = scratch_.Add(static_cast<std::size_t>(part) * sizeof(float));
  }

  std::int64_t scratch_bytes() const override { return scratch_.bytes(); }
  bool holds_weights() const override { return true; }

  Result<void> Run(KernelContext& context) const override {
    const ThreadScope threads(threads_);
    try {
      ForParts(product_.rows, part_, [&](std::int64_t first) {
        std::byte* const room = context.scratch().data();
        const float* const x = context.input(0)->data<float>().data() + first * product_.depth;
        float* const y = context.output(0).data<float>().data() + first * product_.width;
        auto* const scales = reinterpret_cast<float*>(room + scales_at_);
        Convert(context, x, room + converted_at_, scales);
        const void* const row = adds_ ? context.input(2)->raw() : nullptr;
        const std::array<const void*, 5> data = {room + converted_at_, packed_.raw(), y,
                                                 room + pad_at_, row};
        call_.Run(std::span(data).first(adds_ ? 5 : 4));
        Finish(context, scales, y);
      });
    } catch (const dnnl::error& error) {
      return DnnlError("matrix product", error);
    }
    return {};
  }

 protected:
  /// A part's rows `x` to `to`, and what they are divided by to `scales`.
  virtual void Convert(KernelContext& context, const float* x, void* to, float* scales) const = 0;
  /// Makes numbers of a part's sums.
  virtual void Finish(KernelContext& context, const float* scales, float* y) const = 0;
  const LowProduct& product() const { return product_; }
  std::int64_t part() const { return part_; }

 private:
  LowProduct product_;
  std::int64_t part_;
  int threads_;
  bool adds_;
  DnnlCall call_;
  Tensor packed_;
  ScratchLayout scratch_;
  std::int64_t converted_at_ = 0, pad_at_ = 0, scales_at_ = 0;
};

class HalfMatMul final : public LowMatMul {
 public:
  using LowMatMul::LowMatMul;

 private:
  void Convert(KernelContext& context, const float* x, void* to, float* /*scales*/) const override {
    const std::int64_t count = part() * product().depth;
    context.ParallelFor(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
      NarrowToHalf(std::span(x + begin, x + end), static_cast<BFloat16*>(to) + begin);
    });
  }
  void Finish(KernelContext&, const float*, float*) const override {}
};

/// What a fused kernel does to so many sums, as primitives of their own.
std::vector<DnnlCall> ActivationCalls(const NodeFacts& node, ConvActivation activation,
                                      std::int64_t count, const dnnl::engine& engine) {
  dnnl::post_ops ops;
  AppendActivation(node, activation, ops);
  const memory::desc sums = PlainDesc({count});
  std::vector<DnnlCall> calls;
  for (int i = 0; i < ops.len(); ++i) {
    float scale = 1, alpha = 0, beta = 0;
    dnnl::algorithm algorithm = dnnl::algorithm::undef;
    ops.get_params_eltwise(i, scale, algorithm, alpha, beta);
    const dnnl::eltwise_forward::primitive_desc desc(
        {dnnl::prop_kind::forward_inference, algorithm, sums, alpha, beta}, UserScratchpad(),
        engine);
    calls.emplace_back(dnnl::eltwise_forward(desc), engine,
                       std::vector<DnnlCall::Argument>{{DNNL_ARG_SRC, sums}, {DNNL_ARG_DST, sums}});
  }
  return calls;
}

/// How sums of bytes become numbers: bounds that a row is held within as it is scaled, or else
/// functions.
struct ByteFinish {
  ConvBounds bounds = {};
  std::vector<DnnlCall> calls = {};

  static Result<ByteFinish> Of(const NodeFacts& node, std::int64_t count,
                               const dnnl::engine& engine) {
    const ConvActivation activation = TRY(ConvActivationOf(node));
    if (activation == ConvActivation::kRelu || activation == ConvActivation::kClip) {
      const ConvFinish held = TRY(ConvFinish::Of(node));
      return ByteFinish{.bounds = held.bounds()};
    }
    return ByteFinish{.calls = ActivationCalls(node, activation, count, engine)};
  }
};

class ByteMatMul final : public LowMatMul {
 public:
  ByteMatMul(const LowProduct& product, std::int64_t part, int threads,
             const dnnl::matmul::primitive_desc& desc, Tensor packed, Tensor columns,
             ByteFinish finish, const dnnl::engine& engine)
      : LowMatMul(product, part, threads, desc, std::move(packed), false, engine),
        columns_(std::move(columns)),
        finish_(std::move(finish)) {}

 private:
  void Convert(KernelContext& context, const float* x, void* to, float* scales) const override {
    const std::int64_t depth = product().depth;
    context.ParallelFor(part(), product().grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::span row(x + i * depth, static_cast<std::size_t>(depth));
        scales[i] = ByteScaleOf(LargestMagnitude(row));
        const float step = scales[i] > 0 ? scales[i] : 1.0F;
        QuantizeToBytes(row, {.scale = step, .zero = 0, .least = -127, .most = 127},
                        static_cast<std::int8_t*>(to) + i * depth);
      }
    });
  }
  void Finish(KernelContext& context, const float* scales, float* y) const override {
    const std::int64_t width = product().width;
    const float* const columns = columns_.data<float>().data();
    const float* const added = product().has_row ? context.input(2)->data<float>().data() : nullptr;
    const std::int64_t grain = std::max<std::int64_t>(1, kGrain / width);
    context.ParallelFor(part(), grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::span row(y + i * width, static_cast<std::size_t>(width));
        ScaleSums({.row = scales[i], .columns = columns, .added = added, .bounds = finish_.bounds},
                  row);
      }
    });
    for (const DnnlCall& call : finish_.calls) call.Run({y, y});
  }

  Tensor columns_;
  ByteFinish finish_;
};

Result<std::unique_ptr<Executable>> Make(const NodeFacts& node, const LowProduct& product,
                                         CpuContext& cpu) {
  const int threads = ThreadsFor(product.work(product.rows), cpu.threads());
  const ThreadScope scope(threads);
  const std::int64_t part = product.part(cpu.threads());
  const auto desc = MakeDesc(node, product, part, cpu.engine());
  const Tensor& weights = *node.inputs[1].constant;
  const memory::desc have = WeightsAsTheyLie(product, memory::data_type::f32);
  if (product.precision == Precision::kBfloat16) {
    return std::unique_ptr<Executable>(std::make_unique<HalfMatMul>(
        product, part, threads, desc, TRY(PackedFor(cpu, weights, have, desc.weights_desc())),
        product.has_row, cpu.engine()));
  }
  const ByteWeights bytes{weights, product.width, product.transposed};
  Tensor columns = TRY(ScalesOf(cpu, bytes));
  Tensor packed = TRY(PackedBytesOf(
      cpu, bytes, columns, WeightsAsTheyLie(product, memory::data_type::s8), desc.weights_desc()));
  ByteFinish finish = TRY(ByteFinish::Of(node, part * product.width, cpu.engine()));
  return std::unique_ptr<Executable>(
      std::make_unique<ByteMatMul>(product, part, threads, desc, std::move(packed),
                                   std::move(columns), std::move(finish), cpu.engine()));
}

}  // namespace

std::string DeclineMatMulBf16(const NodeFacts& node) {
  return DeclineUnlessAsked(node, Precision::kBfloat16);
}
std::string DeclineMatMulInt8(const NodeFacts& node) {
  return DeclineUnlessAsked(node, Precision::kInt8);
}

Result<std::unique_ptr<Executable>> PrepareMatMulLow(const NodeFacts& node, DeviceContext& device) {
  const auto product = ProductOf(node, PrecisionOf(node));
  if (!product) return Error{.code = Code::kUnimplemented, .message = "B is no constant matrix"};
  try {
    return Make(node, *product, Cpu(device));
  } catch (const dnnl::error& error) {
    return DnnlError("matrix product", error);
  }
}

bool GainsByLowMatMul(const NodeFacts& node, Precision precision, DeviceContext& device) {
  const auto product = ProductOf(node, precision);
  if (!product) return false;
  const double sums = static_cast<double>(product->rows) * static_cast<double>(product->width);
  const auto uses = static_cast<double>(product->width);
  const int threads = device.threads();
  if (!GainsByPrecision(sums, product->depth, uses)) return false;
  if (product->work(1) > WorkAtOnce(threads)) return false;
  try {
    const auto desc = MakeDesc(node, *product, product->part(threads), Cpu(device).engine());
    return std::string_view(desc.impl_info_str()).starts_with("brg");
  } catch (const dnnl::error&) {
    return false;
  }
}

}  // namespace slipway::runtime
