// SPDX-License-Identifier: Apache-2.0
// com.microsoft: Attention, QAttention (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Buffers shared between past and present, and rotation inside the operator, are refused.
#include <cmath>

#include "base/limits.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/heads_mask.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_product.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/sgemm.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// Where the two operators have their inputs; kNone where one has none.
struct Inputs {
  static constexpr std::size_t kNone = 99;
  std::size_t bias, mask, past, added;
};

Inputs InputsOf(const NodeFacts& node) {
  if (node.op->type == "QAttention") return {2, 5, 8, Inputs::kNone};
  return {2, 3, 4, 5};
}

struct Sizes {
  HeadsShape heads;
  std::int64_t input = 0;  ///< width of the input
  std::int64_t past = 0;

  std::int64_t q_width() const { return heads.q_heads * heads.head; }
  std::int64_t v_width() const { return heads.q_heads * heads.v_head; }
};

Result<void> RefuseSharing(const NodeFacts& node) {
  for (const std::string_view name : {"past_present_share_buffer", "do_rotary"}) {
    if (node.attributes.Int(name, 0) != 0) {
      return Error{.code = Code::kUnimplemented,
                   .message = Message("attribute `", name, "` is not 0")};
    }
  }
  return {};
}

/// Widths of Q, K and V from the weights, or as `qkv_hidden_sizes` says.
Result<void> ReadWidths(const NodeFacts& node, Sizes& sizes) {
  const Shape& w = node.shape(1);
  std::vector<std::int64_t> widths = node.attributes.Ints("qkv_hidden_sizes", {});
  if (widths.empty()) widths.assign(3, w[1] / 3);
  const std::int64_t heads = node.attributes.Int("num_heads", 0);
  if (heads < 1 || widths.size() != 3) {
    return Invalid("attributes `num_heads` and `qkv_hidden_sizes` are ", heads, " and ", widths);
  }
  std::int64_t sum = 0;
  for (const std::int64_t width : widths) {
    if (width < 1 || width % heads != 0 || __builtin_add_overflow(sum, width, &sum)) {
      return Invalid("a width of ", width, " is not shared by ", heads, " heads");
    }
  }
  if (widths[0] != widths[1] || sum != w[1]) {
    return Invalid("weights of ", w, " have not the columns of Q, K and V: ", widths);
  }
  sizes.heads.q_heads = sizes.heads.kv_heads = heads;
  sizes.heads.head = widths[0] / heads;
  sizes.heads.v_head = widths[2] / heads;
  return {};
}

Result<Sizes> SizesOf(const NodeFacts& node) {
  const Inputs at = InputsOf(node);
  const Shape& x = node.shape(0);
  const Shape& w = node.shape(1);
  if (x.size() != 3 || w.size() != 2 || x[2] != w[0]) {
    return Invalid("weights of ", w, " do not fit input of ", x);
  }
  Sizes sizes{.heads = {.batch = x[0], .q_length = x[1], .kv_length = x[1]}, .input = x[2]};
  TRY(ReadWidths(node, sizes));
  if (node.Has(at.bias) && node.shape(at.bias) != Shape{w[1]}) {
    return Invalid("bias of ", node.shape(at.bias), " does not fit weights of ", w);
  }
  HeadsShape& heads = sizes.heads;
  if (node.Has(at.past)) {
    const Shape& past = node.shape(at.past);
    const bool five = past.size() == 5;
    if (!five || past != Shape{2, heads.batch, heads.q_heads, past[3], heads.head} ||
        heads.head != heads.v_head) {
      return Invalid("past of ", past, " does not fit ", heads.q_heads, " heads of ", heads.head);
    }
    sizes.past = past[3];
    heads.kv_length = TRY(CheckedAdd(heads.kv_length, sizes.past, "the sequence"));
  }
  if (node.Has(at.mask)) TRY(HeadsMask::Check(node.shape(at.mask), heads));
  if (node.Has(at.added)) TRY(CheckAddedBias(node.shape(at.added), heads));
  return sizes;
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(RefuseSharing(node));
  if (node.Has(6) && node.op->type == "Attention") {
    return Error{.code = Code::kUnimplemented, .message = "input `past_sequence_length` is given"};
  }
  const Sizes sizes = TRY(SizesOf(node));
  const HeadsShape& heads = sizes.heads;
  if (node.op->type == "QAttention") {
    for (const std::size_t input : {3U, 6U}) {
      if (node.Has(input) && TRY(ElementCount(node.shape(input))) != 1) {
        return Invalid("input ", input, " of ", node.shape(input), " is not one number");
      }
    }
    for (const std::size_t input : {4U, 7U}) {
      if (!node.Has(input)) continue;
      if (TRY(ElementCount(node.shape(input))) != 1 &&
          node.shape(input) != Shape{node.shape(1)[1]}) {
        return Invalid("input ", input, " of ", node.shape(input), " does not fit the weights");
      }
    }
  }
  if (Wanted(node, 1) && heads.head != heads.v_head) {
    return Invalid("output `present` needs heads of K and V of one size");
  }
  const DType dtype = node.op->type == "QAttention" ? node.dtype(2) : node.dtype(0);
  return OutputFacts(
      node, {TensorFacts(dtype, {heads.batch, heads.q_length, sizes.v_width()}),
             TensorFacts(dtype, {2, heads.batch, heads.q_heads, heads.kv_length, heads.head})});
}

