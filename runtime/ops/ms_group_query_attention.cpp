// SPDX-License-Identifier: Apache-2.0
// com.microsoft: GroupQueryAttention (1).
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Quantised caches and `sliding_window_cache` are refused. What of a present tensor no token has
// reached keeps the past's elements, or is zero.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/limits.h"
#include "runtime/device/device.h"
#include "runtime/kernels/convert.h"
#include "runtime/kernels/heads.h"
#include "runtime/kernels/heads_blocked.h"
#include "runtime/kernels/heads_mask.h"
#include "runtime/kernels/in_place.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/rotary.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/widened.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t {
  kQuery,
  kKey,
  kValue,
  kPastKey,
  kPastValue,
  kLengths,
  kTotal,
  kCos,
  kSin,
  kPositions,
  kAdded,
  kSink,
  kKeyScale,
  kValueScale,
  kQueryNorm,
  kKeyNorm
};

struct Sizes {
  HeadsShape heads;       ///< kv_length is not set
  std::int64_t past = 0;  ///< rows of the past tensors
  bool packed = false;    ///< keys and values lie behind the queries of each token
};

Result<void> ReadQuery(const NodeFacts& node, Sizes& sizes) {
  HeadsShape& h = sizes.heads;
  const Shape& q = node.shape(kQuery);
  h.q_heads = node.attributes.Int("num_heads", 0);
  h.kv_heads = node.attributes.Int("kv_num_heads", 0);
  if (node.Has(kKey) != node.Has(kValue)) return Invalid("key and value are not given together");
  sizes.packed = !node.Has(kKey);
  const bool fits = h.q_heads > 0 && h.kv_heads > 0 && h.q_heads % h.kv_heads == 0 &&
                    h.q_heads < (std::int64_t{1} << 30);
  const std::int64_t columns = !fits ? 1 : h.q_heads + (sizes.packed ? 2 * h.kv_heads : 0);
  if (!fits || q.size() != 3 || q[2] % columns != 0) {
    return Invalid("query of ", q, " does not fit ", h.q_heads, " heads and ", h.kv_heads,
                   " of keys");
  }
  h.batch = q[0];
  h.q_length = q[1];
  h.head = h.v_head = q[2] / columns;
  const Shape kv{h.batch, h.q_length, h.kv_heads * h.head};
  if (!sizes.packed && (node.shape(kKey) != kv || node.shape(kValue) != kv)) {
    return Invalid("key of ", node.shape(kKey), " and value of ", node.shape(kValue), " are not ",
                   kv);
  }
  return {};
}

Result<void> ReadPast(const NodeFacts& node, Sizes& sizes) {
  const HeadsShape& h = sizes.heads;
  if (node.Has(kPastKey) != node.Has(kPastValue)) {
    return Invalid("past key and value are not given together");
  }
  if (!node.Has(kPastKey)) return {};
  const Shape& past = node.shape(kPastKey);
  if (past.size() != 4 || past != Shape{h.batch, h.kv_heads, past[2], h.head} ||
      node.shape(kPastValue) != past) {
    return Invalid("past key of ", past, " and value of ", node.shape(kPastValue), " do not fit");
  }
  sizes.past = past[2];
  return {};
}

