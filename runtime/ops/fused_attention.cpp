// SPDX-License-Identifier: Apache-2.0
// slipway.Attention: Softmax(scale * Q x K' + bias, or `fill` where the mask says so) x V, as
// products with a Softmax between them compute it; where `literal` is 0, as Attention does: minus
// infinity hides a key, and a query that sees none gets zeros. The pass `fuse_attention` puts it
// into plans; models cannot name its domain. Each operand is [batch, heads, length, width] or,
// where its attribute `…_by_token` is 1, [batch, length, heads, width]; all are [heads, length,
// width] where there is no batch.
#include <algorithm>
#include <cmath>

#include "runtime/device/device.h"
#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/heads_blocked.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t { kQuery, kKey, kValue, kBias, kMask };

/// Of an operand as [batch, heads, length, width].
struct Operand {
  std::int64_t batch = 0, heads = 0, length = 0, width = 0;
  bool by_token = false;

  HeadsPlace place() const {
    return by_token ? TokensFirst(heads, length, width) : HeadsFirst(heads, length, width);
  }
};

Operand OperandOf(const Shape& shape, bool by_token) {
  if (shape.size() == 3) return {1, shape[0], shape[1], shape[2]};
  return {shape[0], shape[by_token ? 2 : 1], shape[by_token ? 1 : 2], shape[3], by_token};
}

struct Problem {
  Operand q, k, v;
  HeadsShape heads = {};
  bool y_by_token = false;

  Shape scores() const { return {heads.batch, heads.q_heads, heads.q_length, heads.kv_length}; }
};

Result<Problem> ProblemOf(const NodeFacts& node) {
  const Shape& q = node.shape(kQuery);
  const std::size_t rank = q.size();
  const auto operand = [&](Input input, std::string_view by_token) {
    return OperandOf(node.shape(input), node.attributes.Int(by_token, 0) != 0);
  };
  if ((rank != 3 && rank != 4) || node.shape(kKey).size() != rank ||
      node.shape(kValue).size() != rank) {
    return Invalid("query of ", q, " has not three or four dimensions as key and value");
  }
  Problem p{.q = operand(kQuery, "q_by_token"),
            .k = operand(kKey, "k_by_token"),
            .v = operand(kValue, "v_by_token")};
  p.y_by_token = rank == 4 && node.attributes.Int("y_by_token", 0) != 0;
  const bool fits = p.k.batch == p.q.batch && p.v.batch == p.q.batch && p.k.heads == p.q.heads &&
                    p.v.heads == p.q.heads && p.k.width == p.q.width && p.v.length == p.k.length &&
                    p.q.heads > 0;
  if (!fits) {
    return Invalid("query of ", q, ", key of ", node.shape(kKey), " and value of ",
                   node.shape(kValue), " do not fit");
  }
  p.heads = {.batch = p.q.batch,
             .q_heads = p.q.heads,
             .kv_heads = p.q.heads,
             .q_length = p.q.length,
             .kv_length = p.k.length,
             .head = p.q.width,
             .v_head = p.v.width};
  for (const Input input : {kBias, kMask}) {
    if (!node.Has(input)) continue;
    const Result<Shape> joined = BroadcastShapes(p.scores(), node.shape(input));
    if (!joined || *joined != p.scores()) {
      return Invalid("input ", static_cast<int>(input), " of ", node.shape(input),
                     " does not broadcast to ", p.scores());
    }
  }
  return p;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Problem p = TRY(ProblemOf(node));
  const HeadsShape& h = p.heads;
  Shape y{h.batch, h.q_heads, h.q_length, h.v_head};
  if (p.y_by_token) std::swap(y[1], y[2]);
  if (node.shape(kQuery).size() == 3) y.erase(y.begin());
  return Facts{TensorFacts(node.dtype(kQuery), std::move(y))};
}

HeadsPlace PlaceOfY(const Problem& p) {
  const HeadsShape& h = p.heads;
  return p.y_by_token ? TokensFirst(h.q_heads, h.q_length, h.v_head)
                      : HeadsFirst(h.q_heads, h.q_length, h.v_head);
}

