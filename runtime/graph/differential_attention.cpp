// SPDX-License-Identifier: Apache-2.0
// Derivative of attention: of its products and of what becomes of the scores between them, which
// the operator itself gives after each of its steps.
#include <limits>

#include "runtime/graph/differential.h"

namespace slipway::runtime {
namespace {

using Numbers = std::vector<std::int64_t>;

/// After which of its steps the operator gives its scores.
enum Stage : std::uint8_t { kProducts, kCapped, kMasked, kShares };

Term Einsum(const Term& a, const Term& b, std::string_view equation) {
  return a.tape->Op("Einsum", {a, b}, {{"equation", std::string(equation)}});
}

/// Heads of queries, keys or values: [N, heads, length, size], whether they lie so or as
/// [N, length, heads * size].
class Heads {
 public:
  explicit Heads(const BackStep& s)
      : q_heads_(s.node.attributes.Int("q_num_heads", 0)),
        kv_heads_(s.node.attributes.Int("kv_num_heads", 0)) {}

  Term Of(const Term& a, bool queries) const {
    const std::int64_t heads = queries ? q_heads_ : kv_heads_;
    if (heads == 0) return a;
    Tape& tape = *a.tape;
    return Turned(tape.Op("Reshape", {a, tape.Ints({0, 0, heads, -1})}));
  }
  /// The reverse: `a` as `like` lies.
  Term Back(const Term& a, const Term& like) const {
    return ShapedAs(q_heads_ == 0 ? a : Turned(a), like);
  }

 private:
  static Term Turned(const Term& a) {
    return a.tape->Op("Transpose", {a}, {{"perm", Numbers{0, 2, 1, 3}}});
  }
  std::int64_t q_heads_, kv_heads_;
};

/// [N, heads, ...] as [N, heads of keys, queries that share one, ...].
Term Grouped(const Term& a, const Term& keys) {
  Tape& tape = *a.tape;
  const Term shape = ShapeOf(a);
  return tape.Op("Reshape", {a, Join(tape, {Part(shape, 0, 1), Part(ShapeOf(keys), 1, 2),
                                            tape.Ints({-1}), Part(shape, 2)})});
}

/// Of the gradient of all keys, or values, that of the past and that of the new ones.
struct Shares {
  Term past, fresh;
};
Shares SharesOf(const Term& all, const Term& past) {
  if (!past || !all) return {{}, all};
  Tape& tape = *all.tape;
  const Term axis = tape.Ints({2});
  const Term length = Part(ShapeOf(past), 2, 3);
  return {tape.Op("Slice", {all, tape.Ints({0}), length, axis}),
          tape.Op("Slice", {all, length, Part(ShapeOf(all), 2, 3), axis})};
}

/// The operator run again, with what its derivative needs.
struct Again {
  Again(const BackStep& s, Stage stage) {
    MadeNode node = s.node;
    node.outputs.assign(4, "y");
    node.attributes.Set("qk_matmul_output_mode", std::int64_t{stage});
    const Terms made = s.tape.Copy(std::move(node));
    keys = made[1];
    values = made[2];
    scores = made[3];
  }
  Term keys, values;  ///< those of the past too
  Term scores;        ///< after that stage: [N, heads, length, keys]
};

/// The gradient of the scores, from that of the shares that a Softmax makes of them.
Term OfScores(const Term& shares, const Term& gradient) {
  Tape& tape = *shares.tape;
  const Term weighted = shares * gradient;
  return weighted - shares * tape.Op("ReduceSum", {weighted, tape.Ints({-1})});
}

Term ScaleOf(const BackStep& s, const Term& keys) {
  const Attributes& attributes = s.node.attributes;
  if (attributes.Has("scale")) {
    return s.tape.Number(static_cast<double>(attributes.Float("scale", 0)), s.in[0]);
  }
  return 1.0 / s.tape.Op("Sqrt", {s.tape.Op("CastLike", {Part(ShapeOf(keys), 3), s.in[0]})});
}

/// The gradient of what is no score where the mask has it, and counts for nothing.
Term WhereScored(const BackStep& s, const Term& gradient) {
  Tape& tape = s.tape;
  const Term masked = tape.Op("IsInf", {Again(s, kMasked).scores});
  return tape.Op("Where", {masked, tape.Number(0, gradient), gradient});
}

/// The derivative of softcap * tanh(x / softcap).
Term SlopeOfCap(const BackStep& s, double softcap) {
  const Term part = (1 / softcap) * Again(s, kCapped).scores;
  return 1.0 - part * part;
}

/// Of a mask, which may have one column for all keys, or columns for the first of them alone.
Term OfMask(const Term& of_scores, const Term& mask) {
  Tape& tape = *mask.tape;
  const Term columns = Part(ShapeOf(mask), -1);
  const Term is_one = tape.Op("Equal", {columns, tape.Ints({1})});
  const Term all = tape.Ints({std::numeric_limits<std::int64_t>::max()});
  const Term seen = tape.Op("Where", {is_one, all, columns});
  const Term part = tape.Op("Slice", {of_scores, tape.Ints({0}), seen, tape.Ints({-1})});
  return SummedTo(tape.Op("CastLike", {part, mask}), mask);
}

Result<Terms> Attention(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  const Again again(s, kShares);
  const Heads heads(s);
  const auto grouped = [&](const Term& a) { return a ? Grouped(a, again.keys) : Term{}; };
  const auto given = [&](Stage stage) {
    return attributes.Int("qk_matmul_output_mode", 0) == stage ? s.Gradient(3) : Term{};
  };
  const Term p = grouped(again.scores);
  Term of_keys = s.Gradient(1), of_values = s.Gradient(2), of_shares = grouped(given(kShares));
  if (s.g()) {
    const Term g = grouped(heads.Of(s.g(), true));
    of_shares = Sum(Einsum(g, again.values, "ngrlv,ngsv->ngrls"), of_shares);
    of_values = Sum(Einsum(p, g, "ngrls,ngrlv->ngsv"), of_values);
  }
  Terms gradients(6);
  Term of_scores = of_shares ? OfScores(p, of_shares) : Term{};
  if (given(kMasked)) of_scores = Sum(of_scores, grouped(WhereScored(s, given(kMasked))));
  if (of_scores && s.Input(3)) {
    gradients[3] = OfMask(ShapedAs(of_scores, again.scores), s.in[3]);
  }
  of_scores = Sum(of_scores, grouped(given(kCapped)));
  const auto softcap = static_cast<double>(attributes.Float("softcap", 0));
  if (of_scores && softcap > 0) of_scores = of_scores * grouped(SlopeOfCap(s, softcap));
  of_scores = Sum(of_scores, grouped(given(kProducts)));
  if (of_scores) {
    const Term scaled = of_scores * ScaleOf(s, again.keys);
    const Term q = heads.Of(s.in[0], true);
    of_keys = Sum(Einsum(scaled, grouped(q), "ngrls,ngrld->ngsd"), of_keys);
    const Term of_q = Einsum(scaled, again.keys, "ngrls,ngsd->ngrld");
    gradients[0] = heads.Back(ShapedAs(of_q, q), s.in[0]);
  }
  const Shares k = SharesOf(of_keys, s.Input(4)), v = SharesOf(of_values, s.Input(5));
  if (k.fresh) gradients[1] = heads.Back(k.fresh, s.in[1]);
  if (v.fresh) gradients[2] = heads.Back(v.fresh, s.in[2]);
  gradients[4] = k.past;
  gradients[5] = v.past;
  return gradients;
}

}  // namespace

RuleTable AttentionRules() { return {{"Attention", Attention}}; }

}  // namespace slipway::runtime
