// SPDX-License-Identifier: Apache-2.0
// com.microsoft: MultiHeadAttention (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Buffers shared between past and present, and beams (`cache_indirection`), are refused.
#include <cmath>

#include "base/limits.h"
#include "runtime/device/device.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/heads_mask.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t {
  kQuery,
  kKey,
  kValue,
  kBias,
  kMask,
  kAdded,
  kPastKey,
  kPastValue,
  kPastLength,
  kBeams
};

/// How queries, keys and values are given.
enum class Form : std::uint8_t {
  kApart,      ///< three tensors [batch, length, width]
  kPackedAll,  ///< query [batch, length, heads, 3, head]
  kPackedKv,   ///< key [batch, length, heads, 2, head]
  kHeads,      ///< key and value [batch, heads, length, head]
};

struct Sizes {
  HeadsShape heads;
  Form form = Form::kApart;
  std::int64_t past = 0, fresh = 0;  ///< keys before the new ones, and new ones
};

Error Misfit(const NodeFacts& node) {
  return Invalid("query of ", node.shape(kQuery), ", key of ",
                 node.Has(kKey) ? ShapeText(node.shape(kKey)) : "none", " and value of ",
                 node.Has(kValue) ? ShapeText(node.shape(kValue)) : "none", " do not fit ",
                 node.attributes.Int("num_heads", 0), " heads");
}

Result<Form> FormOf(const NodeFacts& node) {
  const std::size_t q = node.shape(kQuery).size();
  const std::size_t k = node.Has(kKey) ? node.shape(kKey).size() : 0;
  const std::size_t v = node.Has(kValue) ? node.shape(kValue).size() : 0;
  if (q == 5 && k == 0 && v == 0) return Form::kPackedAll;
  if (q == 3 && k == 5 && v == 0) return Form::kPackedKv;
  if (q == 3 && k == 3 && v == 3) return Form::kApart;
  if (q == 3 && k == 4 && v == 4) return Form::kHeads;
  return Misfit(node);
}

/// The sizes that the shapes of query, key and value give, before they are checked.
Result<Sizes> RawSizes(const NodeFacts& node) {
  Sizes sizes;
  sizes.form = TRY(FormOf(node));
  const std::int64_t n = node.attributes.Int("num_heads", 0);
  const Shape& q = node.shape(kQuery);
  HeadsShape& heads = sizes.heads;
  heads = {.batch = q[0], .q_heads = n, .kv_heads = n, .q_length = q[1]};
  if (n < 1 || (q.size() == 3 && q[2] % n != 0)) return Misfit(node);
  heads.head = q.size() == 5 ? q[4] : q[2] / n;
  heads.v_head = heads.head;
  sizes.fresh = q[1];
  if (sizes.form == Form::kPackedKv || sizes.form == Form::kApart) {
    sizes.fresh = node.shape(kKey)[1];
  }
  if (sizes.form == Form::kApart) {
    if (node.shape(kValue)[2] % n != 0) return Misfit(node);
    heads.v_head = node.shape(kValue)[2] / n;
  }
  if (sizes.form == Form::kHeads) {
    sizes.fresh = node.shape(kKey)[2];
    heads.v_head = node.shape(kValue)[3];
  }
  return sizes;
}

bool ShapesFit(const NodeFacts& node, const Sizes& sizes) {
  const HeadsShape& h = sizes.heads;
  const std::int64_t n = h.q_heads;
  switch (sizes.form) {
    case Form::kApart:
      return node.shape(kKey) == Shape{h.batch, sizes.fresh, n * h.head} &&
             node.shape(kValue) == Shape{h.batch, sizes.fresh, n * h.v_head};
    case Form::kPackedAll:
      return node.shape(kQuery) == Shape{h.batch, h.q_length, n, 3, h.head};
    case Form::kPackedKv:
      return node.shape(kKey) == Shape{h.batch, sizes.fresh, n, 2, h.head};
    case Form::kHeads:
      return node.shape(kKey) == Shape{h.batch, n, sizes.fresh, h.head} &&
             node.shape(kValue) == Shape{h.batch, n, sizes.fresh, h.v_head};
  }
  return false;
}