Result<void> CheckRest(const NodeFacts& node, const Sizes& sizes) {
  const HeadsShape& h = sizes.heads;
  const Shape& lengths = node.shape(kLengths);
  if (CountOf(lengths, 0, lengths.size()) != h.batch) {
    return Invalid("seqlens_k of ", lengths, " has not ", h.batch, " elements");
  }
  if (CountOf(node.shape(kTotal), 0, node.shape(kTotal).size()) != 1) {
    return Invalid("total_sequence_length of ", node.shape(kTotal), " is not one number");
  }
  if (node.attributes.Int("do_rotary", 0) != 0) {
    if (!node.Has(kCos) || !node.Has(kSin)) return Invalid("cos_cache or sin_cache is missing");
    TRY(RotaryCache::Check(node.shape(kCos), node.shape(kSin), h.head));
  }
  if (node.Has(kPositions) && node.shape(kPositions) != Shape{h.batch, h.q_length}) {
    return Invalid("position_ids of ", node.shape(kPositions));
  }
  if (node.Has(kSink) && node.shape(kSink) != Shape{h.q_heads}) {
    return Invalid("head_sink of ", node.shape(kSink), " is not [", h.q_heads, "]");
  }
  for (const Input norm : {kQueryNorm, kKeyNorm}) {
    if (node.Has(norm) && node.shape(norm) != Shape{h.head}) {
      return Invalid("input ", static_cast<int>(norm), " of ", node.shape(norm), " is not [",
                     h.head, "]");
    }
  }
  if (!node.Has(kAdded)) return {};
  const Shape& bias = node.shape(kAdded);
  if (bias.size() == 4 && (bias[0] == 1 || bias[0] == h.batch) &&
      (bias[1] == 1 || bias[1] == h.q_heads) && bias[2] == h.q_length) {
    return {};
  }
  return Invalid("attention_bias of ", bias, " does not broadcast");
}

Result<Sizes> SizesOf(const NodeFacts& node) {
  Sizes sizes;
  TRY(ReadQuery(node, sizes));
  TRY(ReadPast(node, sizes));
  TRY(CheckRest(node, sizes));
  return sizes;
}

/// No more tokens than the past has room for and the query brings.
Result<void> CheckTotal(const Sizes& sizes, std::int64_t total) {
  if (total >= 0 && total - sizes.heads.q_length <= sizes.past) return {};
  return Invalid("total_sequence_length ", total, " with a past of ", sizes.past, " and ",
                 sizes.heads.q_length, " queries");
}

Result<void> RefuseQuantised(const NodeFacts& node) {
  const bool quantised = node.attributes.String("k_quant_type", "NONE") != "NONE" ||
                         node.attributes.String("v_quant_type", "NONE") != "NONE" ||
                         node.Has(kKeyScale) || node.Has(kValueScale);
  if (quantised) return Error{.code = Code::kUnimplemented, .message = "the cache is quantised"};
  if (node.attributes.Int("sliding_window_cache", 0) != 0) {
    return Error{.code = Code::kUnimplemented,
                 .message = "attribute `sliding_window_cache` is not 0"};
  }
  return {};
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(RefuseQuantised(node));
  const Sizes sizes = TRY(SizesOf(node));
  const HeadsShape& h = sizes.heads;
  const DType dtype = node.dtype(kQuery);
  Facts facts(4, TensorFacts(dtype));
  facts[0] = TensorFacts(dtype, {h.batch, h.q_length, h.q_heads * h.head});
  const auto total = ConstantInts(node, kTotal);
  if (total) {
    TRY(CheckTotal(sizes, total->front()));
    const std::int64_t rows = std::max(sizes.past, total->front());
    facts[1] = facts[2] = TensorFacts(dtype, {h.batch, h.kv_heads, rows, h.head});
    facts[3] = TensorFacts(dtype, {h.batch, h.q_heads, h.q_length, total->front()});
  }
  return OutputFacts(node, std::move(facts));
}

/// Heads [batch, heads, length, head] from columns [first, ...) of each token, in double.
Result<Tensor> HeadsOf(KernelContext& context, const Tensor& x, std::int64_t heads,
                       std::int64_t head, std::int64_t first) {
  const Tensor wide = TRY(Converted(context, x, DType::kFloat64));
  Tensor y = TRY(Tensor::Make(DType::kFloat64, {x.dim(0), heads, x.dim(1), head}));
  CopyBox(context,
          {.dims = y.shape(),
           .from = {x.dim(1) * x.dim(2), head, x.dim(2), 1},
           .to = ContiguousStrides(y.shape()),
           .from_offset = first},
          wide, y);
  return y;
}

/// Divides a head by its root mean square.
void NormalizeHead(std::span<double> head, const Doubles& weight, double epsilon) {
  if (weight.empty()) return;
  double squares = 0;
  for (const double x : head) squares += x * x;
  const double inverse = 1 / std::sqrt(squares / static_cast<double>(head.size()) + epsilon);
  for (std::size_t d = 0; d < head.size(); ++d) head[d] *= inverse * weight[d];
}

