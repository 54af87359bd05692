// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "runtime/kernels/broadcast.h"
#include "runtime/kernels/float16.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

constexpr double kMasked = -std::numeric_limits<double>::infinity();

Result<void> ReadHeads(const NodeFacts& node, AttentionShape& shape) {
  const Shape& q = node.shape(0);
  const Shape& k = node.shape(1);
  const Shape& v = node.shape(2);
  shape.packed_heads = q.size() == 3;
  if (!shape.packed_heads) {
    shape.q_heads = q[1];
    shape.kv_heads = k[1];
    shape.q_length = q[2];
    shape.kv_length = k[2];
    shape.head = q[3];
    shape.v_head = v[3];
    return {};
  }
  shape.q_heads = node.attributes.Int("q_num_heads", 0);
  shape.kv_heads = node.attributes.Int("kv_num_heads", 0);
  if (shape.q_heads < 1 || shape.kv_heads < 1 || q[2] % shape.q_heads != 0 ||
      v[2] % shape.kv_heads != 0) {
    return Invalid("attributes `q_num_heads` ", shape.q_heads, " and `kv_num_heads` ",
                   shape.kv_heads, " do not divide Q of ", q, " and V of ", v);
  }
  shape.q_length = q[1];
  shape.kv_length = k[1];
  shape.head = q[2] / shape.q_heads;
  shape.v_head = v[2] / shape.kv_heads;
  return {};
}

/// The shape of K or V, `head` wide.
Shape KeyShape(const AttentionShape& s, std::int64_t head) {
  if (s.packed_heads) return {s.batch, s.kv_length, s.kv_heads * head};
  return {s.batch, s.kv_heads, s.kv_length, head};
}

Result<void> CheckCache(const NodeFacts& node, AttentionShape& shape) {
  if (node.Has(4) != node.Has(5)) return Invalid("past key and value are not given together");
  if (node.Has(6) && node.Has(4)) return Invalid("nonpad_kv_seqlen and a past key are both given");
  if (node.Has(6) && node.shape(6) != Shape{shape.batch}) {
    return Invalid("input `nonpad_kv_seqlen` of ", node.shape(6), " is not [", shape.batch, "]");
  }
  if (!node.Has(4)) return {};
  if (node.shape(4).size() != 4) return Invalid("past key of ", node.shape(4));
  shape.past = node.shape(4)[2];
  const Shape key{shape.batch, shape.kv_heads, shape.past, shape.head};
  const Shape value{shape.batch, shape.kv_heads, shape.past, shape.v_head};
  if (node.shape(4) == key && node.shape(5) == value) return {};
  return Invalid("past key of ", node.shape(4), " and value of ", node.shape(5), " are not ", key,
                 " and ", value);
}

Result<void> CheckMask(const NodeFacts& node, const AttentionShape& shape) {
  if (!node.Has(3)) return {};
  Shape mask = node.shape(3);
  if (mask.empty() || mask.back() > shape.total()) return Invalid("attention mask of ", mask);
  if (mask.back() != 1) mask.back() = shape.total();
  const Shape scores{shape.batch, shape.q_heads, shape.q_length, shape.total()};
  const Result<Shape> joined = BroadcastShapes(scores, mask);
  if (joined && *joined == scores) return {};
  return Invalid("attention mask of ", node.shape(3), " does not broadcast to ", scores);
}

/// Everything in double and in [batch, heads, length, head].
struct Operands {
  Tensor q, k, v;
  std::optional<Tensor> mask;
  std::vector<std::int64_t> valid;  ///< keys per batch item, where given
};

/// `x` with heads before lengths.
Result<Tensor> HeadsFirst(KernelContext& context, const Tensor& x, std::int64_t heads) {
  const Tensor wide = TRY(Converted(context, x, DType::kFloat64));
  if (x.rank() == 4) return wide;
  const std::int64_t length = x.dim(1);
  const std::int64_t head = x.dim(2) / heads;
  Tensor out = TRY(Tensor::Make(DType::kFloat64, {x.dim(0), heads, length, head}));
  const Strides from{length * heads * head, head, heads * head, 1};
  CopyBox(context, {.dims = out.shape(), .from = from, .to = ContiguousStrides(out.shape())}, wide,
          out);
  return out;
}

