// SPDX-License-Identifier: Apache-2.0
// Derivative of attention: of its products and of the Softmax between them, whose result the
// operator itself gives.
#include "runtime/graph/differential.h"
#include "runtime/graph/onnx_proto.h"

namespace slipway::runtime {
namespace {

using Terms = std::vector<Term>;
using Numbers = std::vector<std::int64_t>;

/// After which of its steps the operator gives its scores.
constexpr std::int64_t kAfterSoftmax = 3;

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

Term Sum(const Term& a, const Term& b) { return a && b ? a + b : a ? a : b; }

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
  explicit Again(const BackStep& s) {
    MadeNode node = s.node;
    node.outputs.assign(4, "y");
    node.attributes.Set("qk_matmul_output_mode", kAfterSoftmax);
    const Terms made = s.tape.Copy(std::move(node));
    keys = made[1];
    values = made[2];
    shares = made[3];
  }
  Term keys, values;  ///< those of the past too
  Term shares;        ///< of each value in each answer: [N, heads, length, keys]
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

Result<Terms> Attention(const BackStep& s) {
  const auto given = [&](std::size_t i) { return i < s.gradient.size() ? s.gradient[i] : Term{}; };
  const Attributes& attributes = s.node.attributes;
  if (attributes.Float("softcap", 0) != 0 ||
      (given(3) && attributes.Int("qk_matmul_output_mode", 0) != kAfterSoftmax)) {
    return proto::Invalid(
        "the derivative of Attention is known without `softcap`, and of its scores after Softmax");
  }
  const Again again(s);
  const Heads heads(s);
  const Term p = Grouped(again.shares, again.keys);
  Term of_keys = given(1), of_values = given(2), of_shares = given(3);
  if (of_shares) of_shares = Grouped(of_shares, again.keys);
  if (s.g()) {
    const Term g = Grouped(heads.Of(s.g(), true), again.keys);
    of_shares = Sum(Einsum(g, again.values, "ngrlv,ngsv->ngrls"), of_shares);
    of_values = Sum(Einsum(p, g, "ngrls,ngrlv->ngsv"), of_values);
  }
  Terms gradients(6);
  if (of_shares) {
    const Term of_scores = OfScores(p, of_shares);
    const Term scaled = of_scores * ScaleOf(s, again.keys);
    const Term q = heads.Of(s.in[0], true);
    of_keys = Sum(Einsum(scaled, Grouped(q, again.keys), "ngrls,ngrld->ngsd"), of_keys);
    const Term of_q = Einsum(scaled, again.keys, "ngrls,ngsd->ngrld");
    gradients[0] = heads.Back(ShapedAs(of_q, q), s.in[0]);
    if (s.Input(3)) {
      const Term mask = s.tape.Op("CastLike", {ShapedAs(of_scores, again.shares), s.in[3]});
      gradients[3] = SummedTo(mask, s.in[3]);
    }
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
