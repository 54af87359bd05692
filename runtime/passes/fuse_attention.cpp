// SPDX-License-Identifier: Apache-2.0
// Softmax(scale * Q x K' + bias) x V, as exporters spell attention, becomes `slipway.Attention`,
// which reads its operands as they lie before they are transposed and never holds all scores. So
// does Attention of transposed operands.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "runtime/graph/pattern.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

using Order = std::vector<std::int64_t>;
const auto kSwapTokens = std::to_array<std::int64_t>({0, 2, 1, 3});

/// An operand: a value, and whether its tokens come before its heads.
struct Operand {
  ValueId id = kNoValue;
  bool by_token = false;
};

/// What a fused node is made of.
struct Pattern {
  Operand q, k, v;
  ValueId bias = kNoValue, mask = kNoValue;
  bool mask_keeps = false;
  double scale = 1;
  float fill = 0;
  bool literal = true;
};

class Matcher {
 public:
  explicit Matcher(const Rewriter& graph) : graph_(graph) {}

  /// A node Attention that has nothing but operands, and perhaps a bias, and is spared a transpose.
  std::optional<Pattern> MatchNode(std::size_t index) {
    const NodeData& node = graph_.node(index);
    if (!IsNode(node, "Attention") || !IsPlain(node)) return std::nullopt;
    const Shape* q = FloatShape(graph_, node.inputs[0]);
    const Shape* k = FloatShape(graph_, node.inputs[1]);
    const Shape* v = FloatShape(graph_, node.inputs[2]);
    if (q == nullptr || k == nullptr || v == nullptr || q->size() != 4 || !SameBatch(*q, *k) ||
        !SameBatch(*q, *v)) {
      return std::nullopt;
    }
    scores_ = {(*q)[0], (*q)[1], (*q)[2], (*k)[2]};
    pattern_.bias = graph_.Input(index, 3);
    if (pattern_.bias != kNoValue && !IsBias(pattern_.bias)) return std::nullopt;
    pattern_.q = WithoutSwap(node.inputs[0]);
    pattern_.k = WithoutSwap(node.inputs[1]);
    pattern_.v = WithoutSwap(node.inputs[2]);
    pattern_.scale = static_cast<double>(node.attributes.Float(
        "scale", static_cast<float>(1 / std::sqrt(static_cast<double>((*q)[3])))));
    pattern_.literal = false;
    const bool spared = pattern_.q.by_token || pattern_.k.by_token || pattern_.v.by_token;
    return spared ? std::optional(pattern_) : std::nullopt;
  }

  /// The pattern that ends in `product`.
  std::optional<Pattern> Match(std::size_t product) {
    const NodeData& last = graph_.node(product);
    if (!IsNode(last, "MatMul")) return std::nullopt;
    const NodeData* softmax = Maker(last.inputs[0], "Softmax");
    if (softmax == nullptr || !IsRow(*softmax) || !Once(last.inputs[0])) return std::nullopt;
    const Shape* scores = FloatShape(graph_, softmax->inputs[0]);
    const Shape* values = FloatShape(graph_, last.inputs[1]);
    if (scores == nullptr || values == nullptr || !SameBatch(*scores, *values)) return std::nullopt;
    scores_ = *scores;
    if (!MatchScores(softmax->inputs[0])) return std::nullopt;
    pattern_.v = WithoutSwap(last.inputs[1]);
    return pattern_;
  }

 private:
  static bool IsPlain(const NodeData& node) {
    const auto absent = [](const std::vector<ValueId>& ids, std::size_t from) {
      return std::all_of(ids.begin() + static_cast<std::ptrdiff_t>(std::min(from, ids.size())),
                         ids.end(), [](ValueId id) { return id == kNoValue; });
    };
    const Attributes& attributes = node.attributes;
    return absent(node.inputs, 4) && absent(node.outputs, 1) &&
           attributes.Int("is_causal", 0) == 0 && attributes.Float("softcap", 0) == 0 &&
           attributes.Int("left_window_size", -1) == -1 &&
           attributes.Int("right_window_size", -1) == -1 && !attributes.Has("softmax_precision");
  }

  /// Whether the scores do not widen to it, and it has a number for each key or one for all.
  bool IsBias(ValueId id) const {
    const Shape* shape = FloatShape(graph_, id);
    if (shape == nullptr || shape->empty() || shape->size() > scores_.size()) return false;
    for (std::size_t d = 0; d < shape->size(); ++d) {
      const std::int64_t dim = (*shape)[shape->size() - 1 - d];
      if (dim != 1 && dim != scores_[scores_.size() - 1 - d]) return false;
    }
    return true;
  }

  const NodeData* Maker(ValueId id, std::string_view type) const {
    return MakerOf(graph_, id, type);
  }

  bool Once(ValueId id) const { return graph_.OnlyUser(id) >= 0; }

  static bool SameBatch(const Shape& a, const Shape& b) {
    const std::size_t rank = a.size();
    return (rank == 3 || rank == 4) && b.size() == rank &&
           std::equal(a.begin(), a.end() - 2, b.begin());
  }