void NormalizeHeads(Tensor& heads, const Doubles& weight, double epsilon) {
  const std::span<double> elements = heads.data<double>();
  for (std::size_t at = 0; at + weight.size() <= elements.size() && !weight.empty();
       at += weight.size()) {
    NormalizeHead(elements.subspan(at, weight.size()), weight, epsilon);
  }
}

/// The tokens of each item of the batch.
struct Tokens {
  std::vector<std::int64_t> total, past;  ///< per item; past: before the first query
  std::vector<std::int64_t> positions;    ///< given ones, per query
  std::int64_t longest = 0;               ///< total_sequence_length

  std::int64_t Position(std::int64_t n, std::int64_t i, std::int64_t length) const {
    return positions.empty() ? past[At(n)] + i : positions[At(n * length + i)];
  }
};

Result<Tokens> TokensOf(const NodeFacts& node, KernelContext& context, const Sizes& sizes) {
  Tokens tokens;
  tokens.longest = IntsOf(context.input(kTotal))[0];
  TRY(CheckTotal(sizes, tokens.longest));
  const HeadsShape& h = sizes.heads;
  const bool prompt = tokens.longest <= h.q_length;
  const std::int64_t rows = std::max(sizes.past, tokens.longest);
  for (const std::int64_t last : IntsOf(context.input(kLengths))) {
    const std::int64_t total = last + 1;
    const std::int64_t past = prompt ? 0 : total - h.q_length;
    if (total < 1 || total > tokens.longest || past < 0 || past > sizes.past ||
        past + h.q_length > rows) {
      return Invalid("seqlens_k ", last, " does not fit ", h.q_length, " queries, a past of ",
                     sizes.past, " and total_sequence_length ", tokens.longest);
    }
    tokens.total.push_back(total);
    tokens.past.push_back(past);
  }
  if (node.Has(kPositions)) tokens.positions = IntsOf(context.input(kPositions));
  return tokens;
}

Result<void> CheckPosition(std::int64_t position, std::int64_t positions) {
  if (position >= 0 && position < positions) return {};
  return Invalid("position ", position, " out of range [0, ", positions, ")");
}

Result<void> RotateHeads(const Tokens& tokens, const RotaryCache& cache, Tensor& heads) {
  const Shape& dims = heads.shape();
  double* at = heads.data<double>().data();
  for (std::int64_t n = 0; n < dims[0]; ++n) {
    for (std::int64_t row = 0; row < dims[1] * dims[2]; ++row, at += dims[3]) {
      const std::int64_t i = row % dims[2];
      const std::int64_t position = tokens.Position(n, i, dims[2]);
      TRY(CheckPosition(position, cache.positions()));
      cache.Rotate(at, position);
    }
  }
  return {};
}

/// The past with the new rows of each item at their places: [batch, heads, rows, head].
Result<Tensor> Present(KernelContext& context, const Tensor* past, const Tensor& now,
                       const Tokens& tokens, std::int64_t rows) {
  const Shape& dims = now.shape();
  Tensor all = TRY(Tensor::Make(DType::kFloat64, {dims[0], dims[1], rows, dims[3]}));
  FillWith(all, nullptr);
  if (past != nullptr && past->size() > 0) {
    const Tensor wide = TRY(Converted(context, *past, DType::kFloat64));
    CopyBox(context,
            {.dims = wide.shape(),
             .from = ContiguousStrides(wide.shape()),
             .to = ContiguousStrides(all.shape())},
            wide, all);
  }
  const std::int64_t block = dims[2] * dims[3];
  for (std::int64_t plane = 0; plane < dims[0] * dims[1]; ++plane) {
    const std::int64_t first = tokens.past[At(plane / dims[1])];
    CopyElements(now, plane * block, all, (plane * rows + first) * dims[3], block);
  }
  return all;
}