Result<void> ReadPast(const NodeFacts& node, Sizes& sizes) {
  HeadsShape& h = sizes.heads;
  if (node.Has(kPastKey) != node.Has(kPastValue)) {
    return Invalid("past key and value are not given together");
  }
  if (node.Has(kPastKey)) {
    const Shape& k = node.shape(kPastKey);
    const Shape& v = node.shape(kPastValue);
    if (k.size() != 4 || k != Shape{h.batch, h.kv_heads, k[2], h.head} ||
        v != Shape{h.batch, h.kv_heads, k[2], h.v_head}) {
      return Invalid("past key of ", k, " and value of ", v, " do not fit");
    }
    sizes.past = k[2];
  }
  h.kv_length = TRY(CheckedAdd(sizes.past, sizes.fresh, "the sequence"));
  return {};
}

Result<Sizes> SizesOf(const NodeFacts& node) {
  Sizes sizes = TRY(RawSizes(node));
  const HeadsShape& h = sizes.heads;
  if (!ShapesFit(node, sizes)) return Misfit(node);
  TRY(ReadPast(node, sizes));
  const Shape bias{h.q_heads * (2 * h.head + h.v_head)};
  if (node.Has(kBias) && node.shape(kBias) != bias) {
    return Invalid("bias of ", node.shape(kBias), " is not ", bias);
  }
  if (node.Has(kMask)) TRY(HeadsMask::Check(node.shape(kMask), h));
  if (node.Has(kAdded)) TRY(CheckAddedBias(node.shape(kAdded), h));
  return sizes;
}

Result<Facts> Infer(const NodeFacts& node) {
  for (const Input input : {kPastLength, kBeams}) {
    if (!node.Has(input)) continue;
    return Error{.code = Code::kUnimplemented,
                 .message = Message("input ", static_cast<int>(input), " is given")};
  }
  const Sizes sizes = TRY(SizesOf(node));
  const HeadsShape& h = sizes.heads;
  const DType dtype = node.dtype(kQuery);
  return OutputFacts(node, {TensorFacts(dtype, {h.batch, h.q_length, h.q_heads * h.v_head}),
                            TensorFacts(dtype, {h.batch, h.kv_heads, h.kv_length, h.head}),
                            TensorFacts(dtype, {h.batch, h.kv_heads, h.kv_length, h.v_head}),
                            TensorFacts(dtype, {h.batch, h.q_heads, h.q_length, h.kv_length})});
}

/// Where one of queries, keys and values lies: element (n, head, s, d) of a tensor.
struct Placed {
  const Tensor* tensor;
  Strides strides;
  std::int64_t offset = 0;
};

/// A copy as [batch, heads, length, head] of T, which it is of, with the bias of its columns.
template <class T>
Result<Tensor> Gathered(KernelContext& context, const Placed& from, const Shape& dims,
                        const Doubles& bias, std::int64_t first) {
  Tensor y = TRY(Tensor::Make(kDTypeOf<T>, dims));
  CopyBox(context,
          {.dims = dims,
           .from = from.strides,
           .to = ContiguousStrides(dims),
           .from_offset = from.offset},
          *from.tensor, y);
  if (bias.empty()) return y;
  const std::int64_t plane = dims[2] * dims[3];
  auto elements = y.data<T>();
  for (std::int64_t i = 0; i < y.size(); ++i) {
    elements[At(i)] +=
        static_cast<T>(bias[At(first + i / plane % dims[1] * dims[3] + i % dims[3])]);
  }
  return y;
}

/// Queries (0), keys (1) or values (2) of the node, as they are laid out.
Placed PlaceOf(const Sizes& sizes, int which, const Tensor& x) {
  const HeadsShape& h = sizes.heads;
  const std::int64_t n = h.q_heads;
  const std::int64_t head = which == 2 ? h.v_head : h.head;
  const std::int64_t length = which == 0 ? h.q_length : sizes.fresh;
  if (which > 0 && sizes.form == Form::kHeads) {
    return {&x, {n * length * head, length * head, head, 1}};
  }
  std::int64_t parts = 1;
  std::int64_t part = 0;
  if (sizes.form == Form::kPackedAll) {
    parts = 3;
    part = which;
  } else if (sizes.form == Form::kPackedKv && which > 0) {
    parts = 2;
    part = which - 1;
  }
  const std::int64_t token = n * parts * head;
  return {&x, {length * token, parts * head, token, 1}, part * head};
}