  bool IsRow(const NodeData& softmax) const {
    const Shape* shape = FloatShape(graph_, softmax.inputs[0]);
    if (shape == nullptr) return false;
    const auto last = static_cast<std::int64_t>(shape->size()) - 1;
    const std::int64_t axis = softmax.attributes.Int("axis", softmax.opset < 13 ? 1 : -1);
    return axis == last || axis == -1;
  }

  /// Input `side` of a node of two as a finite number.
  std::optional<double> Factor(const NodeData& node, std::size_t side) const {
    const auto number = NumberBeside(graph_, node.inputs[side], node.inputs[1 - side]);
    return number && std::isfinite(*number) ? number : std::nullopt;
  }

  /// From the scores upwards: what they are replaced by, what is added, what they are times, and
  /// the product that they are.
  bool MatchScores(ValueId id) {
    if (const NodeData* where = Maker(id, "Where")) {
      if (!Once(id) || !TakeMask(*where, id)) return false;
    }
    if (const NodeData* add = Maker(id, "Add")) {
      if (!Once(id) || !TakeBias(*add, id)) return false;
    }
    TakeScale(id);
    const NodeData* product = Maker(id, "MatMul");
    return product != nullptr && Once(id) && HasScoresShape(id) &&
           TakeOperands(product->inputs[0], product->inputs[1]);
  }

  bool HasScoresShape(ValueId id) const {
    const Shape* shape = FloatShape(graph_, id);
    return shape != nullptr && *shape == scores_;
  }

  bool TakeMask(const NodeData& where, ValueId& id) {
    const ValueFacts* mask = graph_.Facts(where.inputs[0]);
    if (mask == nullptr || !mask->shape || mask->shape->size() > scores_.size()) return false;
    for (const std::size_t filled : {1U, 2U}) {
      const Tensor* constant = graph_.Constant(where.inputs[filled]);
      const ValueId scores = where.inputs[3 - filled];
      if (constant == nullptr || constant->dtype() != DType::kFloat32 || constant->size() != 1 ||
          constant->rank() > static_cast<std::int64_t>(scores_.size()) || !HasScoresShape(scores)) {
        continue;
      }
      pattern_.fill = constant->data<float>()[0];
      if (pattern_.fill == 0 || std::isnan(pattern_.fill)) return false;
      pattern_.mask = where.inputs[0];
      pattern_.mask_keeps = filled == 2;
      id = scores;
      return true;
    }
    return false;
  }

  /// The other input of the sum must be no product itself: the scores are what leads to one.
  bool TakeBias(const NodeData& add, ValueId& id) {
    for (const std::size_t side : {0U, 1U}) {
      ValueId scores = add.inputs[side];
      const ValueId bias = add.inputs[1 - side];
      const Shape* shape = FloatShape(graph_, bias);
      if (shape == nullptr || shape->size() > scores_.size() || !HasScoresShape(scores)) continue;
      ValueId inner = scores;
      const double scale = pattern_.scale;
      TakeScale(inner);
      pattern_.scale = scale;
      if (Maker(inner, "MatMul") == nullptr) continue;
      pattern_.bias = bias;
      id = scores;
      return true;
    }
    return false;
  }

  /// Goes up through products and quotients with one number.
  void TakeScale(ValueId& id) {
    for (;;) {
      if (!Once(id)) return;
      if (!TakeFactor(id)) return;
    }
  }

  bool TakeFactor(ValueId& id) {
    if (const NodeData* mul = Maker(id, "Mul")) {
      for (const std::size_t side : {0U, 1U}) {
        const auto number = Factor(*mul, side);
        if (!number || graph_.Constant(mul->inputs[1 - side]) != nullptr) continue;
        pattern_.scale *= *number;
        id = mul->inputs[1 - side];
        return true;
      }
    }
    if (const NodeData* div = Maker(id, "Div")) {
      const auto number = Factor(*div, 1);
      if (!number || *number == 0) return false;
      pattern_.scale /= *number;
      id = div->inputs[0];
      return true;
    }
    return false;
  }

  bool TakeOperands(ValueId q, ValueId k) {
    const Shape* q_shape = FloatShape(graph_, q);
    const Shape* k_shape = FloatShape(graph_, k);
    if (q_shape == nullptr || k_shape == nullptr || !SameBatch(scores_, *q_shape) ||
        !SameBatch(scores_, *k_shape)) {
      return false;
    }
    while (TakeFactor(q)) {
    }
    while (TakeFactor(k)) {
    }
    q_shape = FloatShape(graph_, q);
    if (q_shape == nullptr || q_shape->size() != scores_.size()) return false;
    pattern_.q = WithoutSwap(q);
    return TakeKeys(k);
  }

  /// Before heads and tokens are exchanged, if they are.
  Operand WithoutSwap(ValueId id) const {
    const NodeData* transpose = Maker(id, "Transpose");
    if (transpose == nullptr || !IsOrder(*transpose, kSwapTokens)) return {id, false};
    return {transpose->inputs[0], true};
  }