HeadsBias BiasOf(const NodeFacts& node, const Tokens& tokens, const Tensor* added) {
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  const bool causal = node.attributes.Int("causal", 1) != 0;
  const std::int64_t window = node.attributes.Int("local_window_size", -1);
  const Shape dims = added == nullptr ? Shape{} : added->shape();
  auto biases = std::make_shared<const Doubles>(DoublesOf(added));
  return [=, &tokens](std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t j) -> double {
    const std::int64_t at = tokens.past[At(n)] + i;
    if (causal ? j > at : j >= tokens.total[At(n)]) return kHidden;
    if (window > 0 && j <= at - window) return kHidden;
    if (dims.empty()) return 0;
    if (j >= dims[3]) return kHidden;
    const std::int64_t plane = (dims[0] == 1 ? 0 : n) * dims[1] + (dims[1] == 1 ? 0 : h);
    return (*biases)[At((plane * dims[2] + i) * dims[3] + j)];
  };
}

struct Operands {
  Tensor q, k, v;
};

Result<Operands> OperandsOf(const NodeFacts& node, KernelContext& context, const Sizes& sizes,
                            const Tokens& tokens) {
  const HeadsShape& h = sizes.heads;
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Tensor& query = *context.input(kQuery);
  const Tensor& key = sizes.packed ? query : *context.input(kKey);
  const Tensor& value = sizes.packed ? query : *context.input(kValue);
  const std::int64_t k_first = sizes.packed ? h.q_heads * h.head : 0;
  const std::int64_t v_first = sizes.packed ? k_first + h.kv_heads * h.head : 0;
  Operands all;
  all.q = TRY(HeadsOf(context, query, h.q_heads, h.head, 0));
  all.k = TRY(HeadsOf(context, key, h.kv_heads, h.head, k_first));
  all.v = TRY(HeadsOf(context, value, h.kv_heads, h.head, v_first));
  const auto epsilon = static_cast<double>(node.attributes.Float("qk_norm_epsilon", 1e-6F));
  NormalizeHeads(all.q, DoublesOf(optional(kQueryNorm)), epsilon);
  NormalizeHeads(all.k, DoublesOf(optional(kKeyNorm)), epsilon);
  if (node.attributes.Int("do_rotary", 0) != 0) {
    const RotaryCache cache(*context.input(kCos), *context.input(kSin),
                            node.attributes.Int("rotary_interleaved", 0) != 0);
    TRY(RotateHeads(tokens, cache, all.q));
    TRY(RotateHeads(tokens, cache, all.k));
  }
  const std::int64_t rows = std::max(sizes.past, tokens.longest);
  all.k = TRY(Present(context, optional(kPastKey), all.k, tokens, rows));
  all.v = TRY(Present(context, optional(kPastValue), all.v, tokens, rows));
  return all;
}

/// The first columns of the scores.
Result<void> StoreScores(KernelContext& context, const Tensor& scores, Tensor& to) {
  Tensor cut = TRY(Tensor::Make(DType::kFloat64, to.shape()));
  CopyBox(context,
          {.dims = cut.shape(),
           .from = ContiguousStrides(scores.shape()),
           .to = ContiguousStrides(cut.shape())},
          scores, cut);
  return ConvertElements(context, cut, to);
}

Result<void> Store(const NodeFacts& node, KernelContext& context, std::size_t index,
                   const Tensor& from) {
  if (!Wanted(node, index)) return {};
  Tensor* to = TRY(OutputOf(node, context, index, node.dtype(kQuery), from.shape()));
  return ConvertElements(context, from, *to);
}

double ScaleOf(const NodeFacts& node, const HeadsShape& heads) {
  const auto scale = static_cast<double>(node.attributes.Float("scale", 0));
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(heads.head));
}

Doubles SinksOf(const NodeFacts& node, KernelContext& context, const HeadsShape& heads) {
  if (node.Has(kSink)) return DoublesOf(context.input(kSink));
  return node.attributes.Int("smooth_softmax", -1) == 1 ? Doubles(At(heads.q_heads), 0.0)
                                                        : Doubles();
}

/// In float32, keys in blocks.
class Blocked final : public Executable, public WorksInPlace {
 public:
  Blocked(const NodeFacts& node, const Sizes& sizes, int threads)
      : node_(node), sizes_(sizes), threads_(threads) {}

  std::int64_t scratch_bytes() const override {
    return threads_ * BlockedHeadsScratch(sizes_.heads);
  }

