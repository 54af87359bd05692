// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/pattern.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

bool IsNode(const NodeData& node, std::string_view type) {
  return node.domain.empty() && node.type == type && node.opset >= 7;
}

const NodeData* MakerOf(const Rewriter& graph, ValueId id, std::string_view type) {
  const std::int64_t producer = graph.Producer(id);
  if (producer < 0) return nullptr;
  const NodeData& node = graph.node(static_cast<std::size_t>(producer));
  return IsNode(node, type) ? &node : nullptr;
}

std::optional<double> NumberBeside(const Rewriter& graph, ValueId id, ValueId beside) {
  const Tensor* constant = graph.Constant(id);
  const ValueFacts* facts = graph.Facts(beside);
  if (constant == nullptr || facts == nullptr || !facts->shape ||
      constant->dtype() != DType::kFloat32 || constant->size() != 1 ||
      constant->rank() > static_cast<std::int64_t>(facts->shape->size())) {
    return std::nullopt;
  }
  return static_cast<double>(constant->data<float>()[0]);
}

bool IsNear(std::optional<double> number, double wanted) {
  constexpr double kError = 1e-6;
  return number && std::abs(*number - wanted) < kError * std::max(1.0, std::abs(wanted));
}

ValueId OtherInput(const NodeData& node, ValueId id) {
  if (node.inputs.size() != 2) return kNoValue;
  if (node.inputs[0] == id) return node.inputs[1];
  return node.inputs[1] == id ? node.inputs[0] : kNoValue;
}

ValueId UserWith(const Rewriter& graph, ValueId id, std::string_view type, std::size_t& user) {
  const std::int64_t only = graph.OnlyUser(id);
  if (only < 0) return kNoValue;
  user = static_cast<std::size_t>(only);
  return IsNode(graph.node(user), type) ? OtherInput(graph.node(user), id) : kNoValue;
}

Result<void> BecomeFunction(Rewriter& graph, std::size_t index, ValueId x, std::string_view type,
                            int opset, Attributes attributes) {
  graph.SetInput(index, 0, x);
  graph.SetInput(index, 1, kNoValue);
  graph.node(index).inputs.resize(1);
  graph.node(index).attributes = std::move(attributes);
  return graph.SetOperator(index, "", std::string(type), opset);
}

const Shape* FloatShape(const Rewriter& graph, ValueId id) {
  const ValueFacts* facts = graph.Facts(id);
  if (facts == nullptr || facts->dtype != DType::kFloat32 || !facts->shape) return nullptr;
  return &*facts->shape;
}

bool IsRowOf(const Rewriter& graph, ValueId id, const Shape& rows) {
  const Shape* row = FloatShape(graph, id);
  if (row == nullptr || row->empty() || row->size() > rows.size()) return false;
  return row->back() == rows.back() && CountOf(*row, 0, row->size()) == row->back();
}

}  // namespace slipway::runtime
