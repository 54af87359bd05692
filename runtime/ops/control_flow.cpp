// SPDX-License-Identifier: Apache-2.0
// If (opsets 1, 11, 13, 16, 19, 21, 23, 24, 25), Loop (the same).
// Spec: https://onnx.ai/onnx/operators/onnx__If.html, onnx__Loop.html
// Fold: a Loop that also takes sequences, an item a trip, and gives sequences; only derivatives put
// it into graphs (graph/gradient).
// The shape of a Loop's scan output after no iteration is its declared one, 0 where it is open.
#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/graph/op_index.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/stack.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// What a graph gives is known when it has run.
Result<Facts> Infer(const NodeFacts& node) {
  return Facts(node.outputs_wanted.size(), TensorFacts(DType::kUndefined));
}

Result<bool> Truth(const Value& value, std::string_view what) {
  const Tensor* tensor = value.tensor();
  if (tensor == nullptr || tensor->dtype() != DType::kBool || tensor->size() != 1) {
    return Invalid(what, " is no single bool");
  }
  return tensor->data<std::uint8_t>()[0] != 0;
}

Result<void> RunIf(const NodeFacts& node, KernelContext& context) {
  const bool condition = TRY(Truth(context.input_value(0), "the condition"));
  const GraphData* branch = node.attributes.GraphOrNull(condition ? "then_branch" : "else_branch");
  auto outputs = TRY(context.RunGraph(*branch, {}));
  if (outputs.size() < node.outputs_wanted.size()) {
    return Invalid("the branch has ", outputs.size(), " outputs, the node ",
                   node.outputs_wanted.size());
  }
  for (std::size_t i = 0; i < node.outputs_wanted.size(); ++i) {
    context.Set(i, std::move(outputs[i]));
  }
  return {};
}

/// Of one element: a scalar, but for a graph that declares its input with dimensions.
Shape SingleOf(const ValueInfo& declared) {
  const std::optional<Shape>& shape = declared.type.shape;
  return shape && !shape->empty() ? Shape(shape->size(), 1) : Shape{};
}

Result<Value> BoolValue(bool truth, Shape shape) {
  Tensor tensor = TRY(Tensor::Make(DType::kBool, std::move(shape)));
  tensor.data<std::uint8_t>()[0] = truth;
  return Value(std::move(tensor));
}

Result<Value> CountValue(std::int64_t count, Shape shape) {
  Tensor tensor = TRY(Tensor::Make(DType::kInt64, std::move(shape)));
  tensor.data<std::int64_t>()[0] = count;
  return Value(std::move(tensor));
}

/// A Loop that runs: values carried from trip to trip, and what the trips gave to be stacked; of a
/// Fold what it goes through.
struct LoopState {
  std::vector<Value> carried;
  std::vector<const Sequence*> items;
  std::vector<std::vector<Value>> scans;
  bool condition = true;
};

/// Trip number `trip`, with item `at` of each sequence.
Result<void> RunTrip(const GraphData& body, KernelContext& context, std::int64_t trip,
                     std::int64_t at, LoopState& state) {
  std::vector<Value> inputs;
  inputs.reserve(body.inputs.size());
  inputs.push_back(TRY(CountValue(trip, SingleOf(body.input_infos[0]))));
  inputs.push_back(TRY(BoolValue(state.condition, SingleOf(body.input_infos[1]))));
  for (Value& value : state.carried) inputs.push_back(std::move(value));
  for (const Sequence* sequence : state.items) inputs.push_back(sequence->items[At(at)]);
  auto outputs = TRY(context.RunGraph(body, std::move(inputs)));
  state.condition = TRY(Truth(outputs[0], "the body's condition"));
  for (std::size_t i = 0; i < state.carried.size(); ++i) {
    state.carried[i] = std::move(outputs[1 + i]);
  }
  for (std::size_t i = 0; i < state.scans.size(); ++i) {
    state.scans[i].push_back(std::move(outputs[1 + state.carried.size() + i]));
  }
  return {};
}

/// `carried`: how many of the inputs go from trip to trip; the others are sequences.
Result<LoopState> StartLoop(const NodeFacts& node, KernelContext& context, const GraphData& body,
                            std::size_t carried) {
  LoopState state;
  for (std::size_t i = 2; i < context.inputs(); ++i) {
    const Value& value = context.input_value(i);
    if (i < 2 + carried) {
      state.carried.push_back(value);
      continue;
    }
    state.items.push_back(value.sequence());
    if (state.items.back() == nullptr) return Invalid("input ", i, " is no sequence");
    if (state.items.back()->items.size() != state.items.front()->items.size()) {
      return Invalid("input ", i, " has ", state.items.back()->items.size(), " items, the first ",
                     state.items.front()->items.size());
    }
  }
  const std::size_t least = 1 + state.carried.size();
  if (body.inputs.size() != 1 + least + state.items.size() || body.outputs.size() < least) {
    return Invalid("the body has ", body.inputs.size(), " inputs and ", body.outputs.size(),
                   " outputs, and ", state.carried.size(), " values are carried");
  }
  state.scans.resize(body.outputs.size() - least);
  if (node.outputs_wanted.size() > body.outputs.size() - 1) {
    return Invalid("the body gives ", body.outputs.size() - 1, " outputs, the node has ",
                   node.outputs_wanted.size());
  }
  if (node.Has(1)) state.condition = TRY(Truth(context.input_value(1), "the condition"));
  return state;
}

