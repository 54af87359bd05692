// SPDX-License-Identifier: Apache-2.0
// A function of each element between DequantizeLinear and QuantizeLinear has no more than 256
// different results: it becomes a table of them, which the nodes themselves have filled.
#include <algorithm>
#include <array>

#include "runtime/graph/prepare.h"
#include "runtime/graph/quantized_values.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kEntries = 256;

/// Functions of each element of input 0; other inputs are parameters.
bool IsFunction(const NodeData& node) {
  static constexpr std::array<std::string_view, 32> kFunctions = {
      "Abs",       "Atan",      "Ceil",       "Celu",
      "Clip",      "Cos",       "Elu",        "Erf",
      "Exp",       "Floor",     "Gelu",       "HardSigmoid",
      "HardSwish", "LeakyRelu", "Log",        "Mish",
      "Neg",       "PRelu",     "Reciprocal", "Relu",
      "Round",     "Selu",      "Sigmoid",    "Sign",
      "Sin",       "Softplus",  "Softsign",   "Sqrt",
      "Swish",     "Tanh",      "Tan",        "ThresholdedRelu"};
  return node.domain.empty() && node.outputs.size() == 1 &&
         std::ranges::find(kFunctions, node.type) != kFunctions.end();
}

/// Whether all inputs but the first are known, and of one element each.
bool HasParameters(const Rewriter& graph, std::size_t index) {
  for (std::size_t i = 1; i < graph.node(index).inputs.size(); ++i) {
    const ValueId id = graph.Input(index, i);
    if (id == kNoValue) continue;
    const Tensor* known = graph.Constant(id);
    if (known == nullptr || known->size() != 1) return false;
  }
  return true;
}

/// What a node gives of `x` and its own other inputs.
Result<Tensor> Given(Rewriter& graph, std::size_t index, const Tensor& x) {
  std::vector<const Tensor*> inputs = {&x};
  for (std::size_t i = 1; i < graph.node(index).inputs.size(); ++i) {
    inputs.push_back(graph.Constant(graph.Input(index, i)));
  }
  std::vector<Value> values =
      TRY(EvaluateNode(graph.node(index), inputs, graph.choice(), graph.device()));
  return std::move(*values[0].tensor());
}

/// Every byte, as it lies.
Result<Tensor> AllBytes(DType dtype) {
  Tensor bytes = TRY(Tensor::Make(dtype, {kEntries}));
  auto* const to = static_cast<std::uint8_t*>(bytes.raw());
  for (std::int64_t i = 0; i < kEntries; ++i) to[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

Result<bool> Tabulate(Rewriter& graph, std::size_t quantize) {
  if (!IsLinear(graph.node(quantize), "QuantizeLinear")) return false;
  const auto y = ParametersOf(graph, quantize);
  const ValueId id = graph.Input(quantize, 0);
  if (!y || !IsForAll(graph, *y) || graph.Producer(id) < 0) return false;
  if (graph.OnlyUser(id) != static_cast<std::int64_t>(quantize)) return false;
  const auto function = static_cast<std::size_t>(graph.Producer(id));
  if (!IsFunction(graph.node(function)) || !HasParameters(graph, function)) return false;
  const auto x = BytesOf(graph, graph.Input(function, 0));
  const auto dequantize = LinearBefore(graph, graph.Input(function, 0), "DequantizeLinear");
  if (!x || !dequantize) return false;
  Result<Tensor> table = AllBytes(TypeOf(graph, *x));
  for (const std::size_t index : {*dequantize, function, quantize}) {
    if (table) table = Given(graph, index, *table);
  }
  // What cannot be computed is an error only where the node is reached.
  if (!table) return false;
  NodeData& node = graph.node(function);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) graph.SetInput(function, i, kNoValue);
  node.inputs.resize(1);
  node.attributes = {};
  graph.SetInput(function, 0, x->bytes);
  graph.SetInput(function, 1, graph.AddConstant("table", *std::move(table)));
  const ValueId output = graph.node(quantize).outputs[0];
  graph.Remove(quantize);
  graph.SetOutput(function, id, output);
  TRY(graph.SetOperator(function, "slipway", "ByteTable", 1));
  return true;
}

Result<int> Run(Rewriter& graph) {
  if (!MayUseBytes(graph)) return 0;
  return ChangeEach(graph, [&](std::size_t i) { return Tabulate(graph, i); });
}

}  // namespace

Pass passes_tabulate_quantized() {
  return {.stage = 6, .summary = "has tables of functions of bytes", .run = Run};
}

}  // namespace slipway::runtime