/// The cache's part before the new one, along the lengths.
Result<Tensor> Appended(KernelContext& context, const Tensor* past, const Tensor& now) {
  if (past == nullptr) return now;
  const Tensor before = TRY(Converted(context, *past, DType::kFloat64));
  Shape shape = now.shape();
  shape[2] += before.dim(2);
  Tensor all = TRY(Tensor::Make(DType::kFloat64, shape));
  const Strides to = ContiguousStrides(shape);
  CopyBox(context, {.dims = before.shape(), .from = ContiguousStrides(before.shape()), .to = to},
          before, all);
  CopyBox(context,
          {.dims = now.shape(),
           .from = ContiguousStrides(now.shape()),
           .to = to,
           .to_offset = before.dim(2) * shape[3]},
          now, all);
  return all;
}

/// What is added to scores for one query: the mask, padding, causality and window.
class Bias {
 public:
  Bias(const NodeFacts& node, const AttentionShape& shape, const Operands& operands)
      : shape_(shape),
        operands_(operands),
        causal_(node.attributes.Int("is_causal", 0) != 0),
        boolean_(node.Has(3) && node.dtype(3) == DType::kBool),
        left_(node.attributes.Int("left_window_size", -1)),
        right_(node.attributes.Int("right_window_size", -1)) {
    if (!operands.mask) return;
    const Shape& mask = operands.mask->shape();
    Strides strides = ContiguousStrides(mask);
    for (std::size_t d = 0; d < mask.size(); ++d) {
      if (mask[d] == 1) strides[d] = 0;
    }
    steps_.assign(4 - mask.size(), 0);
    steps_.insert(steps_.end(), strides.begin(), strides.end());
    mask_length_ = mask.back() == 1 ? shape.total() : mask.back();
  }

  double At(std::int64_t n, std::int64_t head, std::int64_t i, std::int64_t j) const {
    const bool padded = !operands_.valid.empty();
    const std::int64_t valid = padded ? operands_.valid[runtime::At(n)] : shape_.total();
    const std::int64_t offset = padded ? valid - shape_.q_length : shape_.past;
    const std::int64_t ahead = j - i - offset;
    if (causal_ && ahead > 0) return kMasked;
    if (left_ >= 0 && -ahead > left_) return kMasked;
    if (right_ >= 0 && ahead > right_) return kMasked;
    if (j >= valid && padded) return kMasked;
    if (!operands_.mask) return 0;
    if (j >= mask_length_) return kMasked;
    const std::int64_t at = n * steps_[0] + head * steps_[1] + i * steps_[2] + j * steps_[3];
    const double value = operands_.mask->data<double>()[runtime::At(at)];
    if (!boolean_) return value;
    return value != 0 ? 0 : kMasked;
  }

 private:
  const AttentionShape& shape_;
  const Operands& operands_;
  bool causal_, boolean_;
  std::int64_t left_, right_;
  Strides steps_;
  std::int64_t mask_length_ = 0;
};

/// The nearest number of an element type.
using Rounding = double (*)(double);

double Exact(double x) { return x; }

template <class T>
double RoundedTo(double x) {
  return static_cast<double>(static_cast<float>(T(static_cast<float>(x))));
}

/// 16-bit types round after each step, as the standard's own implementation does; wider ones, in
/// which that changes next to nothing, do not.
Rounding RoundingOf(DType dtype) {
  if (dtype == DType::kFloat16) return RoundedTo<Float16>;
  if (dtype == DType::kBfloat16) return RoundedTo<BFloat16>;
  return Exact;
}

struct Settings {
  double scale, softcap;
  std::int64_t mode;
  Rounding round = Exact;   ///< to the inputs' type
  Rounding soften = Exact;  ///< to the type that probabilities are computed in
};

/// Turns scores into probabilities; all zero where every key is masked.
void Normalize(std::vector<double>& scores, bool masked, Rounding round) {
  for (double& score : scores) score = round(score);
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) {
    score = masked || largest == kMasked ? 0 : round(std::exp(round(score - largest)));
    sum += score;
  }
  sum = round(sum);
  for (double& score : scores) score = sum == 0 ? 0 : round(score / sum);
}

double Capped(double score, double cap, Rounding round) {
  return round(cap * round(std::tanh(round(score / cap))));
}