/// Input times weights, in double: [batch * length, columns].
Result<Tensor> Projected(const NodeFacts& node, KernelContext& context, bool blas) {
  const Tensor& x = *context.input(0);
  const Tensor& w = *context.input(1);
  const Shape flat{x.dim(0) * x.dim(1), x.dim(2)};
  if (node.op->type == "QAttention") {
    const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
    const Tensor a = TRY(Centered(context, x.Reshaped(flat), optional(6), true));
    const Tensor b = TRY(Centered(context, w, optional(7), false));
    Tensor product = TRY(Product(context, a, b));
    const double scale = DoublesOf(context.input(3))[0];
    const Doubles scales = DoublesOf(context.input(4));
    std::int64_t at = 0;
    for (double& element : product.data<double>()) {
      element *= scale * (scales.size() == 1 ? scales[0] : scales[At(at++ % w.dim(1))]);
    }
    return product;
  }
  if (!blas) {
    const Tensor a = TRY(Converted(context, x, DType::kFloat64));
    const Tensor b = TRY(Converted(context, w, DType::kFloat64));
    return Product(context, a.Reshaped(flat), b);
  }
  Tensor product = TRY(Tensor::Make(DType::kFloat32, {flat[0], w.dim(1)}));
  TRY(Sgemm({.a = x.data<float>().data(),
             .b = w.data<float>().data(),
             .y = product.data<float>().data(),
             .m = flat[0],
             .n = w.dim(1),
             .k = flat[1],
             .lda = flat[1],
             .ldb = w.dim(1),
             .ldy = w.dim(1)}));
  return Converted(context, product, DType::kFloat64);
}

/// Heads of the columns from `first` on, with their bias: [batch, heads, length, head].
Tensor HeadsOf(const Tensor& projected, const Doubles& bias, std::int64_t first, Tensor heads) {
  const Shape& dims = heads.shape();
  const double* from = projected.data<double>().data();
  const std::int64_t columns = projected.dim(1);
  double* to = heads.data<double>().data();
  for (std::int64_t n = 0; n < dims[0]; ++n) {
    for (std::int64_t h = 0; h < dims[1]; ++h) {
      for (std::int64_t s = 0; s < dims[2]; ++s) {
        for (std::int64_t d = 0; d < dims[3]; ++d) {
          const std::int64_t column = first + h * dims[3] + d;
          *to++ =
              from[(n * dims[2] + s) * columns + column] + (bias.empty() ? 0 : bias[At(column)]);
        }
      }
    }
  }
  return heads;
}

/// Keys or values of the past, number `which` of its two, before the new ones.
Result<Tensor> WithPast(KernelContext& context, const Tensor* past, std::int64_t which,
                        const Tensor& now) {
  if (past == nullptr) return now;
  const Tensor wide = TRY(Converted(context, *past, DType::kFloat64));
  Shape shape = now.shape();
  const std::int64_t before = past->dim(3);
  shape[2] += before;
  Tensor all = TRY(Tensor::Make(DType::kFloat64, shape));
  const Strides to = ContiguousStrides(shape);
  Shape old = now.shape();
  old[2] = before;
  CopyBox(context,
          {.dims = old,
           .from = ContiguousStrides(old),
           .to = to,
           .from_offset = which * CountOf(old, 0, 4)},
          wide, all);
  CopyBox(context,
          {.dims = now.shape(),
           .from = ContiguousStrides(now.shape()),
           .to = to,
           .to_offset = before * shape[3]},
          now, all);
  return all;
}