  /// Where the past has room for the new tokens, they alone are written.
  std::optional<std::size_t> InputUnder(std::size_t index) const override {
    if (!node_.Has(kPastKey) || (index != 1 && index != 2)) return {};
    return index == 1 ? kPastKey : kPastValue;
  }

  Result<void> Run(KernelContext& context) const override {
    const Tokens tokens = TRY(TokensOf(node_, context, sizes_));
    TRY(CheckPositions(context, tokens));
    HeadsShape h = sizes_.heads;
    h.kv_length = std::max(sizes_.past, tokens.longest);
    BlockedHeads problem{.shape = h, .scale = ScaleOf(node_, h)};
    problem.softcap = static_cast<double>(node_.attributes.Float("softcap", 0));
    problem.sinks = SinksOf(node_, context, h);
    SetSeen(tokens, problem);
    Tensor own;
    problem.q = TRY(Queries(context, tokens, own));
    Tensor made[2];
    const Tensor* k = TRY(Present(context, tokens, h.kv_length, 1, made[0]));
    const Tensor* v = TRY(Present(context, tokens, h.kv_length, 2, made[1]));
    const HeadsPlace place = HeadsFirst(h.kv_heads, h.kv_length, h.head);
    problem.keys[0] = {.keys = {k->data<float>().data(), place},
                       .values = {v->data<float>().data(), place},
                       .count = h.kv_length};
    if (!Wanted(node_, 0)) return {};
    if (node_.Has(kAdded)) {
      problem.bias[0] = RowsOfAdded(*context.input(kAdded));
      LimitKeys(context.input(kAdded)->dim(3), problem);
    }
    problem.y = context.output(0).data<float>().data();
    problem.y_place = TokensFirst(h.q_heads, h.q_length, h.head);
    AttendBlocked(context, problem);
    return {};
  }

 private:
  /// What is done with new queries or keys.
  struct Turn {
    Doubles norm;
    const RotaryCache* rotary = nullptr;
    bool none() const { return norm.empty() && rotary == nullptr; }
  };

  bool rotates() const { return node_.attributes.Int("do_rotary", 0) != 0; }

  Result<void> CheckPositions(KernelContext& context, const Tokens& tokens) const {
    if (!rotates()) return {};
    const std::int64_t most = context.input(kCos)->dim(0);
    for (std::int64_t n = 0; n < sizes_.heads.batch; ++n) {
      for (std::int64_t i = 0; i < sizes_.heads.q_length; ++i) {
        TRY(CheckPosition(tokens.Position(n, i, sizes_.heads.q_length), most));
      }
    }
    return {};
  }

  void SetSeen(const Tokens& tokens, BlockedHeads& problem) const {
    problem.seen.offset = tokens.past;
    const std::int64_t window = node_.attributes.Int("local_window_size", -1);
    if (window > 0) problem.seen.left = window - 1;
    if (node_.attributes.Int("causal", 1) != 0) {
      problem.seen.right = 0;
    } else {
      problem.seen.end = tokens.total;
    }
  }

  static void LimitKeys(std::int64_t most, BlockedHeads& problem) {
    std::vector<std::int64_t>& end = problem.seen.end;
    end.resize(At(problem.shape.batch), problem.shape.kv_length);
    for (std::int64_t& one : end) one = std::min(one, most);
  }

  /// Where queries (0), keys (1) or values (2) begin in each token, and in which input.
  HeadsView Fresh(KernelContext& context, int which) const {
    const HeadsShape& h = sizes_.heads;
    const std::int64_t heads = which == 0 ? h.q_heads : h.kv_heads;
    if (!sizes_.packed) {
      return {context.input(At(which))->data<float>().data(),
              TokensFirst(heads, h.q_length, h.head)};
    }
    const std::int64_t before = which == 0 ? 0 : h.q_heads + (which - 1) * h.kv_heads;
    HeadsView view{context.input(kQuery)->data<float>().data() + before * h.head,
                   TokensFirst(h.q_heads + 2 * h.kv_heads, h.q_length, h.head)};
    return view;
  }