Result<std::int64_t> TripsOf(const NodeFacts& node, KernelContext& context) {
  if (!node.Has(0)) return std::int64_t{-1};
  const Tensor* trips = context.input(0);
  if (trips == nullptr || trips->size() != 1) return Invalid("input `M` is no single number");
  return std::max<std::int64_t>(0, trips->data<std::int64_t>()[0]);
}

Result<void> RunLoop(const NodeFacts& node, KernelContext& context) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  const std::int64_t trips = TRY(TripsOf(node, context));
  LoopState state = TRY(StartLoop(node, context, body, context.inputs()));
  for (std::int64_t trip = 0; (trips < 0 || trip < trips) && state.condition; ++trip) {
    TRY(RunTrip(body, context, trip, trip, state));
  }
  const std::size_t carried = state.carried.size();
  for (std::size_t i = 0; i < node.outputs_wanted.size(); ++i) {
    if (!node.outputs_wanted[i]) continue;
    if (i < carried) {
      context.Set(i, std::move(state.carried[i]));
    } else if (const auto& items = state.scans[i - carried]; items.empty()) {
      context.Set(i, Value(TRY(StackOfNone(body.output_infos[1 + i], 0))));
    } else {
      context.Set(i, Value(TRY(StackTensors(context, items, 0, false))));
    }
  }
  return {};
}

/// As many trips as items, where it takes any.
Result<void> RunFold(const NodeFacts& node, KernelContext& context) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  const std::int64_t carried = node.attributes.Int("states", 0);
  LoopState state = TRY(StartLoop(node, context, body, At(carried)));
  const std::int64_t trips = state.items.empty()
                                 ? TRY(TripsOf(node, context))
                                 : static_cast<std::int64_t>(state.items.front()->items.size());
  const bool reverse = node.attributes.Int("reverse", 0) != 0;
  for (std::int64_t trip = 0; (trips < 0 || trip < trips) && state.condition; ++trip) {
    TRY(RunTrip(body, context, trip, reverse ? trips - 1 - trip : trip, state));
  }
  for (std::size_t i = 0; i < node.outputs_wanted.size(); ++i) {
    if (!node.outputs_wanted[i]) continue;
    if (i < state.carried.size()) {
      context.Set(i, std::move(state.carried[i]));
      continue;
    }
    Sequence made{std::move(state.scans[i - state.carried.size()])};
    if (reverse) std::ranges::reverse(made.items);
    context.Set(i, std::make_shared<const Sequence>(std::move(made)));
  }
  return {};
}

constexpr Kernel kFold[] = {{.name = "fold", .run = RunFold}};
constexpr Kernel kIf[] = {{.name = "if", .run = RunIf}};
constexpr Kernel kLoop[] = {{.name = "loop", .run = RunLoop}};

consteval OpDef If(int since) {
  return {.type = "If",
          .since = since,
          .signature = "cond:bool -> outputs**:any",
          .attributes = "then_branch!:graph, else_branch!:graph",
          .infer = Infer,
          .kernels = kIf};
}

consteval OpDef Loop(int since) {
  return {.type = "Loop",
          .since = since,
          .signature = "M?:int64, cond?:bool, v_initial**?:any -> v_final_and_scan_outputs**?:any",
          .attributes = "body!:graph",
          .infer = Infer,
          .kernels = kLoop};
}

}  // namespace

OpList ops_control_flow() {
  static constexpr auto kOps = Versions({
      If(1),
      If(11),
      If(13),
      If(16),
      If(19),
      If(21),
      If(23),
      If(24),
      If(25),
      Loop(1),
      Loop(11),
      Loop(13),
      Loop(16),
      Loop(19),
      Loop(21),
      Loop(23),
      Loop(24),
      Loop(25),
      OpDef{.type = "Fold",
            .domain = kPrivateDomain,
            .signature = "M?:int64, cond?:bool, v_initial_and_items**?:any -> "
                         "v_final_and_sequences**?:any",
            .attributes = "body!:graph, states!:int, reverse:int=0",
            .infer = Infer,
            .kernels = kFold},
  });
  return kOps;
}

}  // namespace slipway::runtime