/// One query: scores of all keys, then the weighted sum of the values. `exposed`, if not null,
/// gets the scores at the stage that the node asks for.
void Attend(const AttentionShape& s, const Operands& operands, const Bias& bias,
            const Settings& settings, std::int64_t row, double* exposed, double* out) {
  const std::int64_t i = row % s.q_length;
  const std::int64_t head = row / s.q_length % s.q_heads;
  const std::int64_t n = row / s.q_length / s.q_heads;
  const std::int64_t kv = n * s.kv_heads + head / (s.q_heads / s.kv_heads);
  const double* q = operands.q.data<double>().data() + row * s.head;
  const double* keys = operands.k.data<double>().data() + kv * s.total() * s.head;
  const double* values = operands.v.data<double>().data() + kv * s.total() * s.v_head;
  std::vector<double> scores(At(s.total()));
  const auto expose = [&](std::int64_t mode) {
    if (exposed != nullptr && settings.mode == mode) {
      std::copy(scores.begin(), scores.end(), exposed);
    }
  };
  for (std::int64_t j = 0; j < s.total(); ++j) {
    double sum = 0;
    for (std::int64_t k = 0; k < s.head; ++k) sum += q[k] * keys[j * s.head + k];
    scores[At(j)] = settings.round(sum * settings.scale);
  }
  expose(0);
  if (settings.softcap > 0) {
    for (double& score : scores) score = Capped(score, settings.softcap, settings.round);
  }
  expose(1);
  bool masked = true;
  for (std::int64_t j = 0; j < s.total(); ++j) {
    const double added = bias.At(n, head, i, j);
    masked = masked && added == kMasked;
    scores[At(j)] = added == kMasked ? kMasked : settings.round(scores[At(j)] + added);
  }
  expose(2);
  if (!scores.empty()) Normalize(scores, masked, settings.soften);
  for (double& score : scores) score = settings.round(score);
  expose(3);
  std::fill_n(out, s.v_head, 0.0);
  for (std::int64_t j = 0; j < s.total(); ++j) {
    if (scores[At(j)] == 0) continue;
    for (std::int64_t k = 0; k < s.v_head; ++k) out[k] += scores[At(j)] * values[j * s.v_head + k];
  }
}

Result<void> Store(KernelContext& context, const Tensor& from, Tensor& to) {
  const Tensor narrow = TRY(Converted(context, from, to.dtype()));
  CopyAll(narrow, to);
  return {};
}

/// Y as the inputs are laid out.
Result<void> StoreHeads(KernelContext& context, const AttentionShape& s, const Tensor& y,
                        Tensor& to) {
  if (!s.packed_heads) return Store(context, y, to);
  const Tensor narrow = TRY(Converted(context, y, to.dtype()));
  const std::int64_t width = s.q_heads * s.v_head;
  CopyBox(context,
          {.dims = y.shape(),
           .from = ContiguousStrides(y.shape()),
           .to = {s.q_length * width, s.v_head, width, 1}},
          narrow, to);
  return {};
}

/// The type that `softmax_precision` names; that of the inputs where there is none.
Result<Rounding> SofteningOf(const NodeFacts& node) {
  if (!node.attributes.Has("softmax_precision")) return RoundingOf(node.dtype(0));
  return RoundingOf(TRY(DTypeFromNumber(node.attributes.Int("softmax_precision", 0))));
}

/// Every element times `factor`, both rounded.
Result<Tensor> Scaled(KernelContext& context, const Tensor& x, double factor, Rounding round) {
  Tensor scaled = TRY(Tensor::Make(DType::kFloat64, x.shape()));
  const double* from = x.data<double>().data();
  double* to = scaled.data<double>().data();
  const double rounded = round(factor);
  context.ParallelFor(x.size(), 4096, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = round(from[i] * rounded);
  });
  return scaled;
}

Result<Operands> OperandsOf(const NodeFacts& node, KernelContext& context,
                            const AttentionShape& shape) {
  const auto optional = [&](std::size_t i) { return node.Has(i) ? context.input(i) : nullptr; };
  Operands operands;
  operands.q = TRY(HeadsFirst(context, *context.input(0), shape.q_heads));
  const Tensor k = TRY(HeadsFirst(context, *context.input(1), shape.kv_heads));
  operands.k = TRY(Appended(context, optional(4), k));
  const Tensor v = TRY(HeadsFirst(context, *context.input(2), shape.kv_heads));
  operands.v = TRY(Appended(context, optional(5), v));
  if (node.Has(3)) operands.mask = TRY(Converted(context, *context.input(3), DType::kFloat64));
  operands.valid = TRY(ValidKeys(optional(6), shape));
  return operands;
}

}  // namespace