  Turn TurnOf(KernelContext& context, Input norm, const RotaryCache* rotary) const {
    return {.norm = DoublesOf(node_.Has(norm) ? context.input(norm) : nullptr), .rotary = rotary};
  }

  RotaryCache CacheOf(KernelContext& context) const {
    if (!rotates()) return {};
    return {*context.input(kCos), *context.input(kSin),
            node_.attributes.Int("rotary_interleaved", 0) != 0};
  }

  Result<HeadsView> Queries(KernelContext& context, const Tokens& tokens, Tensor& own) const {
    const HeadsShape& h = sizes_.heads;
    const HeadsView view = Fresh(context, 0);
    const RotaryCache cache = CacheOf(context);
    const Turn turn = TurnOf(context, kQueryNorm, rotates() ? &cache : nullptr);
    if (turn.none()) return view;
    own = TRY(Tensor::Make(DType::kFloat32, {h.batch, h.q_heads, h.q_length, h.head}));
    const HeadsPlace place = HeadsFirst(h.q_heads, h.q_length, h.head);
    Store(context, tokens, view, turn, h.q_heads, {}, place, own.data<float>().data());
    return HeadsView{own.data<float>().data(), place};
  }

  /// New heads, normalised and turned, to where `place` has them, `first` rows later.
  void Store(KernelContext& context, const Tokens& tokens, const HeadsView& from, const Turn& turn,
             std::int64_t heads, const std::vector<std::int64_t>& first, const HeadsPlace& place,
             float* to) const {
    const HeadsShape& h = sizes_.heads;
    const auto epsilon = static_cast<double>(node_.attributes.Float("qk_norm_epsilon", 1e-6F));
    const auto width = At(h.head);
    context.ParallelFor(
        h.batch * heads * h.q_length, 16, [&](std::int64_t begin, std::int64_t end) {
          Doubles wide(turn.none() ? 0 : width);
          for (std::int64_t row = begin; row < end; ++row) {
            const std::int64_t i = row % h.q_length, head = row / h.q_length % heads;
            const std::int64_t n = row / h.q_length / heads;
            const std::int64_t at = i + (first.empty() ? 0 : first[At(n)]);
            const float* source =
                from.data + n * from.place.item + head * from.place.head + i * from.place.row;
            float* target = to + n * place.item + head * place.head + at * place.row;
            if (turn.none()) {
              std::copy_n(source, h.head, target);
              continue;
            }
            std::copy_n(source, h.head, wide.begin());
            NormalizeHead(wide, turn.norm, epsilon);
            if (turn.rotary != nullptr) {
              turn.rotary->Rotate(wide.data(), tokens.Position(n, i, h.q_length));
            }
            std::ranges::transform(wide, target, [](double x) { return static_cast<float>(x); });
          }
        });
  }

  /// Keys (1) or values (2): the past with the new rows of each item at their places, as the output
  /// or, where that is not wanted, as `made`.
  Result<const Tensor*> Present(KernelContext& context, const Tokens& tokens, std::int64_t rows,
                                std::size_t which, Tensor& made) const {
    const HeadsShape& h = sizes_.heads;
    const Shape shape{h.batch, h.kv_heads, rows, h.head};
    Tensor* present = &made;
    if (Wanted(node_, which)) {
      present = TRY(OutputOf(node_, context, which, DType::kFloat32, shape));
    } else {
      made = TRY(Tensor::Make(DType::kFloat32, shape));
    }
    float* const to = present->data<float>().data();
    const Tensor* past = node_.Has(kPastKey) ? context.input(which + 2) : nullptr;
    const std::int64_t kept = sizes_.past * h.head;
    context.ParallelFor(h.batch * h.kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t plane = begin; plane < end; ++plane) {
        float* const all = to + plane * rows * h.head;
        const float* const before = kept > 0 ? past->data<float>().data() + plane * kept : all;
        if (before != all) std::copy_n(before, kept, all);
        std::fill(all + kept, all + rows * h.head, 0.0F);
      }
    });
    const RotaryCache cache = CacheOf(context);
    const bool keys = which == 1;
    const Turn turn = keys ? TurnOf(context, kKeyNorm, rotates() ? &cache : nullptr) : Turn{};
    Store(context, tokens, Fresh(context, static_cast<int>(which)), turn, h.kv_heads, tokens.past,
          HeadsFirst(h.kv_heads, rows, h.head), to);
    return present;
  }

  const NodeFacts& node_;
  Sizes sizes_;
  int threads_;
};

