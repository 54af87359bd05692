// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace slipway::runtime {
namespace {

std::string FactsText(const ValueFacts& facts) {
  if (facts.kind != TypeInfo::Kind::kTensor) return "no tensor";
  return fmt::format("{}{}", DTypeName(facts.dtype),
                     facts.shape ? ShapeText(*facts.shape) : "[...]");
}

std::string StepText(const Plan& plan, const Step& step) {
  std::string text = fmt::format("{} ", NodeText(*step.node));
  switch (step.kind) {
    case Step::Kind::kKernel:
      text += step.prepared.kernel->name;
      break;
    case Step::Kind::kView:
      text += "view";
      break;
    case Step::Kind::kLate:
      text += "prepared at run time";
      break;
  }
  for (ValueId id : step.node->outputs) {
    if (id == kNoValue) continue;
    text += fmt::format(" -> {}", FactsText(plan.values[static_cast<std::size_t>(id)].facts));
    break;
  }
  text += '\n';
  if (!step.prepared.reason.empty()) text += fmt::format("    {}\n", step.prepared.reason);
  for (const auto& [kernel, why] : step.prepared.declined) {
    text += fmt::format("    not {}: {}\n", kernel, why);
  }
  return text;
}

std::int64_t BytesOf(const ValueFacts& facts) {
  if (facts.kind != TypeInfo::Kind::kTensor || !facts.shape) return 0;
  auto count = ElementCount(*facts.shape);
  return count ? *count * DTypeBits(facts.dtype) / 8 : 0;
}

double Elements(const std::optional<Shape>& shape) {
  double count = 1;
  for (std::int64_t dim : shape.value_or(Shape{0})) count *= static_cast<double>(dim);
  return count;
}

double CountFlops(const NodeData& node, const NodeFacts& facts) {
  if (facts.inputs.size() < 2 || facts.outputs.empty()) return 0;
  const auto& weights = facts.inputs[1].shape;
  if (!weights || weights->empty()) return 0;
  const bool is_conv = node.type.find("Conv") != std::string::npos;
  if (node.type.starts_with("ConvTranspose")) {
    return 2 * Elements(facts.inputs[0].shape) * Elements(weights) /
           std::max(1.0, static_cast<double>(weights->front()));
  }
  const auto& out = facts.outputs[0].shape;
  if (is_conv && out && out->size() == 5 && weights->size() == 4) {
    // In blocks of channels, of which the last may not be full.
    return 2 * static_cast<double>((*out)[0] * (*out)[2] * (*out)[3]) * Elements(weights);
  }
  if (is_conv) {
    return 2 * Elements(facts.outputs[0].shape) * Elements(weights) /
           std::max(1.0, static_cast<double>(weights->front()));
  }
  if (node.type.find("MatMul") != std::string::npos && facts.inputs[0].shape &&
      !facts.inputs[0].shape->empty()) {
    return 2 * Elements(facts.outputs[0].shape) *
           static_cast<double>(facts.inputs[0].shape->back());
  }
  if (node.type == "Gemm" && weights->size() == 2) {
    const bool transposed = node.attributes.Int("transB", 0) != 0;
    return 2 * Elements(facts.outputs[0].shape) *
           static_cast<double>((*weights)[transposed ? 1 : 0]);
  }
  return 0;
}

}  // namespace

std::string ExplainPlan(const Plan& plan, const std::map<std::string, std::int64_t>& changes) {
  std::string text;
  for (const auto& [pass, count] : changes) {
    if (count > 0) text += fmt::format("pass {}: {} changes\n", pass, count);
  }
  for (const Step& step : plan.steps) text += StepText(plan, step);
  text += fmt::format("{} nodes evaluated while planning\n", plan.folded);
  text += fmt::format("working memory {} bytes, {} live at most\n", plan.memory.bytes,
                      plan.memory.live_bytes);
  return text;
}

std::int64_t WorkingBytesOf(const Plan& plan) {
  std::int64_t bytes = plan.memory.bytes;
  std::set<ValueId> outputs;
  for (std::size_t i = 0; i < plan.graph->outputs.size(); ++i) {
    if (plan.key.wanted[i]) outputs.insert(plan.graph->outputs[i]);
  }
  for (std::size_t i = 0; i < plan.values.size(); ++i) {
    const PlannedValue& value = plan.values[i];
    const auto id = static_cast<ValueId>(i);
    if (value.place == Place::kOwn && value.root == id && !outputs.contains(id)) {
      bytes += BytesOf(value.facts);
    }
  }
  return bytes;
}

std::int64_t FlopsOf(const NodeData& node, const NodeFacts& facts) {
  return static_cast<std::int64_t>(std::min(CountFlops(node, facts), 9e18));
}

std::int64_t FlopsOf(const Step& step) { return FlopsOf(*step.node, step.prepared.facts); }

std::int64_t FlopsOf(const Plan& plan) {
  double flops = 0;
  for (const Step& step : plan.steps) {
    if (step.kind == Step::Kind::kKernel) flops += CountFlops(*step.node, step.prepared.facts);
  }
  return static_cast<std::int64_t>(std::min(flops, 9e18));
}

}  // namespace slipway::runtime
