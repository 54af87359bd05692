// SPDX-License-Identifier: Apache-2.0
// com.microsoft: Attention, QAttention (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Buffers shared between past and present, and rotation inside the operator, are refused.
#include <algorithm>
#include <cmath>

#include "base/limits.h"
#include "runtime/device/device.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/heads_mask.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_product.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

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
Result<Tensor> Projected(const NodeFacts& node, KernelContext& context) {
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
  const Tensor a = TRY(Converted(context, x, DType::kFloat64));
  const Tensor b = TRY(Converted(context, w, DType::kFloat64));
  return Product(context, a.Reshaped(flat), b);
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

double ScaleOf(const NodeFacts& node, const HeadsShape& heads) {
  const auto scale = static_cast<double>(node.attributes.Float("scale", 0));
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(heads.head));
}

BiasParts BiasPartsOf(const NodeFacts& node, KernelContext& context, const Sizes& sizes) {
  const Inputs at = InputsOf(node);
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  return {.node = &node,
          .mask = optional(at.mask),
          .added = optional(at.added),
          .shape = sizes.heads,
          .past = sizes.past};
}

/// What the product of input and weights sees of a run: its output is a tensor of ours.
class ProductContext final : public KernelContext {
 public:
  ProductContext(KernelContext& outer, Tensor& output) : outer_(outer), output_(output) {}
  const Tensor* input(std::size_t index) override { return outer_.input(index); }
  const Value& input_value(std::size_t index) override { return outer_.input_value(index); }
  std::size_t inputs() const override { return 2; }
  Tensor& output(std::size_t) override { return output_; }
  Result<Tensor*> Allocate(std::size_t, DType, Shape) override { return &output_; }
  void Set(std::size_t, Value) override {}
  std::span<std::byte> scratch() override { return outer_.scratch(); }
  void ParallelFor(std::int64_t count, std::int64_t grain, const RangeBody& body) override {
    outer_.ParallelFor(count, grain, body);
  }
  int threads() const override { return outer_.threads(); }

 private:
  KernelContext& outer_;
  Tensor& output_;
};

/// In float32, keys in blocks; the product by the best kernel there is for it.
class Blocked final : public Executable {
 public:
  Blocked(const NodeFacts& node, const Sizes& sizes, int threads)
      : node_(node), sizes_(sizes), threads_(threads) {}

  Result<void> Prepare(DeviceContext& device) {
    if (node_.op->type == "QAttention") return {};
    NodeFacts product = AsNodeOf(node_, "", "MatMul", 13);
    product.attributes = {};
    product.inputs.resize(2);
    product.present.resize(2);
    product.outputs_wanted = {true};
    product.outputs = TRY(product.op->infer(product));
    product_ = TRY(PrepareNode(std::move(product), false, device));
    return {};
  }

  std::int64_t scratch_bytes() const override {
    const std::int64_t heads = threads_ * BlockedHeadsScratch(sizes_.heads);
    return product_ == nullptr ? heads : std::max(heads, product_->scratch_bytes());
  }

  Result<void> Run(KernelContext& context) const override {
    const Tensor projected = TRY(ProjectedWithBias(context));
    const HeadsShape& h = sizes_.heads;
    BlockedHeads problem{.shape = h, .scale = ScaleOf(node_, h)};
    problem.q = View(projected, 0, h.head);
    problem.keys[1] = {.keys = View(projected, sizes_.q_width(), h.head),
                       .values = View(projected, 2 * sizes_.q_width(), h.v_head),
                       .count = h.q_length};
    const std::size_t past = InputsOf(node_).past;
    if (node_.Has(past)) {
      const float* data = context.input(past)->data<float>().data();
      const HeadsPlace place = HeadsFirst(h.q_heads, sizes_.past, h.head);
      problem.keys[0] = {
          .keys = {data, place}, .values = {data + PastSize(), place}, .count = sizes_.past};
    }
    const JoinedRows rows =
        TRY(JoinBiasRows(context, BiasPartsOf(node_, context, sizes_), problem));
    for (std::int64_t which = 0; which < 2 && Wanted(node_, 1); ++which) {
      Present(context, projected, which);
    }
    if (!Wanted(node_, 0)) return {};
    problem.y = context.output(0).data<float>().data();
    problem.y_place = TokensFirst(h.q_heads, h.q_length, h.v_head);
    AttendBlocked(context, problem);
    return {};
  }

