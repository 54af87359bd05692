// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/kernel_tuner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/graph/explain.h"
#include "runtime/graph/kernel_trial.h"

namespace slipway::runtime {
namespace {

/// Operations of a node beside which what it costs to call a kernel counts little.
constexpr std::int64_t kLeastFlops = 100'000;
constexpr std::size_t kMostText = 4096;

std::string FactsText(const ValueFacts& facts) {
  if (!facts.shape) return "?";
  return fmt::format("{}{}{}", facts.constant == nullptr ? "" : "const ", DTypeName(facts.dtype),
                     ShapeText(*facts.shape));
}

/// Nothing for an attribute that is no number and no text.
struct AttributeText {
  std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(float value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const std::vector<std::int64_t>& values) const {
    return ShapeText(values);
  }
  std::string operator()(const std::vector<float>& values) const {
    std::string text;
    for (const float value : values) text += fmt::format("{}{}", text.empty() ? "" : ",", value);
    return "[" + text + "]";
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return "";
  }
};

/// Steps whose kernels are to be measured, those with most operations first.
std::vector<const Step*> StepsToMeasure(const Plan& plan) {
  std::vector<const Step*> steps;
  for (const Step& step : plan.steps) {
    if (step.kind == Step::Kind::kKernel && IsMeasured(*step.node, step.prepared.facts)) {
      steps.push_back(&step);
    }
  }
  std::ranges::stable_sort(steps, std::greater(), [](const Step* step) { return FlopsOf(*step); });
  return steps;
}

/// Of the constants that a run reads.
std::int64_t ConstantBytes(const Plan& plan) {
  std::int64_t bytes = 0;
  for (const PlannedValue& value : plan.values) {
    if (value.facts.constant != nullptr) bytes += value.facts.constant->bytes();
  }
  return bytes;
}

}  // namespace

bool IsMeasured(const NodeData& node, const NodeFacts& facts) {
  if (node.op->kernels.size() < 2 || FlopsOf(node, facts) < kLeastFlops) return false;
  const auto is_tensor = [](const ValueFacts& value) {
    return value.kind == TypeInfo::Kind::kTensor && value.dtype != DType::kString;
  };
  for (std::size_t i = 0; i < facts.inputs.size(); ++i) {
    if (facts.Has(i) && (!is_tensor(facts.inputs[i]) || !facts.inputs[i].shape)) return false;
  }
  return std::ranges::all_of(
      facts.outputs, [&](const ValueFacts& output) { return is_tensor(output) && output.shape; });
}

std::string KindOfNode(const NodeData& node, const NodeFacts& facts, const KernelChoice& choice,
                       int threads) {
  std::string text = fmt::format("{}.{}", DomainText(node.domain), node.type);
  for (std::size_t i = 0; i < facts.inputs.size(); ++i) {
    text += facts.Has(i) ? " " + FactsText(facts.inputs[i]) : " -";
  }
  text += " ->";
  for (const ValueFacts& output : facts.outputs) text += " " + FactsText(output);
  std::map<std::string_view, std::string> attributes;
  for (const auto& [name, value] : facts.attributes) {
    attributes.emplace(name, std::visit(AttributeText{}, value));
  }
  for (const auto& [name, value] : attributes) {
    if (!value.empty()) text += fmt::format(" {}={}", name, value);
  }
  if (facts.overwrites >= 0) text += fmt::format(" overwrites={}", facts.overwrites);
  text +=
      fmt::format(" opset={} threads={}{}", node.opset, threads, choice.strict ? " strict" : "");
  if (text.size() > kMostText) text.resize(kMostText);
  return text;
}

void MeasureKernels(const Plan& plan, const KernelChoice& choice, DeviceContext& device) {
  KernelTuner& tuner = *choice.tuner;
  if (choice.reference || tuner.left() <= KernelTuner::Duration::zero()) return;
  const auto begin = tuner.Now();
  const auto end = begin + tuner.left();
  const std::int64_t other = ConstantBytes(plan);
  for (const Step* step : StepsToMeasure(plan)) {
    if (MustStop() || tuner.Now() >= end) break;
    const NodeFacts& facts = step->prepared.facts;
    const std::string kind = KindOfNode(*step->node, facts, choice, device.threads());
    if (tuner.measured().Find(kind)) continue;
    auto measured =
        TryKernels(facts, choice, device, {.tuner = tuner, .end = end, .other_bytes = other});
    if (measured) tuner.measured().Add(kind, *std::move(measured));
  }
  tuner.Spend(tuner.Now() - begin);
}

}  // namespace slipway::runtime
