// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/differential.h"

#include <fmt/format.h>

#include "runtime/graph/onnx_proto.h"
#include "runtime/tensor.h"

namespace slipway::runtime {
namespace {

constexpr int kOpset = 20;  ///< that rules are written in
constexpr std::int64_t kMostVisits = 2'000'000;

Term Constant(Tape& tape, Tensor value) {
  return tape.Op("Constant", {}, {{"value", std::move(value)}});
}

}  // namespace

Result<void> Effort::Check() const {
  if (nodes > most_nodes) {
    return proto::Invalid(fmt::format("its derivatives take more than {} nodes", most_nodes));
  }
  if (visits <= kMostVisits) return {};
  return proto::Invalid(
      fmt::format("what depends on what inside its graphs takes more than {} looks", kMostVisits));
}

Term Tape::Op(std::string_view type, const Terms& inputs, Settings settings) {
  return Ops(type, inputs, 1, std::move(settings)).front();
}

Terms Tape::Ops(std::string_view type, const Terms& inputs, std::size_t outputs,
                Settings settings) {
  MadeNode node{.type = std::string(type), .opset = kOpset};
  for (const Term& input : inputs) node.inputs.push_back(input.name);
  node.outputs.resize(outputs, "y");
  for (auto& [name, value] : settings) node.attributes.Set(std::move(name), std::move(value));
  return Copy(std::move(node));
}

Term Tape::Fresh() { return Value(fmt::format("{}{}", effort_.prefix, ++effort_.values)); }

Terms Tape::Copy(MadeNode node) {
  Terms outputs;
  for (std::string& output : node.outputs) {
    outputs.push_back(output.empty() ? Term{this} : Fresh());
    output = outputs.back().name;
  }
  effort_.nodes += CountNodes(node);
  nodes_.push_back(std::move(node));
  return outputs;
}

Terms Tape::Run(const MadeGraph& graph, const Terms& inputs) {
  NewNames names;
  for (std::size_t i = 0; i < inputs.size() && i < graph.inputs.size(); ++i) {
    names[graph.inputs[i].name] = inputs[i].name;
  }
  for (const auto& [name, value] : graph.constants) {
    names[name] = Fresh().name;
    constants_.emplace_back(names[name], value);
  }
  for (const MadeNode& node : graph.nodes) {
    const Terms made = Copy(Renamed(node, names));
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (made[i]) names[node.outputs[i]] = made[i].name;
    }
  }
  Terms outputs;
  for (const ValueInfo& output : graph.outputs) {
    const auto renamed = names.find(output.name);
    outputs.push_back(Value(renamed == names.end() ? output.name : renamed->second));
  }
  return outputs;
}

std::vector<MadeNode> Tape::Since(std::size_t begin) const {
  return {nodes_.begin() + static_cast<std::ptrdiff_t>(begin), nodes_.end()};
}

MadeGraph Tape::Graph(const Terms& inputs, const Terms& outputs) const {
  MadeGraph graph{.constants = constants_, .nodes = nodes_};
  for (const Term& input : inputs) graph.inputs.push_back(Port(input.name));
  for (const Term& output : outputs) graph.outputs.push_back(Port(output.name));
  return Completed(std::move(graph));
}

void Tape::Name(const Term& term, std::string name) {
  ++effort_.nodes;
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

Term Zeros(const Term& like) { return SpreadTo(like.tape->Number(0, like), like); }

Term Sum(const Term& a, const Term& b) { return a && b ? a + b : a ? a : b; }

Term Join(Tape& tape, const Terms& parts) {
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