std::string DeclineBlocked(const NodeFacts& node) {
  if (node.dtype(kQuery) != DType::kFloat32) return "the query is not float32";
  return Wanted(node, 3) ? "the scores are wanted" : "";
}

std::string DeclineBlockedWidened(const NodeFacts& node) {
  for (const ValueFacts& output : node.outputs) {
    if (!output.shape) return "shapes of outputs depend on data";
  }
  return DeclineWidened<DeclineBlocked>(node);
}

Result<std::unique_ptr<Executable>> PrepareBlocked(const NodeFacts& node, DeviceContext& device) {
  const Sizes sizes = TRY(SizesOf(node));
  return std::unique_ptr<Executable>(new Blocked(node, sizes, device.threads()));
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  Sizes sizes = TRY(SizesOf(node));
  HeadsShape& h = sizes.heads;
  const Tokens tokens = TRY(TokensOf(node, context, sizes));
  const Operands all = TRY(OperandsOf(node, context, sizes, tokens));
  h.kv_length = all.k.dim(2);
  HeadsProblem problem{.shape = h, .q = &all.q, .k = &all.k, .v = &all.v};
  problem.scale = ScaleOf(node, h);
  problem.softcap = static_cast<double>(node.attributes.Float("softcap", 0));
  problem.bias = BiasOf(node, tokens, node.Has(kAdded) ? context.input(kAdded) : nullptr);
  problem.sinks = SinksOf(node, context, h);
  if (Wanted(node, 3)) {
    problem.wanted = node.attributes.Int("qk_output", 0) == 1 ? ScoresWanted::kBeforeSoftmax
                                                              : ScoresWanted::kAfterSoftmax;
  }
  const HeadsResult result = TRY(Attend(context, problem));
  if (Wanted(node, 0)) TRY(JoinHeads(context, result.y, context.output(0)));
  TRY(Store(node, context, 1, all.k));
  TRY(Store(node, context, 2, all.v));
  if (!Wanted(node, 3)) return {};
  Tensor* scores = TRY(OutputOf(node, context, 3, node.dtype(kQuery),
                                {h.batch, h.q_heads, h.q_length, tokens.longest}));
  return StoreScores(context, *result.scores, *scores);
}

constexpr Kernel kKernels[] = {{.name = "group_query_attention_blocked",
                                .declines = DeclineBlocked,
                                .prepare = PrepareBlocked},
                               {.name = "group_query_attention_blocked_widened",
                                .declines = DeclineBlockedWidened,
                                .prepare = PrepareWidened<PrepareBlocked>},
                               {.name = "group_query_attention_reference", .run = Run}};
constexpr DTypeSet kHalf32 = Types({DType::kFloat32, DType::kFloat16, DType::kBfloat16});

}  // namespace

OpList ops_ms_group_query_attention() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "GroupQueryAttention",
            .domain = "com.microsoft",
            .signature =
                "query:T, key?:T, value?:T, past_key?:T, past_value?:T, seqlens_k:int32, "
                "total_sequence_length:int32, cos_cache?:T, sin_cache?:T, position_ids?:int64, "
                "attention_bias?:T, head_sink?:T, k_scale?:float, v_scale?:float, "
                "q_norm_weight?:T, k_norm_weight?:T -> output:T, present_key?:T, "
                "present_value?:T, output_qk?:T",
            .types = kT<kHalf32>,
            .attributes =
                "causal:int=1, do_rotary:int, k_quant_type:string=NONE, kv_cache_bit_width:int, "
                "kv_num_heads!:int, local_window_size:int=-1, num_heads!:int, "
                "qk_norm_epsilon:float=1e-6, qk_output:int=0, rotary_interleaved:int, scale:float, "
                "sliding_window_cache:int=0, smooth_softmax:int=-1, softcap:float, "
                "v_quant_type:string=NONE",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
