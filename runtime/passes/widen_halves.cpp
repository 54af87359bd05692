// SPDX-License-Identifier: Apache-2.0
// Networks of 16-bit floats keep float32 between their nodes: weights are converted once, values at
// the borders alone. Roundings to 16 bits in between are left out, so sessions that ask for strict
// accuracy do without.
#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

#include "runtime/graph/rewriter.h"
#include "runtime/pass.h"

namespace slipway::runtime {
namespace {

/// Operators whose outputs have the element type of input 0, which may be any float, and are the
/// same function in each: sorted.
constexpr auto kSameType = std::to_array<std::string_view>({
    "Abs",           "Add",
    "AveragePool",   "BatchNormalization",
    "Clip",          "Concat",
    "Conv",          "ConvTranspose",
    "DepthToSpace",  "Div",
    "Elu",           "Erf",
    "Exp",           "Expand",
    "Flatten",       "Gelu",
    "Gemm",          "GlobalAveragePool",
    "GlobalMaxPool", "HardSigmoid",
    "HardSwish",     "InstanceNormalization",
    "LRN",           "LayerNormalization",
    "LeakyRelu",     "Log",
    "LogSoftmax",    "MatMul",
    "Max",           "MaxPool",
    "Mean",          "Min",
    "Mish",          "Mul",
    "Neg",           "PRelu",
    "Pad",           "Pow",
    "Reciprocal",    "ReduceMean",
    "ReduceSum",     "Relu",
    "Reshape",       "Selu",
    "Sigmoid",       "Slice",
    "Softmax",       "Softplus",
    "SpaceToDepth",  "Split",
    "Sqrt",          "Squeeze",
    "Sub",           "Sum",
    "Tanh",          "Transpose",
    "Unsqueeze",
});
constexpr std::string_view kProducts[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};

bool IsHalf(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBfloat16; }

bool IsSameType(const NodeData& node) {
  if (!node.domain.empty() || !std::ranges::binary_search(kSameType, node.type)) return false;
  return node.outputs.size() == 1 || node.type == "Split";
}

std::size_t Index(std::int64_t at) { return static_cast<std::size_t>(at); }

/// Element types of values; undefined where they are not known without shapes.
std::vector<DType> TypesOf(const GraphData& graph) {
  std::vector<DType> types(graph.values.size(), DType::kUndefined);
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = graph.values[i].constant.dtype();
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const TypeInfo& type = graph.input_infos[i].type;
    if (type.kind == TypeInfo::Kind::kTensor) types[Index(graph.inputs[i])] = type.dtype;
  }
  for (const NodeData& node : graph.nodes) {
    DType type = DType::kUndefined;
    if (node.domain.empty() && node.type == "Cast") {
      const auto to = DTypeFromNumber(node.attributes.Int("to", 0));
      if (to) type = *to;
    } else if (IsSameType(node) && !node.inputs.empty() && node.inputs[0] != kNoValue) {
      type = types[Index(node.inputs[0])];
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) types[Index(id)] = type;
    }
  }
  return types;
}

class Widener {
 public:
  explicit Widener(Rewriter& graph) : graph_(graph), types_(TypesOf(graph.graph())) {}

  Result<int> Run() {
    if (!HasHalfWeights()) return 0;
    Choose();
    CountUses();
    int changed = 0;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (!chosen_[i]) continue;
      TRY(Write(i));
      ++changed;
    }
    return changed;
  }

 private:
  bool IsHalfValue(ValueId id) const { return id != kNoValue && IsHalf(types_[Index(id)]); }

  /// Whether a product has weights of 16 bits.
  bool HasHalfWeights() const {
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      const NodeData& node = graph_.node(i);
      if (!node.domain.empty() || std::ranges::find(kProducts, node.type) == std::end(kProducts)) {
        continue;
      }
      const Tensor* weights = graph_.Constant(graph_.Input(i, 1));
      if (weights != nullptr && IsHalf(weights->dtype())) return true;
    }
    return false;
  }

  /// Nodes next to one another: a single one gains nothing.
  void Choose() {
    std::vector<bool> serves(graph_.size(), false);
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      serves[i] = IsSameType(graph_.node(i)) && IsHalfValue(graph_.Input(i, 0));
    }
    chosen_.assign(graph_.size(), false);
    for (std::size_t i = 0; i < graph_.size(); ++i) {
      for (const ValueId id : graph_.node(i).inputs) {
        const std::int64_t producer = graph_.Producer(id);
        if (!serves[i] || producer < 0 || !serves[Index(producer)]) continue;
        chosen_[i] = chosen_[Index(producer)] = true;
      }
    }
  }

  void CountUses() {
    wide_uses_.assign(types_.size(), 0);
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      for (const ValueId id : graph_.node(i).inputs) {
        if (chosen_[i] && id != kNoValue) ++wide_uses_[Index(id)];
      }
    }
  }

  Result<void> Write(std::size_t i) {
    for (std::size_t k = 0; k < graph_.node(i).inputs.size(); ++k) {
      const ValueId id = graph_.node(i).inputs[k];
      if (IsHalfValue(id)) graph_.SetInput(i, k, TRY(Wide(id, i)));
    }
    const std::vector<ValueId> outputs = graph_.node(i).outputs;
    for (const ValueId id : outputs) {
      if (id != kNoValue) TRY(Deliver(i, id));
    }
    return {};
  }

  std::string NameOf(ValueId id) const { return graph_.graph().values[Index(id)].name; }

  Result<void> Cast(std::size_t position, ValueId from, ValueId to, DType dtype) {
    NodeData node{.name = NameOf(to) + "/cast",
                  .type = "Cast",
                  .opset = 13,
                  .inputs = {from},
                  .outputs = {to}};
    node.attributes.Set("to", static_cast<std::int64_t>(dtype));
    return graph_.Insert(position, std::move(node));
  }

  /// The value as float32, for node `user`.
  Result<ValueId> Wide(ValueId id, std::size_t user) {
    if (const auto found = wide_.find(id); found != wide_.end()) return found->second;
    const ValueId made = graph_.AddResult(NameOf(id) + "/wide");
    TRY(Cast(user, id, made, DType::kFloat32));
    wide_.emplace(id, made);
    return made;
  }

  /// Has node `i` make float32, from which the value is made where others use it.
  Result<void> Deliver(std::size_t i, ValueId id) {
    const ValueId made = graph_.AddResult(NameOf(id) + "/wide");
    const bool as_it_was = graph_.Uses(id) > wide_uses_[Index(id)];
    graph_.SetOutput(i, id, made);
    wide_.emplace(id, made);
    return as_it_was ? Cast(i + 1, made, id, types_[Index(id)]) : Result<void>();
  }

  Rewriter& graph_;
  std::vector<DType> types_;
  std::vector<bool> chosen_;
  std::vector<std::int64_t> wide_uses_;  // of values, by nodes that are chosen
  std::map<ValueId, ValueId> wide_;
};

Result<int> Run(Rewriter& graph) {
  const KernelChoice& choice = graph.choice();
  if (choice.strict || choice.reference || choice.device != Device::kCpu) return 0;
  return Widener(graph).Run();
}

}  // namespace

Pass passes_widen_halves() {
  return {.stage = 25,
          .summary = "keeps float32 between the nodes of networks of 16-bit floats",
          .run = Run};
}

}  // namespace slipway::runtime
