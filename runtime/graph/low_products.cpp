// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/low_products.h"

#include <string>

#include "runtime/graph/pattern.h"
#include "runtime/graph/planned_facts.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/matmul.h"

namespace slipway::runtime {
namespace {

constexpr std::string_view kFused = "slipway";

/// Whether it is that operator, or its fused form for which nothing is asked yet.
bool IsOpen(const NodeData& node, std::string_view type) {
  if (node.type != type) return false;
  return node.domain.empty() ||
         (node.domain == kFused && node.attributes.String("algorithm", "").empty() &&
          node.attributes.String("precision", "").empty());
}

Result<void> Ask(Rewriter& graph, std::size_t index, Precision precision, std::string_view type) {
  graph.node(index).attributes.Set("precision", std::string(PrecisionName(precision)));
  return graph.SetOperator(index, std::string(kFused), std::string(type), 1);
}

Result<bool> LowerConv(Rewriter& graph, std::size_t index, Precision precision) {
  const NodeData& node = graph.node(index);
  if (!IsOpen(node, "Conv") || graph.Constant(graph.Input(index, 1)) == nullptr) return false;
  const auto facts = FactsOfNode(graph, node);
  if (!facts || !GainsByLowConv(*facts, precision, graph.device())) return false;
  TRY(Ask(graph, index, precision, "Conv"));
  return true;
}

/// Whether a Gemm is a product to which a row is added, if anything is.
bool IsPlainGemm(const Rewriter& graph, const NodeData& node) {
  if (!IsNode(node, "Gemm")) return false;
  const Attributes& attributes = node.attributes;
  if (attributes.Float("alpha", 1) != 1 || attributes.Int("transA", 0) != 0) return false;
  if (node.inputs.size() < 3 || node.inputs[2] == kNoValue) return true;
  const Shape* sums = FloatShape(graph, node.outputs[0]);
  return sums != nullptr && attributes.Float("beta", 1) == 1 &&
         IsRowOf(graph, node.inputs[2], *sums);
}

Result<bool> LowerMatMul(Rewriter& graph, std::size_t index, Precision precision) {
  const NodeData& node = graph.node(index);
  const bool plain_gemm = IsPlainGemm(graph, node);
  if (!plain_gemm && !IsOpen(node, "MatMul")) return false;
  if (graph.Constant(graph.Input(index, 1)) == nullptr) return false;
  const auto facts = FactsOfNode(graph, node);
  if (!facts || !GainsByLowMatMul(*facts, precision, graph.device())) return false;
  if (plain_gemm) {
    Attributes attributes;
    attributes.Set("transB", node.attributes.Int("transB", 0));
    graph.node(index).attributes = std::move(attributes);
  }
  TRY(Ask(graph, index, precision, "MatMul"));
  return true;
}

}  // namespace

Result<int> LowerProducts(Rewriter& graph, Precision precision) {
  const KernelChoice& choice = graph.choice();
  if (choice.precision != precision || choice.reference || choice.device != Device::kCpu ||
      !HasPrecision(precision)) {
    return 0;
  }
  return ChangeEach(graph, [&](std::size_t i) -> Result<bool> {
    return TRY(LowerConv(graph, i, precision)) || TRY(LowerMatMul(graph, i, precision));
  });
}

}  // namespace slipway::runtime
