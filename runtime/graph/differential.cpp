// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/differential.h"

#include <fmt/format.h>

#include "runtime/tensor.h"

namespace slipway::runtime {
namespace {

constexpr int kOpset = 20;  ///< that rules are written in

Term Constant(Tape& tape, Tensor value) {
  return tape.Op("Constant", {}, {{"value", std::move(value)}});
}

}  // namespace

Term Tape::Op(std::string_view type, const std::vector<Term>& inputs, Settings settings) {
  return Ops(type, inputs, 1, std::move(settings)).front();
}

std::vector<Term> Tape::Ops(std::string_view type, const std::vector<Term>& inputs,
                            std::size_t outputs, Settings settings) {
  MadeNode node{.type = std::string(type), .opset = kOpset};
  for (const Term& input : inputs) node.inputs.push_back(input.name);
  node.outputs.resize(outputs, "y");
  for (auto& [name, value] : settings) node.attributes.Set(std::move(name), std::move(value));
  return Copy(std::move(node));
}

std::vector<Term> Tape::Copy(MadeNode node) {
  std::vector<Term> outputs;
  for (std::string& output : node.outputs) {
    if (!output.empty()) output = fmt::format("{}{}", prefix_, ++values_);
    outputs.push_back({this, output});
  }
  nodes_.push_back(std::move(node));
  return outputs;
}

void Tape::Name(const Term& term, std::string name) {
  nodes_.push_back(
      {.type = "Identity", .opset = kOpset, .inputs = {term.name}, .outputs = {std::move(name)}});
}

Term Tape::Number(double number, const Term& like) {
  const Term value = Constant(*this, Tensor::FromVector<double>(DType::kFloat64, {}, {number}));
  return Op("CastLike", {value, like});
}

Term Tape::Ints(std::vector<std::int64_t> numbers) {
  const Shape shape = {static_cast<std::int64_t>(numbers.size())};
  return Constant(*this, Tensor::FromVector(DType::kInt64, shape, std::move(numbers)));
}

Term Tape::Int(std::int64_t number) {
  return Constant(*this, Tensor::FromVector<std::int64_t>(DType::kInt64, {}, {number}));
}

Term operator+(const Term& a, const Term& b) { return a.tape->Op("Add", {a, b}); }
Term operator-(const Term& a, const Term& b) { return a.tape->Op("Sub", {a, b}); }
Term operator*(const Term& a, const Term& b) { return a.tape->Op("Mul", {a, b}); }
Term operator/(const Term& a, const Term& b) { return a.tape->Op("Div", {a, b}); }
Term operator-(const Term& a) { return a.tape->Op("Neg", {a}); }
Term operator+(double a, const Term& b) { return b.tape->Number(a, b) + b; }
Term operator-(double a, const Term& b) { return b.tape->Number(a, b) - b; }
Term operator*(double a, const Term& b) { return b.tape->Number(a, b) * b; }
Term operator/(double a, const Term& b) { return b.tape->Number(a, b) / b; }

Term ShapeOf(const Term& a) { return a.tape->Op("Shape", {a}); }

Term ShapedAs(const Term& a, const Term& like) { return Reshaped(a, ShapeOf(like)); }

Term SummedTo(const Term& a, const Term& like) {
  Tape& tape = *a.tape;
  const Term from = ShapeOf(a);
  const Term missing = tape.Op("Size", {from}) - tape.Op("Size", {ShapeOf(like)});
  const Term ones = tape.Op("Expand", {tape.Int(1), tape.Op("Reshape", {missing, tape.Ints({1})})});
  const Term to = tape.Op("Concat", {ones, ShapeOf(like)}, {{"axis", std::int64_t{0}}});
  const Term differ = tape.Op("Not", {tape.Op("Equal", {from, to})});
  const Term axes = tape.Op("Reshape", {tape.Op("NonZero", {differ}), tape.Ints({-1})});
  const Term sum = tape.Op("ReduceSum", {a, axes}, {{"noop_with_empty_axes", std::int64_t{1}}});
  return ShapedAs(sum, like);
}

Term SpreadTo(const Term& a, const Term& like) { return a.tape->Op("Expand", {a, ShapeOf(like)}); }

Term Join(Tape& tape, const std::vector<Term>& parts) {
  return tape.Op("Concat", parts, {{"axis", std::int64_t{0}}});
}

Term Part(const Term& a, std::int64_t from, std::int64_t to) {
  return a.tape->Op("Slice", {a, a.tape->Ints({from}), a.tape->Ints({to})});
}

Term Reshaped(const Term& a, const Term& shape) {
  return a.tape->Op("Reshape", {a, shape}, {{"allowzero", std::int64_t{1}}});
}

Term PerChannel(const Term& a, const Term& like) {
  Tape& tape = *a.tape;
  const Term rest =
      tape.Op("Expand", {tape.Ints({1}), tape.Op("Shape", {ShapeOf(like)}) - tape.Ints({2})});
  return tape.Op("Reshape", {a, Join(tape, {tape.Ints({-1}), rest})});
}

Term SumOfChannels(const Term& a, const Term& like) {
  return ShapedAs(SummedTo(a, PerChannel(like, a)), like);
}

Term Mask(const Term& condition, const Term& like) {
  return condition.tape->Op("CastLike", {condition, like});
}

}  // namespace slipway::runtime