  template <std::size_t N>
  static bool IsOrder(const NodeData& transpose, const std::array<std::int64_t, N>& order) {
    return std::ranges::equal(transpose.attributes.Ints("perm", {}), order);
  }

  /// `k` is the transpose of the keys, through a shape of three dimensions or not.
  bool TakeKeys(ValueId k) {
    if (const NodeData* reshape = Maker(k, "Reshape")) return TakeReshaped(*reshape, k);
    const NodeData* transpose = Maker(k, "Transpose");
    if (transpose == nullptr) return false;
    const ValueId from = transpose->inputs[0];
    if (IsOrder(*transpose, std::to_array<std::int64_t>({0, 2, 3, 1}))) {
      pattern_.k = {from, true};
      return true;
    }
    if (IsOrder(*transpose, std::to_array<std::int64_t>({0, 1, 3, 2}))) {
      pattern_.k = WithoutSwap(from);
      return true;
    }
    if (!IsOrder(*transpose, std::to_array<std::int64_t>({0, 2, 1}))) return false;
    pattern_.k = {from, false};
    return true;
  }

  /// [batch, heads, length, head] as [batch * heads, length, head], transposed, and with its heads
  /// again.
  bool TakeReshaped(const NodeData& reshape, ValueId k) {
    const NodeData* transpose = Maker(reshape.inputs[0], "Transpose");
    if (transpose == nullptr || !IsOrder(*transpose, std::to_array<std::int64_t>({0, 2, 1}))) {
      return false;
    }
    const NodeData* flat = Maker(transpose->inputs[0], "Reshape");
    if (flat == nullptr) return false;
    const Shape* across = FloatShape(graph_, k);
    const Shape* middle = FloatShape(graph_, transpose->inputs[0]);
    const Shape* keys = FloatShape(graph_, flat->inputs[0]);
    if (across == nullptr || middle == nullptr || keys == nullptr || across->size() != 4) {
      return false;
    }
    const Shape expected{(*across)[0], (*across)[1], (*across)[3], (*across)[2]};
    const Shape planes{expected[0] * expected[1], expected[2], expected[3]};
    if (*keys != expected || *middle != planes) return false;
    pattern_.k = WithoutSwap(flat->inputs[0]);
    return true;
  }

  const Rewriter& graph_;
  Shape scores_;
  Pattern pattern_;
};

void SetInputs(Rewriter& graph, std::size_t node, const Pattern& pattern) {
  const ValueId inputs[] = {pattern.q.id, pattern.k.id, pattern.v.id, pattern.bias, pattern.mask};
  for (std::size_t i = 0; i < std::size(inputs); ++i) graph.SetInput(node, i, inputs[i]);
  auto& given = graph.node(node).inputs;
  while (given.back() == kNoValue) given.pop_back();
}

/// A transpose of heads and tokens that alone uses the result goes away.
bool TakeSwap(Rewriter& graph, std::size_t node) {
  const ValueId output = graph.node(node).outputs[0];
  const std::int64_t user = graph.OnlyUser(output);
  if (user < 0) return false;
  const auto transpose = static_cast<std::size_t>(user);
  const NodeData& data = graph.node(transpose);
  if (!data.domain.empty() || data.type != "Transpose" ||
      !std::ranges::equal(data.attributes.Ints("perm", {}), kSwapTokens)) {
    return false;
  }
  const ValueId now = data.outputs[0];
  graph.Remove(transpose);
  graph.SetOutput(node, output, now);
  return true;
}

Result<void> Write(Rewriter& graph, std::size_t node, const Pattern& pattern) {
  SetInputs(graph, node, pattern);
  Attributes attributes;
  attributes.Set("scale", static_cast<float>(pattern.scale));
  attributes.Set("literal", std::int64_t{pattern.literal});
  if (pattern.mask != kNoValue) {
    attributes.Set("fill", pattern.fill);
    attributes.Set("mask_keeps", std::int64_t{pattern.mask_keeps});
  }
  attributes.Set("q_by_token", std::int64_t{pattern.q.by_token});
  attributes.Set("k_by_token", std::int64_t{pattern.k.by_token});
  attributes.Set("v_by_token", std::int64_t{pattern.v.by_token});
  attributes.Set("y_by_token", std::int64_t{TakeSwap(graph, node)});
  graph.node(node).attributes = std::move(attributes);
  return graph.SetOperator(node, "slipway", "Attention", 1);
}

Result<int> Run(Rewriter& graph) {
  if (graph.choice().reference || graph.choice().device != Device::kCpu) return 0;
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    auto pattern = Matcher(graph).Match(i);
    if (!pattern) pattern = Matcher(graph).MatchNode(i);
    if (!pattern) return false;
    TRY(Write(graph, i, *pattern));
    return true;
  });
}

}  // namespace

Pass passes_fuse_attention() {
  return {.stage = 102,
          .summary = "makes attention of the products and the Softmax it is spelt in",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
