// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/broadcast.h"

namespace slipway::runtime {

std::vector<std::int64_t> BroadcastPlan::IndexOf(std::int64_t row,
                                                 std::vector<std::int64_t>& offsets) const {
  std::vector<std::int64_t> index(dims.size() - 1);
  std::fill(offsets.begin(), offsets.end(), 0);
  for (std::size_t d = index.size(); d-- > 0;) {
    index[d] = row % dims[d];
    row /= dims[d];
    for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] += index[d] * strides[i][d];
  }
  return index;
}

void BroadcastPlan::Locate(std::int64_t row, std::vector<std::int64_t>& offsets) const {
  (void)IndexOf(row, offsets);
}

namespace {

std::vector<std::int64_t> BroadcastStrides(const Shape& out, const Shape& operand) {
  std::vector<std::int64_t> strides(out.size(), 0);
  const std::size_t lead = out.size() - operand.size();
  std::int64_t stride = 1;
  for (std::size_t i = operand.size(); i-- > 0;) {
    if (operand[i] != 1) strides[lead + i] = stride;
    stride *= operand[i];
  }
  return strides;
}

bool Mergeable(const BroadcastPlan& plan, const std::vector<std::vector<std::int64_t>>& full,
               std::size_t d, std::int64_t dim) {
  for (std::size_t i = 0; i < full.size(); ++i) {
    if (plan.strides[i].back() != full[i][d] * dim) return false;
  }
  return true;
}

}  // namespace

BroadcastPlan PlanBroadcast(const Shape& out, const std::vector<Shape>& operands) {
  BroadcastPlan plan;
  plan.size = CountOf(out, 0, out.size());
  plan.strides.resize(operands.size());
  if (plan.size == 0) {
    plan.dims.push_back(0);
    for (auto& strides : plan.strides) strides.push_back(0);
    return plan;
  }
  std::vector<std::vector<std::int64_t>> full;
  for (const Shape& operand : operands) full.push_back(BroadcastStrides(out, operand));
  for (std::size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 1) continue;
    if (!plan.dims.empty() && Mergeable(plan, full, d, out[d])) {
      plan.dims.back() *= out[d];
      for (std::size_t i = 0; i < full.size(); ++i) plan.strides[i].back() = full[i][d];
      continue;
    }
    plan.dims.push_back(out[d]);
    for (std::size_t i = 0; i < full.size(); ++i) plan.strides[i].push_back(full[i][d]);
  }
  if (plan.dims.empty()) {
    plan.dims.push_back(1);
    for (auto& strides : plan.strides) strides.push_back(0);
  }
  return plan;
}

Result<std::vector<Shape>> BinaryShapes(const NodeFacts& node) {
  std::vector<Shape> shapes{node.shape(0), node.shape(1)};
  if (node.op->since >= 7) return shapes;
  Shape& b = shapes[1];
  const Shape& a = shapes[0];
  if (node.attributes.Int("broadcast", 0) == 0) {
    if (a == b) return shapes;
    return Invalid("shapes ", a, " and ", b, " differ and attribute `broadcast` is 0");
  }
  if (b.size() > a.size()) return Invalid("shape ", b, " has more dimensions than ", a);
  if (!node.attributes.Has("axis")) return shapes;
  const std::int64_t most = RankOf(a) - RankOf(b);
  std::int64_t axis = node.attributes.Int("axis", 0);
  if (axis < 0) axis += RankOf(a);
  if (axis < 0 || axis > most) {
    return Invalid("axis ", node.attributes.Int("axis", 0), " does not place ", b, " in ", a);
  }
  b.insert(b.end(), At(most - axis), 1);
  return shapes;
}

namespace {

Result<Facts> InferBinaryAs(const NodeFacts& node, DType dtype) {
  const std::vector<Shape> shapes = TRY(BinaryShapes(node));
  Shape out = TRY(BroadcastShapes(shapes[0], shapes[1]));
  if (node.op->since < 7 && out != shapes[0]) {
    return Invalid("shape ", shapes[1], " does not broadcast to ", shapes[0]);
  }
  return Facts{TensorFacts(dtype, std::move(out))};
}

}  // namespace

Result<Facts> InferBinary(const NodeFacts& node) { return InferBinaryAs(node, node.dtype(0)); }
Result<Facts> InferBinaryBool(const NodeFacts& node) { return InferBinaryAs(node, DType::kBool); }

}  // namespace slipway::runtime
