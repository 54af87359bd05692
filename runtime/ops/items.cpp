// SPDX-License-Identifier: Apache-2.0
// ItemsOf: a tensor as the sequence of its items along an axis. StackOf: the reverse, in the shape
// of another tensor. Only derivatives put them into graphs (graph/gradient).
#include <utility>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/graph/op_index.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/stack.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kWork = 1000;  ///< of making an item, roughly

bool IsReversed(const NodeFacts& node) { return node.attributes.Int("reverse", 0) != 0; }

Result<Facts> InferItems(const NodeFacts& node) {
  TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(node.shape(0))));
  return Facts{{.kind = TypeInfo::Kind::kSequence, .dtype = node.dtype(0)}};
}

Result<void> RunItems(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const std::int64_t axis = TRY(NormalizeAxis(node.attributes.Int("axis", 0), x.rank()));
  const std::int64_t length = x.dim(axis);
  if (length > limits::kGraphNodes)
    return Invalid("a dimension of ", length, " has too many items");
  Sequence sequence;
  Pause pause;
  for (std::int64_t i = 0; i < length && !pause.MustStop(kWork); ++i) {
    const std::int64_t at = IsReversed(node) ? length - 1 - i : i;
    sequence.items.push_back(Value(TRY(StepOf(context, x, axis, at))));
  }
  context.Set(0, std::make_shared<const Sequence>(std::move(sequence)));
  return {};
}

Result<Facts> InferStack(const NodeFacts& node) {
  TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(node.shape(1))));
  return Facts{TensorFacts(node.dtype(1), node.shape(1))};
}

Result<void> RunStack(const NodeFacts& node, KernelContext& context) {
  const Sequence* sequence = context.input_value(0).sequence();
  if (sequence == nullptr) return Invalid("input 0 is no sequence");
  if (sequence->items.empty()) return {};
  const std::int64_t axis = node.attributes.Int("axis", 0);
  context.Set(0, Value(TRY(StackTensors(context, sequence->items, axis, IsReversed(node)))));
  return {};
}

constexpr Kernel kItems[] = {{.name = "items_of", .run = RunItems}};
constexpr Kernel kStack[] = {{.name = "stack_of", .run = RunStack}};
constexpr std::string_view kAttributes = "axis:int=0, reverse:int=0";

}  // namespace

OpList ops_items() {
  static constexpr OpDef kOps[] = {
      {.type = "ItemsOf",
       .domain = kPrivateDomain,
       .signature = "x:T -> items:seq(T)",
       .types = kT<kTypes25>,
       .attributes = kAttributes,
       .infer = InferItems,
       .kernels = kItems},
      {.type = "StackOf",
       .domain = kPrivateDomain,
       .signature = "items:any, like:T -> y:T",
       .types = kT<kTypes25>,
       .attributes = kAttributes,
       .infer = InferStack,
       .kernels = kStack},
  };
  return kOps;
}

}  // namespace slipway::runtime