/// What is added to scores, or replaces them, as float32 with a number for each key.
Result<Tensor> RowsOf(const Tensor& given, std::int64_t keys, float seen, float masked) {
  Shape shape = given.shape();
  if (shape.empty()) shape = {1};
  const std::int64_t times = shape.back() == 1 ? keys : 1;
  shape.back() *= times;
  Tensor rows = TRY(Tensor::Make(DType::kFloat32, shape));
  float* to = rows.data<float>().data();
  for (std::int64_t i = 0; i < given.size(); ++i) {
    float number = 0;
    if (given.dtype() == DType::kBool) {
      number = given.data<bool>()[At(i)] ? masked : seen;
    } else {
      number = given.data<float>()[At(i)];
    }
    to = std::fill_n(to, times, number);
  }
  return rows;
}

BiasRows Strided(const Tensor& rows) {
  const Shape& shape = rows.shape();
  BiasRows strided{.data = rows.data<float>().data()};
  std::int64_t* const strides[] = {&strided.row, &strided.head, &strided.item};
  std::int64_t step = shape.back();
  for (std::size_t d = 0; d + 1 < shape.size(); ++d) {
    const std::int64_t dim = shape[shape.size() - 2 - d];
    *strides[d] = dim == 1 ? 0 : step;
    step *= dim;
  }
  return strided;
}

class Blocked final : public Executable {
 public:
  Blocked(const NodeFacts& node, const Problem& problem, int threads)
      : node_(node), p_(problem), threads_(threads) {}

  std::int64_t scratch_bytes() const override { return threads_ * BlockedHeadsScratch(p_.heads); }

  Result<void> Run(KernelContext& context) const override {
    const auto view = [&](Input input, const Operand& operand) -> HeadsView {
      return {context.input(input)->data<float>().data(), operand.place()};
    };
    BlockedHeads problem{.shape = p_.heads, .q = view(kQuery, p_.q)};
    problem.keys[0] = {
        .keys = view(kKey, p_.k), .values = view(kValue, p_.v), .count = p_.heads.kv_length};
    problem.scale = static_cast<double>(node_.attributes.Float("scale", 1));
    problem.literal = node_.attributes.Int("literal", 1) != 0;
    problem.y = context.output(0).data<float>().data();
    problem.y_place = PlaceOfY(p_);
    Tensor bias, mask;
    if (node_.Has(kBias)) {
      const Tensor& given = *context.input(kBias);
      const bool whole = given.rank() > 0 && given.shape().back() == p_.heads.kv_length;
      bias = whole ? given : TRY(RowsOf(given, p_.heads.kv_length, 0, 0));
      problem.bias[0] = Strided(bias);
    }
    if (node_.Has(kMask)) {
      const float fill = node_.attributes.Float("fill", 0);
      const bool keeps = node_.attributes.Int("mask_keeps", 0) != 0;
      mask = TRY(
          RowsOf(*context.input(kMask), p_.heads.kv_length, keeps ? fill : 0, keeps ? 0 : fill));
      problem.bias[1] = Strided(mask);
      problem.fills = true;
    }
    AttendBlocked(context, problem);
    return {};
  }

 private:
  const NodeFacts& node_;
  Problem p_;
  int threads_;
};

std::string DeclineBlocked(const NodeFacts& node) {
  for (const Input input : {kQuery, kKey, kValue, kBias}) {
    if (node.Has(input) && node.dtype(input) != DType::kFloat32) {
      return Message("input ", static_cast<int>(input), " is of ", node.dtype(input));
    }
  }
  return "";
}

Result<std::unique_ptr<Executable>> PrepareBlocked(const NodeFacts& node, DeviceContext& device) {
  const Problem problem = TRY(ProblemOf(node));
  return std::unique_ptr<Executable>(new Blocked(node, problem, device.threads()));
}

/// Elements of a tensor that broadcasts to the scores.
class Spread {
 public:
  Spread(const Tensor* tensor, const Shape& scores) : elements_(DoublesOf(tensor)) {
    if (tensor != nullptr) plan_ = PlanBroadcast(scores, {tensor->shape()});
  }
  bool given() const { return !elements_.empty(); }
  /// Row `row` of `keys` numbers.
  void Row(std::int64_t row, std::int64_t keys, std::span<double> to) const {
    ForEachRun(plan_, row * keys, (row + 1) * keys,
               [&](std::int64_t at, const std::vector<std::int64_t>& from, std::int64_t count) {
                 for (std::int64_t i = 0; i < count; ++i) {
                   to[At(at + i - row * keys)] = elements_[At(from[0] + i * plan_.inner_stride(0))];
                 }
               });
  }