Result<Tensor> WithPast(KernelContext& context, const Tensor* past, const Tensor& now) {
  if (past == nullptr) return now;
  const Tensor wide = TRY(Converted(context, *past, DType::kFloat64));
  Shape shape = now.shape();
  shape[2] += past->dim(2);
  Tensor all = TRY(Tensor::Make(DType::kFloat64, shape));
  const Strides to = ContiguousStrides(shape);
  CopyBox(context, {.dims = wide.shape(), .from = ContiguousStrides(wide.shape()), .to = to}, wide,
          all);
  CopyBox(context,
          {.dims = now.shape(),
           .from = ContiguousStrides(now.shape()),
           .to = to,
           .to_offset = past->dim(2) * shape[3]},
          now, all);
  return all;
}

/// The tensors of a problem, in double.
struct Operands {
  Tensor q, k, v;
};

Result<Operands> OperandsOf(const NodeFacts& node, KernelContext& context, const Sizes& sizes) {
  const HeadsShape& h = sizes.heads;
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const auto wide = [&](std::size_t input) {
    return Converted(context, *context.input(input), DType::kFloat64);
  };
  const bool packed = sizes.form == Form::kPackedAll;
  const Tensor query = TRY(wide(kQuery));
  const Tensor key = packed ? query : TRY(wide(kKey));
  const bool together = packed || sizes.form == Form::kPackedKv;
  const Tensor value = together ? key : TRY(wide(kValue));
  const Doubles bias = DoublesOf(optional(kBias));
  const bool only_q = sizes.form == Form::kHeads;
  const Doubles kv_bias = only_q ? Doubles() : bias;
  const std::int64_t width = h.q_heads * h.head;
  Operands all;
  all.q = TRY(Gathered<double>(context, PlaceOf(sizes, 0, query),
                               {h.batch, h.q_heads, h.q_length, h.head}, bias, 0));
  const Tensor k = TRY(Gathered<double>(context, PlaceOf(sizes, 1, key),
                                        {h.batch, h.q_heads, sizes.fresh, h.head}, kv_bias, width));
  const Tensor v =
      TRY(Gathered<double>(context, PlaceOf(sizes, 2, value),
                           {h.batch, h.q_heads, sizes.fresh, h.v_head}, kv_bias, 2 * width));
  all.k = TRY(WithPast(context, optional(kPastKey), k));
  all.v = TRY(WithPast(context, optional(kPastValue), v));
  return all;
}

double ScaleOf(const NodeFacts& node, const Sizes& sizes) {
  const auto scale = static_cast<double>(node.attributes.Float("scale", 0));
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(sizes.heads.head));
}

BiasParts BiasPartsOf(const NodeFacts& node, KernelContext& context, const Sizes& sizes) {
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  return {.node = &node,
          .mask = optional(kMask),
          .added = optional(kAdded),
          .shape = sizes.heads,
          .past = sizes.past};
}

/// In float32, keys in blocks.
class Blocked final : public Executable {
 public:
  Blocked(const NodeFacts& node, const Sizes& sizes, int threads)
      : node_(node), sizes_(sizes), threads_(threads) {}

  std::int64_t scratch_bytes() const override {
    return threads_ * BlockedHeadsScratch(sizes_.heads);
  }

  Result<void> Run(KernelContext& context) const override {
    const HeadsShape& h = sizes_.heads;
    Tensor own[3];
    const Placed q = TRY(Biased(context, 0, own[0]));
    const Placed k = TRY(Biased(context, 1, own[1]));
    const Placed v = TRY(Biased(context, 2, own[2]));
    BlockedHeads problem{.shape = h, .q = ViewOf(q), .scale = ScaleOf(node_, sizes_)};
    if (node_.Has(kPastKey)) {
      problem.keys[0] = {.keys = Past(context, kPastKey, h.head),
                         .values = Past(context, kPastValue, h.v_head),
                         .count = sizes_.past};
    }
    problem.keys[1] = {.keys = ViewOf(k), .values = ViewOf(v), .count = sizes_.fresh};
    const JoinedRows rows =
        TRY(JoinBiasRows(context, BiasPartsOf(node_, context, sizes_), problem));
    Present(context, k, kPastKey, 1);
    Present(context, v, kPastValue, 2);
    if (!Wanted(node_, 0)) return {};
    problem.y = context.output(0).data<float>().data();
    problem.y_place = TokensFirst(h.q_heads, h.q_length, h.v_head);
    AttendBlocked(context, problem);
    return {};
  }

 private:
  static HeadsPlace PlaceIn(const Strides& strides) { return {strides[0], strides[1], strides[2]}; }