Result<AttentionShape> AttentionShapeOf(const NodeFacts& node) {
  const Shape& q = node.shape(0);
  const std::size_t rank = q.size();
  if ((rank != 3 && rank != 4) || node.shape(1).size() != rank || node.shape(2).size() != rank) {
    return Invalid("Q of ", q, ", K of ", node.shape(1), " and V of ", node.shape(2),
                   " must all have three or four dimensions");
  }
  AttentionShape shape{.batch = q[0]};
  TRY(ReadHeads(node, shape));
  if (node.shape(1) != KeyShape(shape, shape.head) ||
      node.shape(2) != KeyShape(shape, shape.v_head)) {
    return Invalid("K of ", node.shape(1), " and V of ", node.shape(2), " do not fit Q of ", q);
  }
  if (shape.kv_heads < 1 || shape.q_heads % shape.kv_heads != 0) {
    return Invalid(shape.q_heads, " query heads do not share ", shape.kv_heads, " heads of keys");
  }
  for (const std::string_view name : {"left_window_size", "right_window_size"}) {
    const std::int64_t size = node.attributes.Int(name, -1);
    if (size < -1) return Invalid("attribute `", name, "` is ", size);
  }
  TRY(CheckCache(node, shape));
  TRY(CheckMask(node, shape));
  return shape;
}

Result<std::vector<std::int64_t>> ValidKeys(const Tensor* lengths, const AttentionShape& shape) {
  std::vector<std::int64_t> all = IntsOf(lengths);
  for (const std::int64_t valid : all) {
    if (valid < 0 || valid > shape.total()) {
      return Invalid("nonpad_kv_seqlen ", valid, " out of range [0, ", shape.total(), "]");
    }
  }
  return all;
}

Result<void> RunAttention(const NodeFacts& node, KernelContext& context) {
  const AttentionShape shape = TRY(AttentionShapeOf(node));
  const Operands given = TRY(OperandsOf(node, context, shape));
  const double scale = node.attributes.Float(
      "scale", static_cast<float>(1 / std::sqrt(static_cast<double>(shape.head))));
  Settings settings{.scale = scale,
                    .softcap = node.attributes.Float("softcap", 0),
                    .mode = node.attributes.Int("qk_matmul_output_mode", 0),
                    .round = RoundingOf(node.dtype(0))};
  settings.soften = TRY(SofteningOf(node));
  Operands operands = given;
  if (settings.round != Exact && scale >= 0) {
    operands.q = TRY(Scaled(context, given.q, std::sqrt(scale), settings.round));
    operands.k = TRY(Scaled(context, given.k, std::sqrt(scale), settings.round));
    settings.scale = 1;
  }
  Tensor y = TRY(
      Tensor::Make(DType::kFloat64, {shape.batch, shape.q_heads, shape.q_length, shape.v_head}));
  std::optional<Tensor> scores;
  if (Wanted(node, 3)) {
    scores = TRY(
        Tensor::Make(DType::kFloat64, {shape.batch, shape.q_heads, shape.q_length, shape.total()}));
  }
  if (y.size() == 0 && (!scores || scores->size() == 0)) return {};
  const Bias bias(node, shape, operands);
  double* out = y.data<double>().data();
  double* exposed = scores ? scores->data<double>().data() : nullptr;
  context.ParallelFor(shape.batch * shape.q_heads * shape.q_length, 1,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t row = begin; row < end; ++row) {
                          Attend(shape, operands, bias, settings, row,
                                 exposed == nullptr ? nullptr : exposed + row * shape.total(),
                                 out + row * shape.v_head);
                        }
                      });
  if (Wanted(node, 0)) TRY(StoreHeads(context, shape, y, context.output(0)));
  if (Wanted(node, 1)) TRY(Store(context, given.k, context.output(1)));
  if (Wanted(node, 2)) TRY(Store(context, operands.v, context.output(2)));
  if (scores) TRY(Store(context, *scores, context.output(3)));
  return {};
}

}  // namespace slipway::runtime
