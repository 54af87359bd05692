// SPDX-License-Identifier: Apache-2.0
// SequenceMap (opset 17). Spec: https://onnx.ai/onnx/operators/onnx__SequenceMap.html
#include <utility>

#include "runtime/graph/graph.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  if (node.inputs.size() != body.inputs.size() ||
      node.outputs_wanted.size() > body.outputs.size()) {
    return Invalid("the body has ", body.inputs.size(), " inputs and ", body.outputs.size(),
                   " outputs, the node ", node.inputs.size(), " and ", node.outputs_wanted.size());
  }
  Facts facts;
  for (std::size_t i = 0; i < node.outputs_wanted.size(); ++i) {
    facts.push_back({.kind = TypeInfo::Kind::kSequence, .dtype = body.output_infos[i].type.dtype});
  }
  return facts;
}

/// Inputs of the body for one sample: items of sequences, tensors as they are.
Result<std::vector<Value>> SampleAt(KernelContext& context, std::size_t index, std::size_t count) {
  std::vector<Value> sample;
  for (std::size_t i = 0; i < context.inputs(); ++i) {
    const Value& input = context.input_value(i);
    const Sequence* sequence = input.sequence();
    if (sequence != nullptr && sequence->items.size() != count) {
      return Invalid("input ", i, " has ", sequence->items.size(), " items, the first ", count);
    }
    sample.push_back(sequence != nullptr ? sequence->items[index] : input);
  }
  return sample;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  const Sequence* samples = context.input_value(0).sequence();
  if (samples == nullptr) return Invalid("input 0 is no sequence");
  const std::size_t count = samples->items.size();
  std::vector<Sequence> results(node.outputs_wanted.size());
  for (std::size_t at = 0; at < count; ++at) {
    std::vector<Value> sample = TRY(SampleAt(context, at, count));
    std::vector<Value> outputs = TRY(context.RunGraph(body, std::move(sample)));
    for (std::size_t i = 0; i < results.size(); ++i) {
      results[i].items.push_back(std::move(outputs[i]));
    }
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    context.Set(i, std::make_shared<const Sequence>(std::move(results[i])));
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "sequence_map", .run = Run}};

}  // namespace

OpList ops_sequence_map() {
  static constexpr OpDef kOps[] = {
      {.type = "SequenceMap",
       .since = 17,
       .signature = "input_sequence:seq(any), additional_inputs**?:any -> out_sequence**:seq(any)",
       .attributes = "body!:graph",
       .infer = Infer,
       .kernels = kKernels}};
  return kOps;
}

}  // namespace slipway::runtime
