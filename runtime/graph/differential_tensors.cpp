// SPDX-License-Identifier: Apache-2.0
// Derivatives of operators that move, add up and multiply tensors.
#include <algorithm>
#include <limits>

#include "runtime/graph/differential.h"
#include "runtime/graph/onnx_proto.h"
#include "runtime/graph/op_index.h"

namespace slipway::runtime {
namespace {

using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t kOne = 1;

Result<Terms> AsInput(const BackStep& s) { return Terms{ShapedAs(s.g(), s.x())}; }
Result<Terms> Expand(const BackStep& s) { return Terms{SummedTo(s.g(), s.x())}; }

/// The transpose of copying elements to where `from` (their numbers, from one; zero for none) says.
Term Scattered(const Term& gradient, const Term& from, const Term& like) {
  Tape& tape = *gradient.tape;
  const Term size = tape.Op("Reshape", {tape.Op("Size", {like}), tape.Ints({1})});
  const Term room = tape.Op("Expand", {tape.Number(0, gradient), size + tape.Ints({1})});
  const Term flat = tape.Ints({-1});
  const Term sums =
      tape.Op("ScatterElements",
              {room, tape.Op("Reshape", {from, flat}), tape.Op("Reshape", {gradient, flat})},
              {{"axis", std::int64_t{0}}, {"reduction", std::string("add")}});
  return ShapedAs(Part(sums, 1), like);
}

/// Operators whose outputs are elements of their first input, or zero: run on the elements' numbers
/// they tell where each came from.
Result<Terms> Picked(const BackStep& s) {
  Tape& tape = s.tape;
  const Term count = tape.Op("Size", {s.x()});
  const Term numbers = tape.Op("Range", {tape.Int(1), count + tape.Int(1), tape.Int(1)});
  const Term places = tape.Op("Cast", {ShapedAs(numbers, s.x())}, {{"to", std::int64_t{11}}});
  MadeNode copy = s.node;
  copy.inputs[0] = places.name;
  if (copy.type == "Pad" && copy.inputs.size() > 2) copy.inputs[2].clear();
  for (const char* outside : {"value", "extrapolation_value"}) {
    if (copy.attributes.Has(outside)) copy.attributes.Set(outside, 0.0F);
  }
  copy.outputs.assign(1, "y");
  const Term from = tape.Copy(std::move(copy)).front();
  return Terms{Scattered(s.g(), tape.Op("Cast", {from}, {{"to", std::int64_t{7}}}), s.x())};
}

/// With one of several updates of an element, all of them count as the one that stays.
Result<Terms> ScatterBy(const BackStep& s, std::string_view scatter, std::string_view gather) {
  const std::string_view reduction = s.node.attributes.String("reduction", "none");
  if (reduction != "none" && reduction != "add") {
    return proto::Invalid("the derivative of " + s.node.type +
                          " is known for the reductions `none` and `add`");
  }
  Tape::Settings axis;
  if (scatter == "ScatterElements") axis = {{"axis", s.node.attributes.Int("axis", 0)}};
  const Term updates = s.tape.Op(gather, {s.g(), s.in[1]}, axis);
  if (reduction == "add") return Terms{s.g(), {}, updates};
  return Terms{s.tape.Op(scatter, {s.g(), s.in[1], Zeros(s.in[2])}, axis), {}, updates};
}

Result<Terms> ScatterElements(const BackStep& s) {
  return ScatterBy(s, "ScatterElements", "GatherElements");
}
Result<Terms> ScatterND(const BackStep& s) { return ScatterBy(s, "ScatterND", "GatherND"); }

Result<Terms> TopK(const BackStep& s) {
  return Terms{
      s.tape.Op("ScatterElements", {Zeros(s.x()), s.out[1], s.g()},
                {{"axis", s.node.attributes.Int("axis", -1)}, {"reduction", std::string("add")}})};
}

Result<Terms> CumSum(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  return Terms{s.tape.Op("CumSum", {s.g(), s.in[1]},
                         {{"exclusive", attributes.Int("exclusive", 0)},
                          {"reverse", kOne - attributes.Int("reverse", 0)}})};
}

Result<Terms> Resized(const BackStep& s) {
  if (s.node.attributes.String("mode", "nearest") == "nearest") return Picked(s);
  MadeNode back = s.node;
  back.type = "ResizeGradient";
  back.domain = kPrivateDomain;
  back.opset = 1;
  back.inputs.insert(back.inputs.begin(), s.g().name);
  back.attributes.Set("of", s.node.type);
  back.attributes.Set("of_opset", std::int64_t{s.node.opset});
  return Terms{s.tape.Copy(std::move(back)).front()};
}

/// It is linear, and what it is the transpose of is its derivative.
Result<Terms> ResizedBack(const BackStep& s) {
  MadeNode forward = s.node;
  forward.type = s.node.attributes.String("of", "");
  forward.domain.clear();
  forward.opset = static_cast<int>(s.node.attributes.Int("of_opset", 0));
  forward.inputs.erase(forward.inputs.begin());
  forward.inputs.front() = s.g().name;
  forward.attributes = {};
  for (const auto& [name, value] : s.node.attributes) {
    if (name != "of" && name != "of_opset") forward.attributes.Set(name, value);
  }
  if (forward.attributes.Has("extrapolation_value")) {
    forward.attributes.Set("extrapolation_value", 0.0F);
  }
  return Terms{s.tape.Copy(std::move(forward)).front()};
}

Result<Terms> Concat(const BackStep& s) {
  const std::int64_t axis = s.node.attributes.Int("axis", 1);
  Terms gradients;
  Term from = s.tape.Ints({0});
  for (const Term& in : s.in) {
    const Term to =
        from + s.tape.Op("Gather", {ShapeOf(in), s.tape.Ints({axis})}, {{"axis", std::int64_t{0}}});
    gradients.push_back(s.tape.Op("Slice", {s.g(), from, to, s.tape.Ints({axis})}));
    from = to;
  }
  return gradients;
}

Result<Terms> Split(const BackStep& s) {
  Terms parts;
  for (std::size_t i = 0; i < s.out.size(); ++i) {
    if (!s.out[i]) return proto::Invalid("the derivative of Split needs all its outputs named");
    parts.push_back(s.gradient[i] ? s.gradient[i] : Zeros(s.out[i]));
  }
  return Terms{s.tape.Op("Concat", parts, {{"axis", s.node.attributes.Int("axis", 0)}})};
}

/// A reduction's output or its gradient with the axes of length one that it leaves out.
Term WithAxes(const BackStep& s, const Term& a) {
  MadeNode kept = s.node;
  kept.outputs.assign(1, "y");
  kept.attributes.Set("keepdims", kOne);
  return ShapedAs(a, s.tape.Copy(std::move(kept)).front());
}

Term ElementsEach(const BackStep& s) {
  return s.tape.Op("CastLike", {s.tape.Op("Size", {s.x()}), s.g()}) /
         s.tape.Op("CastLike", {s.tape.Op("Size", {s.y()}), s.g()});
}

template <auto derivative>
Result<Terms> Reduced(const BackStep& s) {
  return Terms{SpreadTo(WithAxes(s, s.g()), s.x()) * derivative(s, WithAxes(s, s.y()))};
}

Term ReducedExtreme(const BackStep& s, const Term& kept) {
  const Term mask = Mask(s.tape.Op("Equal", {s.x(), kept}), s.x());
  return mask / SummedTo(mask, kept);
}

Result<Terms> ReduceSum(const BackStep& s) { return Terms{SpreadTo(WithAxes(s, s.g()), s.x())}; }

Result<Terms> ReduceMean(const BackStep& s) {
  return Terms{SpreadTo(WithAxes(s, s.g() / ElementsEach(s)), s.x())};
}

Result<Terms> GlobalAveragePool(const BackStep& s) {
  return Terms{SpreadTo(s.g() / ElementsEach(s), s.x())};
}

Result<Terms> GlobalMaxPool(const BackStep& s) {
  return Terms{SpreadTo(s.g(), s.x()) * ReducedExtreme(s, s.y())};
}

/// Sums along the axis that Softmax and its like normalise, before opset 13 all from it on.
Term SumOverClasses(const BackStep& s, const Term& a) {
  const bool flat = s.node.opset < 13;
  const std::int64_t axis = s.node.attributes.Int("axis", flat ? 1 : -1);
  if (!flat) return s.tape.Op("ReduceSum", {a, s.tape.Ints({axis})});
  const Term rows = s.tape.Op("Flatten", {a}, {{"axis", axis}});
  const Term sums = s.tape.Op("ReduceSum", {rows, s.tape.Ints({1})});
  return ShapedAs(SpreadTo(sums, rows), a);
}

Result<Terms> Softmax(const BackStep& s) {
  const Term weighted = s.g() * s.y();
  return Terms{weighted - s.y() * SumOverClasses(s, weighted)};
}

Result<Terms> LogSoftmax(const BackStep& s) {
  return Terms{s.g() - s.tape.Op("Exp", {s.y()}) * SumOverClasses(s, s.g())};
}

/// A product under the letters of its operands' dimensions; lost ones are summed over.
Term Product(const Term& a, const Term& b, std::string_view equation) {
  return a.tape->Op("Einsum", {a, b}, {{"equation", std::string(equation)}});
}

/// Operands of rank one are a row on the left, a column on the right.
Result<Terms> MatMul(const BackStep& s) {
  Tape& tape = s.tape;
  const Term one = tape.Ints({1});
  const Term rank_a = tape.Op("Shape", {ShapeOf(s.in[0])});
  const Term rank_b = tape.Op("Shape", {ShapeOf(s.in[1])});
  const auto ones = [&](const Term& rank) {
    return tape.Op("Expand", {one, tape.Op("Max", {tape.Ints({2}) - rank, tape.Ints({0})})});
  };
  const Term a = Reshaped(s.in[0], Join(tape, {ones(rank_a), ShapeOf(s.in[0])}));
  const Term b = Reshaped(s.in[1], Join(tape, {ShapeOf(s.in[1]), ones(rank_b)}));
  const auto is_matrix = [&](const Term& rank) { return tape.Op("Min", {rank - one, one}); };
  const Term batch_rank =
      tape.Op("Shape", {ShapeOf(s.y())}) - is_matrix(rank_a) - is_matrix(rank_b);
  const Term batch = tape.Op("Slice", {ShapeOf(s.y()), tape.Ints({0}), batch_rank});
  const Term rows = Part(ShapeOf(a), -2, -1);
  const Term columns = Part(ShapeOf(b), -1);
  const Term g = Reshaped(s.g(), Join(tape, {batch, rows, columns}));
  return Terms{ShapedAs(SummedTo(Product(g, b, "...ik,...jk->...ij"), a), s.in[0]),
               ShapedAs(SummedTo(Product(a, g, "...ij,...ik->...jk"), b), s.in[1])};
}

Result<Terms> Gemm(const BackStep& s) {
  const Attributes& attributes = s.node.attributes;
  const bool a_turned = attributes.Int("transA", 0) != 0;
  const bool b_turned = attributes.Int("transB", 0) != 0;
  const Term g = static_cast<double>(attributes.Float("alpha", 1)) * s.g();
  const std::string b = b_turned ? "jk" : "kj", a = a_turned ? "ki" : "ik";
  Terms gradients = {Product(g, s.in[1], "ij," + b + "->" + a),
                     Product(s.in[0], g, a + ",ij->" + b)};
  if (s.Input(2)) {
    const Term scaled = static_cast<double>(attributes.Float("beta", 1)) * s.g();
    gradients.push_back(SummedTo(scaled, s.in[2]));
  }
  return gradients;
}

/// Of one or two operands that name no letter twice and lose none alone.
Result<Terms> Einsum(const BackStep& s) {
  std::string equation(s.node.attributes.String("equation", ""));
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (s.in.size() > 2 || arrow == std::string::npos) {
    return proto::Invalid("the derivative of Einsum is known for one or two operands and an arrow");
  }
  const std::string result = equation.substr(arrow + 2);
  std::string terms = equation.substr(0, arrow);
  const std::size_t comma = terms.find(',');
  const std::string a = terms.substr(0, comma);
  const std::string b = comma == std::string::npos ? "" : terms.substr(comma + 1);
  const auto plain = [](std::string letters, const std::string& elsewhere) {
    const bool found = std::ranges::all_of(
        letters, [&](char letter) { return elsewhere.find(letter) != std::string::npos; });
    std::erase(letters, '.');
    std::ranges::sort(letters);
    return found && std::ranges::adjacent_find(letters) == letters.end();
  };
  if (!plain(a, result + b) || (s.in.size() == 2 && !plain(b, result + a))) {
    return proto::Invalid("the derivative of Einsum `" + equation + "` is not known");
  }
  if (s.in.size() == 1) {
    const Term back = s.tape.Op("Einsum", {s.g()}, {{"equation", result + "->" + a}});
    return Terms{SummedTo(back, s.x())};
  }
  return Terms{SummedTo(Product(s.g(), s.in[1], result + "," + b + "->" + a), s.in[0]),
               SummedTo(Product(s.in[0], s.g(), a + "," + result + "->" + b), s.in[1])};
}

Result<Terms> Dropout(const BackStep& s) {
  if (s.Input(2) || (s.node.opset < 7 && s.node.attributes.Int("is_test", 0) == 0)) {
    return proto::Invalid("the derivative of Dropout is known for inference alone");
  }
  return Terms{s.g()};
}

Result<Terms> MaxPool(const BackStep& s) {
  Tape::Settings settings;
  for (const auto& [name, value] : s.node.attributes) {
    if (name != "storage_order") settings.emplace_back(name, value);
  }
  const Terms again = s.tape.Ops("MaxPool", {s.x()}, 2, std::move(settings));
  return Terms{Scattered(s.g(), again[1] + s.tape.Int(1), s.x())};
}

Result<Terms> MaxUnpool(const BackStep& s) {
  if (s.Input(2)) {
    return proto::Invalid("the derivative of MaxUnpool is known without `output_shape`");
  }
  const Term flat = s.tape.Op("Reshape", {s.g(), s.tape.Ints({-1})});
  return Terms{s.tape.Op("Gather", {flat, s.in[1]})};
}

/// Weights by class, one where they are left out; zero for the label that is ignored. With it
/// the gradient of scores [N, C, ...], as of the mean or sum over items.
Term LossGradient(const BackStep& s, const Term& scores, const Term& g) {
  Tape& tape = s.tape;
  Term label = s.in[1];
  Term one = tape.Number(1, scores);
  Term kept;
  if (s.node.attributes.Has("ignore_index")) {
    const Term ignored =
        tape.Op("CastLike", {tape.Int(s.node.attributes.Int("ignore_index", 0)), label});
    const Term is_ignored = tape.Op("Equal", {label, ignored});
    label = tape.Op("Where", {is_ignored, tape.Op("CastLike", {tape.Int(0), label}), label});
    kept = Mask(tape.Op("Not", {is_ignored}), scores);
  }
  const Term axis = tape.Ints({1});
  const Term classes = Part(ShapeOf(scores), 1, 2);
  const Term values = Join(
      tape, {tape.Op("Reshape", {tape.Number(0, scores), axis}), tape.Op("Reshape", {one, axis})});
  Term picked = tape.Op("OneHot", {label, classes, values}, {{"axis", kOne}});
  if (kept) picked = picked * tape.Op("Unsqueeze", {kept, axis});
  if (s.Input(2)) picked = picked * PerChannel(s.in[2], scores);
  const std::string_view reduction = s.node.attributes.String("reduction", "mean");
  if (reduction == "none") return -(picked * tape.Op("Unsqueeze", {g, axis}));
  if (reduction == "sum") return -(picked * g);
  return -(picked * g) / tape.Op("ReduceSum", {picked}, {{"keepdims", std::int64_t{0}}});
}

Result<Terms> NegativeLogLikelihood(const BackStep& s) {
  return Terms{LossGradient(s, s.x(), s.g())};
}

Result<Terms> CrossEntropy(const BackStep& s) {
  const Term log = s.tape.Op("LogSoftmax", {s.x()}, {{"axis", kOne}});
  Term g = s.gradient[0] ? LossGradient(s, log, s.gradient[0]) : Zeros(log);
  if (s.gradient.size() > 1 && s.gradient[1]) g = g + s.gradient[1];
  const Term sums = s.tape.Op("ReduceSum", {g, s.tape.Ints({1})});
  return Terms{g - s.tape.Op("Exp", {log}) * sums};
}

void AddReductions(RuleTable& rules) {
  rules["ReduceSum"] = ReduceSum;
  rules["ReduceMean"] = ReduceMean;
  rules["ReduceMax"] = rules["ReduceMin"] = Reduced<ReducedExtreme>;
  rules["ReduceProd"] = Reduced<[](const BackStep& s, const Term& y) { return y / s.x(); }>;
  rules["ReduceL1"] =
      Reduced<[](const BackStep& s, const Term&) { return s.tape.Op("Sign", {s.x()}); }>;
  rules["ReduceL2"] = Reduced<[](const BackStep& s, const Term& y) { return s.x() / y; }>;
  rules["ReduceSumSquare"] = Reduced<[](const BackStep& s, const Term&) { return 2.0 * s.x(); }>;
  rules["ReduceLogSum"] = Reduced<[](const BackStep& s, const Term& y) {
    return SpreadTo(1.0 / s.tape.Op("Exp", {y}), s.x());
  }>;
  rules["ReduceLogSumExp"] =
      Reduced<[](const BackStep& s, const Term& y) { return s.tape.Op("Exp", {s.x() - y}); }>;
}

}  // namespace

RuleTable TensorRules() {
  RuleTable rules;
  AddReductions(rules);
  for (const std::string_view type : {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}) {
    rules[type] = AsInput;
  }
  for (const std::string_view type :
       {"Compress", "DepthToSpace", "Gather", "GatherElements", "GatherND", "Pad",
        "ReverseSequence", "Slice", "SpaceToDepth", "Tile", "Transpose", "Trilu"}) {
    rules[type] = Picked;
  }
  rules["Expand"] = Expand;
  rules["Concat"] = Concat;
  rules["Scatter"] = rules["ScatterElements"] = ScatterElements;
  rules["ScatterND"] = ScatterND;
  rules["TopK"] = TopK;
  rules["CumSum"] = CumSum;
  rules["Resize"] = rules["Upsample"] = Resized;
  rules["ResizeGradient"] = ResizedBack;
  rules["Split"] = Split;
  rules["Softmax"] = Softmax;
  rules["LogSoftmax"] = LogSoftmax;
  rules["MatMul"] = MatMul;
  rules["Gemm"] = Gemm;
  rules["Einsum"] = Einsum;
  rules["GlobalAveragePool"] = GlobalAveragePool;
  rules["GlobalMaxPool"] = GlobalMaxPool;
  rules["MaxPool"] = MaxPool;
  rules["MaxUnpool"] = MaxUnpool;
  rules["Dropout"] = Dropout;
  rules["NegativeLogLikelihoodLoss"] = NegativeLogLikelihood;
  rules["SoftmaxCrossEntropyLoss"] = CrossEntropy;
  return rules;
}

}  // namespace slipway::runtime
