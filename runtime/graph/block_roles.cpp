// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/block_roles.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "runtime/graph/inference.h"
#include "runtime/graph/planned_facts.h"
#include "runtime/kernels/blocked.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/pool.h"

namespace slipway::runtime {
namespace {

/// An image of more elements is not moved by calls that cannot be ended.
constexpr std::int64_t kMostElements = std::int64_t{1} << 25;

/// Functions of one input whose value at zero is finite.
constexpr std::string_view kFunctions[] = {
    "Abs",  "Ceil",           "Celu",      "Clip",      "Cos",      "Elu",      "Erf",  "Floor",
    "Gelu", "HardSigmoid",    "HardSwish", "LeakyRelu", "Mish",     "Neg",      "Relu", "Round",
    "Selu", "Sigmoid",        "Sign",      "Sin",       "Softplus", "Softsign", "Sqrt", "Swish",
    "Tanh", "ThresholdedRelu"};
/// Others, for channels that fill their blocks.
constexpr std::string_view kOpenFunctions[] = {"Exp", "Log", "Reciprocal"};
constexpr std::string_view kCombinations[] = {"Add", "Max", "Min", "Mul", "PRelu", "Sub", "Sum"};
constexpr std::string_view kOpenCombinations[] = {"Div"};

bool IsOneOf(std::string_view type, std::span<const std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

/// The shape of a float32 image that is not empty and not too large; null for other values.
const Shape* ImageShape(const Rewriter& graph, ValueId id) {
  const ValueFacts* facts = graph.Facts(id);
  if (facts == nullptr || facts->kind != TypeInfo::Kind::kTensor ||
      facts->dtype != DType::kFloat32 || !facts->shape || facts->shape->size() != 4) {
    return nullptr;
  }
  const std::int64_t count = CountOf(*facts->shape, 0, 4);
  return count > 0 && count / (*facts->shape)[0] <= kMostElements ? &*facts->shape : nullptr;
}

/// Output 0, if it alone is named.
ValueId OnlyOutput(const NodeData& node) {
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return kNoValue;
  }
  return node.outputs.empty() ? kNoValue : node.outputs[0];
}

std::optional<BlockRole> RoleOfConv(Rewriter& graph, const NodeData& node, std::int64_t block) {
  if (!node.domain.empty() && node.domain != "slipway") return std::nullopt;
  const auto facts = FactsOfNode(graph, node);
  if (!facts || ImageShape(graph, node.inputs[0]) == nullptr || !facts->inputs[1].constant) {
    return std::nullopt;
  }
  const BlockedConv way = BlockedConvOf(*facts, block, graph.device());
  if (way == BlockedConv::kNone) return std::nullopt;
  BlockRole role{.kind = BlockRole::Kind::kConv};
  if (way == BlockedConv::kBlocks) role.blocks.push_back(0);
  if (facts->Has(3)) role.blocks.push_back(3);
  role.changes_itself = !DeclineConvDepthwise(*facts).empty() && !DeclineConvFew(*facts).empty() &&
                        !DeclineConvGrouped(*facts).empty();
  return role;
}

/// A constant of one number for each of `channels`: [1, C, 1, 1] or [C, 1, 1].
bool IsPerChannel(const Tensor& tensor, std::int64_t channels) {
  const std::int64_t axis = tensor.rank() - 3;
  return tensor.dtype() == DType::kFloat32 && tensor.size() == channels && axis >= 0 && axis <= 1 &&
         tensor.dim(axis) == channels;
}

bool IsFiniteNumber(const Tensor& tensor) {
  return tensor.dtype() == DType::kFloat32 && tensor.size() == 1 && tensor.rank() <= 4 &&
         std::isfinite(tensor.data<float>()[0]);
}

/// Whether all of its inputs but one full image have one number a channel.
bool IsScale(const Rewriter& graph, const NodeData& node, const Shape& out, const BlockRole& role) {
  if (node.type != "Mul" && node.type != "Add") return false;
  if (role.blocks.size() + role.per_channel.size() != 2) return false;
  std::int64_t full = 0, thin = static_cast<std::int64_t>(role.per_channel.size());
  for (const std::size_t input : role.blocks) {
    const Shape& shape = *ImageShape(graph, node.inputs[input]);
    full += shape == out ? 1 : 0;
    thin += shape != out && shape[2] == 1 && shape[3] == 1 ? 1 : 0;
  }
  return full == 1 && thin == 1;
}

/// Two tensors or more, of which some repeat along others.
std::optional<BlockRole> RoleOfCombination(const Rewriter& graph, const NodeData& node,
                                           const Shape& out) {
  BlockRole role;
  if (node.opset < 7 && node.type != "Sum" && node.type != "Max" && node.type != "Min") {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Tensor* constant = graph.Constant(node.inputs[i]);
    const Shape* shape = ImageShape(graph, node.inputs[i]);
    if (constant != nullptr && IsFiniteNumber(*constant)) continue;
    if (constant != nullptr && IsPerChannel(*constant, out[1])) {
      role.per_channel.push_back(i);
    } else if (shape != nullptr && (*shape)[1] == out[1]) {
      role.blocks.push_back(i);
    } else {
      return std::nullopt;
    }
  }
  if (role.blocks.empty()) return std::nullopt;
  if (IsScale(graph, node, out, role)) role.kind = BlockRole::Kind::kScale;
  return role;
}

std::optional<BlockRole> RoleOfConcat(const Rewriter& graph, const NodeData& node,
                                      std::int64_t block) {
  const std::int64_t axis = node.attributes.Int("axis", 1);
  if (axis != 1 && axis != -3) return std::nullopt;
  BlockRole role{.kind = BlockRole::Kind::kConcat};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Shape* shape = ImageShape(graph, node.inputs[i]);
    if (shape == nullptr) return std::nullopt;
    if ((*shape)[1] % block != 0 && i + 1 < node.inputs.size()) return std::nullopt;
    role.blocks.push_back(i);
  }
  return role;
}

std::optional<BlockRole> RoleOfNormalization(const Rewriter& graph, const NodeData& node,
                                             std::int64_t channels) {
  if (!IsInferenceNormalization(node)) return std::nullopt;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* constant = graph.Constant(node.inputs[i]);
    if (constant == nullptr || constant->dtype() != DType::kFloat32 ||
        constant->shape() != Shape{channels}) {
      return std::nullopt;
    }
  }
  return BlockRole{.kind = BlockRole::Kind::kNormalization, .blocks = {0}};
}

