// SPDX-License-Identifier: Apache-2.0
// Regions of nodes work on images in blocks of channels, as oneDNN's convolutions do: layouts
// change at the borders of regions alone, not before and after each convolution.
#include <algorithm>
#include <cmath>
#include <map>

#include "runtime/graph/block_regions.h"
#include "runtime/graph/op_index.h"
#include "runtime/kernels/blocked.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

using Kind = BlockRole::Kind;

class BlockWriter {
 public:
  BlockWriter(Rewriter& graph, const ValueUses& uses,
              const std::vector<std::optional<BlockRole>>& roles, const std::vector<bool>& chosen,
              std::int64_t block)
      : graph_(graph), uses_(uses), roles_(roles), chosen_(chosen), block_(block) {}

  Result<int> Run() {
    int changed = 0;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (!chosen_[i] || graph_.removed(i)) continue;
      TRY(Write(i, *roles_[i]));
      ++changed;
    }
    return changed;
  }

 private:
  const Shape& ShapeOf(ValueId id) const { return *graph_.Facts(id)->shape; }
  std::string NameOf(ValueId id) const {
    return graph_.graph().values[static_cast<std::size_t>(id)].name;
  }

  Result<void> Write(std::size_t i, const BlockRole& role) {
    const ValueId output = graph_.node(i).outputs[0];
    const std::int64_t channels = ShapeOf(output)[1];
    const ValueId second = graph_.Input(i, 1);
    const ValueFacts* facts = graph_.Facts(second);
    image_input_ = facts != nullptr && facts->shape == ShapeOf(output) ? 1 : 0;
    for (const std::size_t input : role.blocks) {
      graph_.SetInput(i, input, TRY(InBlocks(graph_.node(i).inputs[input], i)));
    }
    for (const std::size_t input : role.per_channel) {
      const Tensor* constant = graph_.Constant(graph_.node(i).inputs[input]);
      graph_.SetInput(i, input,
                      AddPerChannel(graph_.node(i).name + "/in_blocks", constant->data<float>(),
                                    {1, Blocks(channels), 1, 1, block_}));
    }
    graph_.node(i).outputs.resize(1);
    TRY(Become(i, role.kind, channels));
    return Deliver(i);
  }

  std::int64_t Blocks(std::int64_t channels) const { return (channels + block_ - 1) / block_; }

  /// One number a channel, then zeros up to a whole block.
  ValueId AddPerChannel(std::string name, std::span<const float> numbers, Shape shape) {
    auto tensor = Tensor::Make(DType::kFloat32, std::move(shape));
    SLIPWAY_CHECK(tensor);
    const auto to = tensor->data<float>();
    std::ranges::fill(to, 0.0F);
    std::ranges::copy(numbers, to.begin());
    return graph_.AddConstant(std::move(name), *std::move(tensor));
  }

  /// The value in blocks, for node `user`.
  Result<ValueId> InBlocks(ValueId id, std::size_t user) {
    if (const auto found = in_blocks_.find(id); found != in_blocks_.end()) return found->second;
    const ValueId made = graph_.AddResult(NameOf(id) + "/blocks");
    NodeData node{.name = NameOf(id) + "/to_blocks",
                  .domain = std::string(kPrivateDomain),
                  .type = "ToBlocks",
                  .opset = 1,
                  .inputs = {id},
                  .outputs = {made}};
    node.attributes.Set("block", block_);
    TRY(graph_.Insert(user, std::move(node)));
    in_blocks_.emplace(id, made);
    return made;
  }

  Result<void> Become(std::size_t i, Kind kind, std::int64_t channels) {
    Attributes& attributes = graph_.node(i).attributes;
    switch (kind) {
      case Kind::kAsItIs:
        return {};
      case Kind::kConcat:
        attributes.Set("axis", std::int64_t{1});
        return {};
      case Kind::kConv:
        attributes.Set("block", block_);
        return graph_.SetOperator(i, std::string(kPrivateDomain), "Conv", 1);
      case Kind::kPool:
      case Kind::kLrn:
        return graph_.SetOperator(i, std::string(kPrivateDomain), graph_.node(i).type, 1);
      case Kind::kGlobalPool: {
        const bool most = graph_.node(i).type == "GlobalMaxPool";
        attributes = {};
        KeepInputs(i, 1);
        return graph_.SetOperator(i, std::string(kPrivateDomain),
                                  most ? "GlobalMaxPool" : "GlobalAveragePool", 1);
      }
      case Kind::kScale:
        return Scale(i);
      case Kind::kNormalization:
        return Normalize(i, channels);
    }
    return {};
  }

  void KeepInputs(std::size_t i, std::size_t count) {
    for (std::size_t k = count; k < graph_.node(i).inputs.size(); ++k) {
      graph_.SetInput(i, k, kNoValue);
    }
    graph_.node(i).inputs.resize(count);
  }

  /// The image, then the numbers it is multiplied by or those that are added.
  Result<void> Scale(std::size_t i) {
    const NodeData& node = graph_.node(i);
    const bool adds = node.type == "Add";
    const bool swapped = image_input_ == 1;
    const ValueId image = node.inputs[swapped ? 1 : 0], numbers = node.inputs[swapped ? 0 : 1];
    graph_.SetInput(i, 0, image);
    graph_.SetInput(i, 1, adds ? kNoValue : numbers);
    if (adds) graph_.SetInput(i, 2, numbers);
    graph_.node(i).attributes = {};
    TakeRelu(i);
    return graph_.SetOperator(i, std::string(kPrivateDomain), "Affine", 1);
  }

  /// scale * (x - mean) / sqrt(var + epsilon) + bias as x * f + (bias - mean * f).
  Result<void> Normalize(std::size_t i, std::int64_t channels) {
    const NodeData& node = graph_.node(i);
    std::span<const float> from[4];
    for (std::size_t k = 0; k < 4; ++k)
      from[k] = graph_.Constant(node.inputs[k + 1])->data<float>();
    const auto epsilon = static_cast<double>(node.attributes.Float("epsilon", 1e-5F));
    std::vector<float> scale, shift;
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
      const double factor =
          static_cast<double>(from[0][c]) / std::sqrt(static_cast<double>(from[3][c]) + epsilon);
      scale.push_back(static_cast<float>(factor));
      shift.push_back(static_cast<float>(static_cast<double>(from[1][c]) -
                                         static_cast<double>(from[2][c]) * factor));
    }
    const std::string name = node.name;
    KeepInputs(i, 3);
    const Shape shape{1, Blocks(channels), 1, 1, block_};
    graph_.SetInput(i, 1, AddPerChannel(name + "/scale", scale, shape));
    graph_.SetInput(i, 2, AddPerChannel(name + "/shift", shift, shape));
    graph_.node(i).attributes = {};
    TakeRelu(i);
    return graph_.SetOperator(i, std::string(kPrivateDomain), "Affine", 1);
  }

  /// A Relu that alone uses the output becomes part of node `i`, which has its output then.
  void TakeRelu(std::size_t i) {
    const ValueId output = graph_.node(i).outputs[0];
    const std::int64_t user = graph_.OnlyUser(output);
    if (user < 0) return;
    const auto relu = static_cast<std::size_t>(user);
    const NodeData& node = graph_.node(relu);
    if (!chosen_[relu] || !node.domain.empty() || node.type != "Relu") return;
    const ValueId now = node.outputs[0];
    graph_.Remove(relu);
    graph_.SetOutput(i, output, now);
    graph_.node(i).attributes.Set("activation", std::string("Relu"));
  }

  /// Has node `i` make blocks, from which the value is made where it is used as it was.
  Result<void> Deliver(std::size_t i) {
    const ValueId output = graph_.node(i).outputs[0];
    const ValueId made = graph_.AddResult(NameOf(output) + "/blocks");
    graph_.SetOutput(i, output, made);
    in_blocks_.emplace(output, made);
    const bool plain = uses_.IsKept(output) ||
                       std::ranges::any_of(uses_.Of(output), [&](const ValueUses::Use& use) {
                         return !TakesBlocks(use);
                       });
    if (!plain) return {};
    NodeData node{.name = NameOf(output) + "/from_blocks",
                  .domain = std::string(kPrivateDomain),
                  .type = "FromBlocks",
                  .opset = 1,
                  .inputs = {made},
                  .outputs = {output}};
    node.attributes.Set("channels", ShapeOf(output)[1]);
    return graph_.Insert(i + 1, std::move(node));
  }

  bool TakesBlocks(const ValueUses::Use& use) const {
    if (!chosen_[use.node]) return false;
    const auto& inputs = roles_[use.node]->blocks;
    return std::ranges::find(inputs, use.input) != inputs.end();
  }

  Rewriter& graph_;
  const ValueUses& uses_;
  const std::vector<std::optional<BlockRole>>& roles_;
  const std::vector<bool>& chosen_;
  std::int64_t block_;
  std::map<ValueId, ValueId> in_blocks_;
  std::size_t image_input_ = 0;  // of the node being written, the one as large as its output
};

Result<int> Run(Rewriter& graph) {
  const std::int64_t block = ChannelBlock();
  if (block == 0 || graph.choice().reference || graph.choice().device != Device::kCpu) return 0;
  std::vector<std::optional<BlockRole>> roles;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    roles.push_back(BlockRoleOf(graph, i, block));
  }
  const bool any = std::ranges::any_of(
      roles, [](const auto& role) { return role && role->kind == Kind::kConv; });
  if (!any) return 0;
  const ValueUses uses(graph.graph());
  const std::vector<bool> chosen = ChooseBlockRegions(graph, uses, roles);
  return BlockWriter(graph, uses, roles, chosen, block).Run();
}

}  // namespace

Pass passes_block_layouts() {
  return {.stage = 200,
          .summary = "keeps images in blocks of channels between convolutions",
          .per_plan = true,
          .run = Run};
}

}  // namespace slipway::runtime