  static HeadsView ViewOf(const Placed& placed) {
    return {placed.tensor->data<float>().data() + placed.offset, PlaceIn(placed.strides)};
  }

  HeadsView Past(KernelContext& context, Input input, std::int64_t width) const {
    return {context.input(input)->data<float>().data(),
            HeadsFirst(sizes_.heads.kv_heads, sizes_.past, width)};
  }

  /// Queries (0), keys (1) or values (2) with their bias: where they lie, or in `own`.
  Result<Placed> Biased(KernelContext& context, int which, Tensor& own) const {
    const HeadsShape& h = sizes_.heads;
    std::size_t input = At(which);
    if (sizes_.form == Form::kPackedAll) input = kQuery;
    if (sizes_.form == Form::kPackedKv && which > 0) input = kKey;
    const Placed placed = PlaceOf(sizes_, which, *context.input(input));
    if (!node_.Has(kBias) || (which > 0 && sizes_.form == Form::kHeads)) return placed;
    const Shape dims{h.batch, h.q_heads, which == 0 ? h.q_length : sizes_.fresh,
                     which == 2 ? h.v_head : h.head};
    own = TRY(Gathered<float>(context, placed, dims, DoublesOf(context.input(kBias)),
                              which * h.q_heads * h.head));
    return Placed{&own, ContiguousStrides(dims)};
  }

  void Present(KernelContext& context, const Placed& fresh, Input past, std::size_t output) const {
    if (!Wanted(node_, output)) return;
    WritePresent(context,
                 {.shape = context.output(output).shape(),
                  .past = node_.Has(past) ? context.input(past) : nullptr,
                  .fresh = fresh.tensor,
                  .place = PlaceIn(fresh.strides),
                  .fresh_offset = fresh.offset,
                  .fresh_length = sizes_.fresh},
                 context.output(output));
  }

  const NodeFacts& node_;
  Sizes sizes_;
  int threads_;
};

std::string DeclineBlocked(const NodeFacts& node) {
  if (node.dtype(kQuery) != DType::kFloat32) return "the query is not float32";
  return Wanted(node, 3) ? "the scores are wanted" : "";
}

Result<std::unique_ptr<Executable>> PrepareBlocked(const NodeFacts& node, DeviceContext& device) {
  const Sizes sizes = TRY(SizesOf(node));
  return std::unique_ptr<Executable>(new Blocked(node, sizes, device.threads()));
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Sizes sizes = TRY(SizesOf(node));
  const Operands all = TRY(OperandsOf(node, context, sizes));
  HeadsProblem problem{.shape = sizes.heads, .q = &all.q, .k = &all.k, .v = &all.v};
  problem.scale = ScaleOf(node, sizes);
  problem.bias = JoinedBias(BiasPartsOf(node, context, sizes));
  if (Wanted(node, 3)) problem.wanted = ScoresWanted::kAfterSoftmax;
  const HeadsResult result = TRY(Attend(context, problem));
  if (Wanted(node, 0)) TRY(JoinHeads(context, result.y, context.output(0)));
  if (Wanted(node, 1)) TRY(ConvertElements(context, all.k, context.output(1)));
  if (Wanted(node, 2)) TRY(ConvertElements(context, all.v, context.output(2)));
  if (Wanted(node, 3)) TRY(ConvertElements(context, *result.scores, context.output(3)));
  return {};
}

constexpr Kernel kKernels[] = {
    {.name = "multi_head_attention_blocked", .declines = DeclineBlocked, .prepare = PrepareBlocked},
    {.name = "multi_head_attention_blocked_widened",
     .declines = DeclineWidened<DeclineBlocked>,
     .prepare = PrepareWidened<PrepareBlocked>},
    {.name = "multi_head_attention_reference", .run = Run}};
constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});

}  // namespace

OpList ops_ms_multi_head_attention() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "MultiHeadAttention",
            .domain = "com.microsoft",
            .signature = "query:T, key?:T, value?:T, bias?:T, key_padding_mask?:int32, "
                         "attention_bias?:T, past_key?:T, past_value?:T, "
                         "past_sequence_length?:int32, cache_indirection?:int32 -> output:T, "
                         "present_key?:T, present_value?:T, qk?:T",
            .types = kT<kHalf32>,
            .attributes =
                "mask_filter_value:float, num_heads!:int, scale:float, unidirectional:int=0",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