 private:
  std::int64_t PastSize() const {
    const HeadsShape& h = sizes_.heads;
    return h.batch * h.q_heads * sizes_.past * h.head;
  }

  /// Where the heads are whose first number is in column `first` of each token.
  HeadsPlace PlaceOf(const Tensor& projected, std::int64_t head) const {
    const std::int64_t columns = projected.shape().back();
    return {.item = sizes_.heads.q_length * columns, .head = head, .row = columns};
  }

  HeadsView View(const Tensor& projected, std::int64_t first, std::int64_t head) const {
    return {projected.data<float>().data() + first, PlaceOf(projected, head)};
  }

  /// [batch, length, columns]
  Result<Tensor> ProjectedWithBias(KernelContext& context) const {
    const Tensor& x = *context.input(0);
    const std::int64_t columns = context.input(1)->dim(1);
    const Shape shape{x.dim(0), x.dim(1), columns};
    Tensor projected;
    if (product_ == nullptr) {
      const Tensor wide = TRY(Projected(node_, context));
      projected = TRY(Converted(context, wide, DType::kFloat32)).Reshaped(shape);
    } else {
      projected = TRY(Tensor::Make(DType::kFloat32, shape));
      ProductContext inner(context, projected);
      TRY(product_->Run(inner));
    }
    const std::size_t bias = InputsOf(node_).bias;
    if (!node_.Has(bias)) return projected;
    const float* added = context.input(bias)->data<float>().data();
    float* const y = projected.data<float>().data();
    context.ParallelFor(x.dim(0) * x.dim(1), 16, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t c = 0; c < columns; ++c) y[row * columns + c] += added[c];
      }
    });
    return projected;
  }

  /// Keys (0) or values (1) of the output.
  void Present(KernelContext& context, const Tensor& projected, std::int64_t which) const {
    const HeadsShape& h = sizes_.heads;
    const std::size_t past = InputsOf(node_).past;
    const Shape shape{h.batch, h.q_heads, h.kv_length, h.head};
    WritePresent(context,
                 {.shape = shape,
                  .past = node_.Has(past) ? context.input(past) : nullptr,
                  .past_offset = which * PastSize(),
                  .fresh = &projected,
                  .place = PlaceOf(projected, h.head),
                  .fresh_offset = (which + 1) * sizes_.q_width(),
                  .fresh_length = h.q_length},
                 context.output(1), which * CountOf(shape, 0, 4));
  }

  const NodeFacts& node_;
  Sizes sizes_;
  int threads_;
  std::unique_ptr<Executable> product_;
};

std::string DeclineBlocked(const NodeFacts& node) {
  const bool quantised = node.op->type == "QAttention";
  return node.dtype(quantised ? 2 : 0) == DType::kFloat32 ? "" : "the output is not float32";
}

Result<std::unique_ptr<Executable>> PrepareBlocked(const NodeFacts& node, DeviceContext& device) {
  auto blocked = std::make_unique<Blocked>(node, TRY(SizesOf(node)), device.threads());
  TRY(blocked->Prepare(device));
  return std::unique_ptr<Executable>(std::move(blocked));
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Inputs at = InputsOf(node);
  const Sizes sizes = TRY(SizesOf(node));
  const HeadsShape& heads = sizes.heads;
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor projected = TRY(Projected(node, context));
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
  problem.scale = ScaleOf(node, heads);
  problem.bias = JoinedBias(BiasPartsOf(node, context, sizes));
  const HeadsResult result = TRY(Attend(context, problem));
  if (Wanted(node, 0)) TRY(JoinHeads(context, result.y, context.output(0)));
  if (Wanted(node, 1)) return StorePresent(context, k, v, context.output(1));
  return {};
}

constexpr Kernel kAttention[] = {
    {.name = "attention_blocked", .declines = DeclineBlocked, .prepare = PrepareBlocked},
    {.name = "attention_blocked_widened",
     .declines = DeclineWidened<DeclineBlocked>,
     .prepare = PrepareWidened<PrepareBlocked>},
    {.name = "attention_reference", .run = Run}};
constexpr Kernel kQAttention[] = {
    {.name = "qattention_blocked", .declines = DeclineBlocked, .prepare = PrepareBlocked},
    {.name = "qattention_reference", .run = Run}};

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