 private:
  Doubles elements_;
  BroadcastPlan plan_;
};

/// Scores of one query become probabilities, as Softmax has it or, where not `literal`, Attention.
void Soften(std::span<double> scores, bool literal) {
  if (scores.empty()) return;
  const double largest = *std::ranges::max_element(scores);
  if (largest == -HUGE_VAL && !literal) {
    std::ranges::fill(scores, 0.0);
    return;
  }
  double sum = 0;
  for (double& score : scores) sum += score = std::exp(score - largest);
  for (double& score : scores) score /= sum;
}

Result<void> RunReference(const NodeFacts& node, KernelContext& context) {
  const Problem p = TRY(ProblemOf(node));
  const HeadsShape& h = p.heads;
  const auto optional = [&](Input i) { return node.Has(i) ? context.input(i) : nullptr; };
  const Doubles q = DoublesOf(context.input(kQuery)), k = DoublesOf(context.input(kKey)),
                v = DoublesOf(context.input(kValue));
  const Spread bias(optional(kBias), p.scores()), mask(optional(kMask), p.scores());
  const auto scale = static_cast<double>(node.attributes.Float("scale", 1));
  const auto fill = static_cast<double>(node.attributes.Float("fill", 0));
  const bool literal = node.attributes.Int("literal", 1) != 0;
  const double filled = node.attributes.Int("mask_keeps", 0) != 0 ? 0 : 1;
  Doubles y(At(context.output(0).size())), scores(At(h.kv_length)), other(At(h.kv_length));
  for (std::int64_t row = 0; row < h.batch * h.q_heads * h.q_length; ++row) {
    if (MustStop()) return {};
    const std::int64_t i = row % h.q_length, head = row / h.q_length % h.q_heads;
    const std::int64_t n = row / h.q_length / h.q_heads;
    const auto at = [&](const HeadsPlace& place, std::int64_t s) {
      return n * place.item + head * place.head + s * place.row;
    };
    for (std::int64_t j = 0; j < h.kv_length; ++j) {
      double sum = 0;
      for (std::int64_t d = 0; d < h.head; ++d) {
        sum += q[At(at(p.q.place(), i) + d)] * k[At(at(p.k.place(), j) + d)];
      }
      scores[At(j)] = sum * scale;
    }
    if (bias.given()) {
      bias.Row(row, h.kv_length, other);
      std::ranges::transform(scores, other, scores.begin(), [&](double score, double added) {
        return added == -HUGE_VAL && !literal ? added : score + added;
      });
    }
    if (mask.given()) {
      mask.Row(row, h.kv_length, other);
      std::ranges::transform(scores, other, scores.begin(),
                             [&](double score, double m) { return m == filled ? fill : score; });
    }
    Soften(scores, literal);
    for (std::int64_t j = 0; j < h.kv_length; ++j) {
      if (scores[At(j)] == 0 && !literal) continue;
      for (std::int64_t d = 0; d < h.v_head; ++d) {
        y[At(at(PlaceOfY(p), i) + d)] += scores[At(j)] * v[At(at(p.v.place(), j) + d)];
      }
    }
  }
  return StoreDoubles(context, y, context.output(0));
}

constexpr Kernel kKernels[] = {
    {.name = "attention_fused_blocked", .declines = DeclineBlocked, .prepare = PrepareBlocked},
    {.name = "attention_fused_reference", .run = RunReference}};

constexpr TypeRule kRules[] = {{"T", kFloatTypes}, {"B", kBoolType}};

}  // namespace

OpList ops_fused_attention() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "Attention",
            .domain = "slipway",
            .signature = "Q:T, K:T, V:T, bias?:T, mask?:B -> Y:T",
            .types = kRules,
            .attributes = "fill:float, k_by_token:int=0, literal:int=1, mask_keeps:int=0, "
                          "q_by_token:int=0, scale:float=1.0, v_by_token:int=0, y_by_token:int=0",
            .infer = Infer,
            .kernels = kKernels},
  });
  return kOps;
}

}  // namespace slipway::runtime