/// ReduceMean over the two spatial dimensions.
bool IsSpatialMean(const Rewriter& graph, const NodeData& node) {
  if (node.attributes.Int("keepdims", 1) == 0) return false;
  std::vector<std::int64_t> axes = node.attributes.Ints("axes", {});
  if (node.inputs.size() > 1) axes = IntsOf(graph.Constant(node.inputs[1]));
  for (std::int64_t& axis : axes) axis += axis < 0 ? 4 : 0;
  std::ranges::sort(axes);
  return axes == std::vector<std::int64_t>{2, 3};
}

std::optional<BlockRole> RoleOfOne(Rewriter& graph, const NodeData& node, const Shape& in,
                                   std::int64_t block) {
  using Kind = BlockRole::Kind;
  const std::string_view type = node.type;
  const auto role = [](Kind kind) { return BlockRole{.kind = kind, .blocks = {0}}; };
  if (type == "BatchNormalization") return RoleOfNormalization(graph, node, in[1]);
  if (type == "GlobalAveragePool" || type == "GlobalMaxPool") return role(Kind::kGlobalPool);
  if (type == "ReduceMean" && IsSpatialMean(graph, node)) return role(Kind::kGlobalPool);
  if (type == "MaxPool" || type == "AveragePool") {
    const auto facts = FactsOfNode(graph, node);
    if (!facts || !DeclinePoolRows(*facts).empty()) return std::nullopt;
    return role(Kind::kPool);
  }
  if (type == "LRN") {
    const auto facts = FactsOfNode(graph, node);
    if (!facts || !HasBlockedLrn(*facts, block, graph.device())) return std::nullopt;
    return role(Kind::kLrn);
  }
  const bool open = in[1] % block == 0 && IsOneOf(type, kOpenFunctions);
  if (!open && !IsOneOf(type, kFunctions)) return std::nullopt;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* bound = graph.Constant(node.inputs[i]);
    if (node.inputs[i] != kNoValue && bound == nullptr) return std::nullopt;
  }
  return role(Kind::kAsItIs);
}

}  // namespace

std::optional<BlockRole> BlockRoleOf(Rewriter& graph, std::size_t index, std::int64_t block) {
  const NodeData& node = graph.node(index);
  const Shape* out = ImageShape(graph, OnlyOutput(node));
  if (out == nullptr || node.inputs.empty() || !node.captures.empty()) return std::nullopt;
  if (node.type == "Conv") return RoleOfConv(graph, node, block);
  if (!node.domain.empty()) return std::nullopt;
  if (node.type == "Concat") return RoleOfConcat(graph, node, block);
  const bool open = (*out)[1] % block == 0 && IsOneOf(node.type, kOpenCombinations);
  if (open || IsOneOf(node.type, kCombinations)) return RoleOfCombination(graph, node, *out);
  const Shape* in = ImageShape(graph, node.inputs[0]);
  if (in == nullptr || graph.Constant(node.inputs[0]) != nullptr) return std::nullopt;
  return RoleOfOne(graph, node, *in, block);
}

}  // namespace slipway::runtime
