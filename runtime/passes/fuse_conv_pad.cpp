// SPDX-License-Identifier: Apache-2.0
// Pad with zeros, then Conv: the zeros become the Conv's own, as Keras's layers are exported.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/limits.h"
#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

using Pads = std::vector<std::int64_t>;

bool AnyIsNegative(const Pads& pads) {
  return std::ranges::any_of(pads, [](std::int64_t n) { return n < 0; });
}

bool IsZeros(const Rewriter& graph, const NodeData& pad) {
  if (pad.attributes.String("mode", "constant") != "constant") return false;
  if (pad.attributes.Float("value", 0) != 0) return false;
  if (pad.inputs.size() < 3 || pad.inputs[2] == kNoValue) return true;
  const Tensor* value = graph.Constant(pad.inputs[2]);
  return value != nullptr && value->dtype() == DType::kFloat32 && value->size() == 1 &&
         value->data<float>()[0] == 0;
}

/// Of all dimensions, the beginnings first; nothing where they come with a run, or for some axes.
std::optional<Pads> PadsOf(const Rewriter& graph, std::size_t pad) {
  if (graph.Input(pad, 3) != kNoValue) return std::nullopt;
  const ValueId given = graph.Input(pad, 1);
  if (given == kNoValue) return graph.node(pad).attributes.Ints("pads", {});
  const Tensor* pads = graph.Constant(given);
  if (pads == nullptr || pads->dtype() != DType::kInt64) return std::nullopt;
  const auto numbers = pads->data<std::int64_t>();
  return Pads(numbers.begin(), numbers.end());
}

/// Those of the dimensions behind batch and channels, if no other is padded and none is cut.
std::optional<Pads> OfTheImage(const Pads& pads) {
  const std::size_t rank = pads.size() / 2;
  if (rank < 3 || pads.size() != 2 * rank) return std::nullopt;
  if (AnyIsNegative(pads)) return std::nullopt;
  for (const std::size_t other : {std::size_t{0}, std::size_t{1}, rank, rank + 1}) {
    if (pads[other] != 0) return std::nullopt;
  }
  Pads image(pads.begin() + 2, pads.begin() + static_cast<std::int64_t>(rank));
  image.insert(image.end(), pads.begin() + static_cast<std::int64_t>(rank) + 2, pads.end());
  return image;
}

Result<bool> Fuse(Rewriter& graph, std::size_t conv) {
  NodeData& node = graph.node(conv);
  if (node.type != "Conv" || !node.domain.empty()) return false;
  if (node.attributes.String("auto_pad", "NOTSET") != "NOTSET") return false;
  const ValueId padded = node.inputs[0];
  const std::int64_t producer = graph.Producer(padded);
  if (producer < 0 || graph.OnlyUser(padded) != static_cast<std::int64_t>(conv)) return false;
  const auto pad = static_cast<std::size_t>(producer);
  const NodeData& before = graph.node(pad);
  if (before.type != "Pad" || !before.domain.empty() || !IsZeros(graph, before)) return false;
  const auto all = PadsOf(graph, pad);
  if (!all) return false;
  auto pads = OfTheImage(*all);
  if (!pads) return false;
  const Pads own = node.attributes.Ints("pads", Pads(pads->size(), 0));
  if (own.size() != pads->size() || AnyIsNegative(own)) return false;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const auto sum = CheckedAdd((*pads)[i], own[i], "the pads");
    if (!sum) return false;
    (*pads)[i] = *sum;
  }
  graph.SetInput(conv, 0, before.inputs[0]);
  node.attributes.Set("pads", *std::move(pads));
  graph.Remove(pad);
  return true;
}

Result<int> Run(Rewriter& graph) {
  return ChangeEach(graph, [&](std::size_t i) { return Fuse(graph, i); });
}

}  // namespace

Pass passes_fuse_conv_pad() {
  return {.stage = 45, .summary = "pads with zeros in the Conv behind", .run = Run};
}

}  // namespace slipway::runtime