/// Output `present`: keys, then values.
Result<void> StorePresent(KernelContext& context, const Tensor& k, const Tensor& v, Tensor& to) {
  Tensor both = TRY(Tensor::Make(DType::kFloat64, to.shape()));
  CopyElements(k, 0, both, 0, k.size());
  CopyElements(v, 0, both, k.size(), v.size());
  return ConvertElements(context, both, to);
}

template <bool blas>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Inputs at = InputsOf(node);
  const Sizes sizes = TRY(SizesOf(node));
  const HeadsShape& heads = sizes.heads;
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor projected = TRY(Projected(node, context, blas));
  const Doubles bias = DoublesOf(optional(at.bias));
  const Shape keys{heads.batch, heads.q_heads, heads.q_length, heads.head};
  const Shape values{heads.batch, heads.q_heads, heads.q_length, heads.v_head};
  const Tensor q = HeadsOf(projected, bias, 0, TRY(Tensor::Make(DType::kFloat64, keys)));
  const Tensor new_k =
      HeadsOf(projected, bias, sizes.q_width(), TRY(Tensor::Make(DType::kFloat64, keys)));
  const Tensor new_v =
      HeadsOf(projected, bias, 2 * sizes.q_width(), TRY(Tensor::Make(DType::kFloat64, values)));
  const Tensor k = TRY(WithPast(context, optional(at.past), 0, new_k));
  const Tensor v = TRY(WithPast(context, optional(at.past), 1, new_v));
  HeadsProblem problem{.shape = heads, .q = &q, .k = &k, .v = &v};
  problem.blas = blas;
  problem.scale = static_cast<double>(node.attributes.Float("scale", 0));
  if (problem.scale == 0) problem.scale = 1 / std::sqrt(static_cast<double>(heads.head));
  problem.bias = JoinedBias({.node = &node,
                             .mask = optional(at.mask),
                             .added = optional(at.added),
                             .shape = heads,
                             .past = sizes.past});
  const HeadsResult result = TRY(Attend(context, problem));
  if (Wanted(node, 0)) TRY(JoinHeads(context, result.y, context.output(0)));
  if (Wanted(node, 1)) return StorePresent(context, k, v, context.output(1));
  return {};
}

std::string DeclineBlas(const NodeFacts& node) {
  const bool quantised = node.op->type == "QAttention";
  return node.dtype(quantised ? 2 : 0) == DType::kFloat32 ? "" : "the output is not float32";
}

constexpr Kernel kAttention[] = {
    {.name = "attention_blas", .declines = DeclineBlas, .run = Run<true>},
    {.name = "attention_reference", .run = Run<false>}};
constexpr Kernel kQAttention[] = {
    {.name = "qattention_blas", .declines = DeclineBlas, .run = Run<true>},
    {.name = "qattention_reference", .run = Run<false>}};

constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});
constexpr DTypeSet kBytes = Types({DType::kInt8, DType::kUint8});
constexpr TypeRule kQTypes[] = {{"T1", kBytes}, {"T2", kBytes}, {"T3", kHalf32}};

}  // namespace

OpList ops_ms_attention() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "Attention",
            .domain = "com.microsoft",
            .signature = "input:T, weights:T, bias?:T, mask_index?:int32, past?:T, "
                         "attention_bias?:T, past_sequence_length?:int32 -> output:T, present?:T",
            .types = kT<kHalf32>,
            .attributes = "do_rotary:int, mask_filter_value:float, num_heads!:int, "
                          "past_present_share_buffer:int, qkv_hidden_sizes:ints, "
                          "rotary_embedding_dim:int, scale:float, unidirectional:int=0",
            .infer = Infer,
            .kernels = kAttention},
      OpDef{.type = "QAttention",
            .domain = "com.microsoft",
            .signature = "input:T1, weight:T2, bias:T3, input_scale:T3, weight_scale:T3, "
                         "mask_index?:int32, input_zero_point?:T1, weight_zero_point?:T2, past?:T3 "
                         "-> output:T3, present?:T3",
            .types = kQTypes,
            .attributes = "do_rotary:int, mask_filter_value:float, num_heads!:int, "
                          "past_present_share_buffer:int, scale:float, unidirectional:int=0",
            .infer = Infer,
            .kernels = kQAttention},
  });
  return kOps;
}

}  // namespace slipway::runtime
