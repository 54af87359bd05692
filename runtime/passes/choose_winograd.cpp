// SPDX-License-Identifier: Apache-2.0
// Convolutions of 3x3 and 5x5 that Winograd's way is quicker for are computed so, unless the
// session asks for strict accuracy: those first that spare most for the room that their weights
// take, while that room is a part of what the model takes anyway. The choice follows from shapes:
// it is the same at every run. Where kernels are measured, it may be taken for others too.
#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/graph/planned_facts.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

bool IsOpen(const NodeData& node) {
  if (node.type != "Conv") return false;
  if (node.domain.empty()) return true;
  return node.domain == "slipway" && node.attributes.String("algorithm", "").empty() &&
         node.attributes.String("precision", "").empty();
}

/// Numbers of memory that weights of that form may take: some, and a part of all constants and of
/// the largest image with what comes of it.
double RoomFor(Rewriter& graph) {
  constexpr double kPart = 0.5, kSome = 256 << 10;
  double constants = 0, images = 0;
  for (const GraphValue& value : graph.graph().values) {
    if (value.is_constant()) constants += static_cast<double>(value.constant.size());
  }
  for (std::size_t i = 0; i < graph.size(); ++i) {
    if (graph.removed(i) || graph.node(i).type != "Conv") continue;
    const auto facts = FactsOfNode(graph, graph.node(i));
    if (!facts) continue;
    double numbers = 0;
    for (const auto* shape : {&facts->inputs[0].shape, &facts->outputs[0].shape}) {
      if (*shape) numbers += static_cast<double>(CountOf(**shape, 0, (*shape)->size()));
    }
    images = std::max(images, numbers);
  }
  return kSome + kPart * (constants + images);
}

struct Candidate {
  std::size_t node = 0;
  std::optional<WinogradGain> gain = {};

  /// Products spared for a number of room.
  double Worth() const { return gain ? gain->products / std::max(gain->weights, 1.0) : 0; }
};

std::vector<Candidate> CandidatesOf(const Rewriter& graph) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const NodeData& node = graph.node(i);
    if (graph.removed(i) || !IsOpen(node) || graph.Constant(node.inputs[1]) == nullptr) continue;
    const auto facts = FactsOfNode(graph, node);
    if (facts && HasWinograd(*facts)) candidates.push_back({i, GainOfWinograd(*facts)});
  }
  std::ranges::stable_sort(candidates, std::greater(), &Candidate::Worth);
  return candidates;
}

Result<int> Run(Rewriter& graph) {
  const KernelChoice& choice = graph.choice();
  if (choice.strict || choice.reference || choice.device != Device::kCpu) return 0;
  double room = RoomFor(graph);
  int chosen = 0;
  for (const Candidate& candidate : CandidatesOf(graph)) {
    const bool gains = candidate.gain && candidate.gain->weights <= room;
    if (gains) room -= candidate.gain->weights;
    if (!gains && choice.tuner == nullptr) continue;
    graph.node(candidate.node).attributes.Set("algorithm", std::string(gains ? "winograd" : "any"));
    TRY(graph.SetOperator(candidate.node, "slipway", "Conv", 1));
    ++chosen;
  }
  return chosen;
}

}  // namespace

Pass passes_choose_winograd() {
  return {.stage = 190,
          .summary = "computes convolutions of 3x3 and 5x5 by Winograd's way",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
