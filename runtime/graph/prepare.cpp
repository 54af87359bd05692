// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>

#include "runtime/bounds.h"
#include "runtime/graph/kernel_tuner.h"
#include "runtime/graph/node_context.h"
#include "runtime/graph/signature.h"

namespace slipway::runtime {
namespace {

std::string LadderText(const PreparedNode& prepared) {
  std::string text;
  for (const auto& [kernel, why] : prepared.declined) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{}: {}", kernel, why);
  }
  return text.empty() ? "there is none" : text;
}

Result<bool> TryKernel(const NodeData& node, const Kernel& kernel, DeviceContext& device,
                       PreparedNode& prepared) {
  auto made = PrepareKernel(kernel, prepared.facts, device);
  if (!made) return Within(WhereText(node), std::move(made).error());
  if (!made->declined.empty()) {
    prepared.declined.emplace_back(kernel.name, std::move(made->declined));
    return false;
  }
  prepared.kernel = made->kernel;
  prepared.executable = std::move(made->executable);
  return true;
}

Result<void> RunKernel(const Kernel& kernel, const Executable* executable, const NodeFacts& facts,
                       KernelContext& context) {
  try {
    return executable != nullptr ? executable->Run(context) : kernel.run(facts, context);
  } catch (const std::bad_alloc&) {
    return NoMemory();
  } catch (const std::length_error&) {
    return NoMemory();
  }
}

std::string ReasonText(const MeasuredKernel& measured) {
  std::string text;
  for (const auto& [kernel, time] : measured.microseconds) {
    text += fmt::format("{}{} {:.1f} us", text.empty() ? "" : ", ", kernel, time);
  }
  return text.empty() ? "as it is stored" : "measured: " + text;
}

/// Whether a kernel serves that was measured as the quickest.
Result<bool> TakeMeasured(const NodeData& node, const KernelChoice& choice, DeviceContext& device,
                          PreparedNode& prepared) {
  if (!IsMeasured(node, prepared.facts)) return false;
  const auto measured =
      choice.tuner->measured().Find(KindOfNode(node, prepared.facts, choice, device.threads()));
  prepared.reason =
      measured ? fmt::format("by rule: what is stored, '{}', cannot serve it", measured->kernel)
               : "by rule: it was not measured";
  if (!measured) return false;
  for (const Kernel& kernel : node.op->kernels) {
    if (kernel.name != measured->kernel || kernel.device != choice.device || IsReference(kernel)) {
      continue;
    }
    if (!TRY(TryKernel(node, kernel, device, prepared))) continue;
    prepared.declined.clear();
    prepared.reason = ReasonText(*measured);
    return true;
  }
  prepared.declined.clear();
  return false;
}

}  // namespace

bool IsReference(const Kernel& kernel) { return kernel.name.ends_with("_reference"); }

Result<void> PreparedKernel::Run(const NodeFacts& facts, KernelContext& context) const {
  return RunKernel(*kernel, executable.get(), facts, context);
}

Result<PreparedKernel> PrepareKernel(const Kernel& kernel, const NodeFacts& facts,
                                     DeviceContext& device) {
  PreparedKernel made{.kernel = &kernel};
  if (kernel.declines != nullptr) made.declined = kernel.declines(facts);
  if (!made.declined.empty() || kernel.prepare == nullptr) return made;
  auto executable = kernel.prepare(facts, device);
  if (executable) {
    made.executable = *std::move(executable);
    return made;
  }
  if (executable.error().code != Code::kUnimplemented) return std::move(executable).error();
  made.declined = executable.error().message;
  if (made.declined.empty()) made.declined = "it has no implementation";
  return made;
}

Result<void> PreparedNode::Run(KernelContext& context) const {
  return RunKernel(*kernel, executable.get(), facts, context);
}

std::string WhereText(const NodeData& node) {
  return fmt::format("node {} ({}, opset {})", NodeText(node), DomainText(node.domain), node.opset);
}

NodeFacts MakeFacts(const NodeData& node, std::vector<ValueFacts> inputs) {
  NodeFacts facts{.name = node.name,
                  .op = node.op,
                  .opset = node.opset,
                  .attributes = node.attributes,
                  .inputs = std::move(inputs),
                  .present = {},
                  .outputs_wanted = {},
                  .outputs = {}};
  for (ValueId id : node.inputs) facts.present.push_back(id != kNoValue);
  for (ValueId id : node.outputs) facts.outputs_wanted.push_back(id != kNoValue);
  return facts;
}

Result<std::vector<ValueFacts>> OutputsFromSignature(const NodeData& node, const NodeFacts& facts) {
  auto outputs =
      CheckTypes(*node.schema, *node.op, facts.inputs, facts.present, node.outputs.size());
  if (!outputs) return Within(WhereText(node), std::move(outputs).error());
  return outputs;
}

Result<std::vector<ValueFacts>> InferOutputs(const NodeData& node, const NodeFacts& facts) {
  auto outputs = TRY(OutputsFromSignature(node, facts));
  if (node.op->infer == nullptr) return outputs;
  auto inferred = node.op->infer(facts);
  if (!inferred) {
    Error error = std::move(inferred).error();
    if (error.id.empty() && error.code == Code::kInvalidArgument) error.id = "Model.Invalid";
    return Within(WhereText(node), std::move(error));
  }
  inferred->resize(std::max(inferred->size(), outputs.size()));
  for (const ValueFacts& output : *inferred) {
    if (!output.shape) continue;
    auto size = ElementCount(*output.shape);
    if (!size) return Within(WhereText(node), std::move(size).error());
  }
  return inferred;
}

Result<void> ChooseKernel(const NodeData& node, const KernelChoice& choice, DeviceContext& device,
                          PreparedNode& prepared) {
  const auto kernels = node.op->kernels;
  if (choice.tuner != nullptr && !choice.reference) {
    if (TRY(TakeMeasured(node, choice, device, prepared))) return {};
  }
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const Kernel& kernel = kernels[i];
    if (kernel.device != choice.device) continue;
    if (choice.reference && i + 1 < kernels.size()) {
      prepared.declined.emplace_back(kernel.name, "only reference kernels are asked for");
      continue;
    }
    if (TRY(TryKernel(node, kernel, device, prepared))) return {};
  }
  return Error{.code = Code::kUnimplemented,
               .message = fmt::format("{}: no kernel on {} can run it: {}", WhereText(node),
                                      DeviceName(choice.device), LadderText(prepared)),
               .id = "Model.UnsupportedOperator"};
}

Result<bool> IsViewOf(const NodeData& node, const NodeFacts& facts) {
  if (!node.op->view || !facts.Has(0) || node.outputs[0] == kNoValue) return false;
  const ValueFacts& from = facts.inputs[0];
  const ValueFacts& to = facts.outputs[0];
  if (from.kind != TypeInfo::Kind::kTensor || to.kind != TypeInfo::Kind::kTensor || !from.shape ||
      !to.shape || from.dtype != to.dtype) {
    return false;
  }
  const std::int64_t count = TRY(ElementCount(*from.shape));
  return count == TRY(ElementCount(*to.shape));
}

ValueFacts FactsOf(const Value& value, bool constant) {
  if (const Tensor* tensor = value.tensor()) {
    ValueFacts facts = TensorFacts(tensor->dtype(), tensor->shape());
    if (constant) facts.constant = tensor;
    return facts;
  }
  if (const Sequence* sequence = value.sequence()) {
    ValueFacts facts{.kind = TypeInfo::Kind::kSequence};
    if (!sequence->items.empty()) facts.dtype = FactsOf(sequence->items.front(), false).dtype;
    return facts;
  }
  if (const Map* map = value.map()) {
    return {.kind = TypeInfo::Kind::kMap, .dtype = map->keys.dtype()};
  }
  return {.kind = TypeInfo::Kind::kOptional};
}

Result<std::vector<Value>> EvaluateNode(const NodeData& node,
                                        const std::vector<const Tensor*>& inputs,
                                        const KernelChoice& choice, DeviceContext& device) {
  std::vector<Value> values;
  std::vector<ValueFacts> input_facts;
  for (const Tensor* tensor : inputs) {
    values.push_back(tensor ? Value(*tensor) : Value());
    input_facts.push_back(tensor ? FactsOf(values.back(), false) : ValueFacts{});
    input_facts.back().constant = tensor;
  }
  PreparedNode prepared{.facts = MakeFacts(node, std::move(input_facts))};
  prepared.facts.outputs = TRY(InferOutputs(node, prepared.facts));
  std::vector<Value> outputs(node.outputs.size());
  if (TRY(IsViewOf(node, prepared.facts))) {
    outputs[0] = Value(inputs[0]->Reshaped(*prepared.facts.outputs[0].shape));
    return outputs;
  }
  TRY(ChooseKernel(node, choice, device, prepared));
  std::vector<const Value*> from;
  std::vector<Value*> to;
  for (std::size_t i = 0; i < values.size(); ++i) {
    from.push_back(inputs[i] ? &values[i] : nullptr);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ValueFacts& facts = prepared.facts.outputs[i];
    to.push_back(node.outputs[i] == kNoValue ? nullptr : &outputs[i]);
    if (to.back() == nullptr || facts.kind != TypeInfo::Kind::kTensor || !facts.shape) continue;
    outputs[i] = Value(TRY(Tensor::Make(facts.dtype, *facts.shape)));
  }
  Tensor scratch = TRY(Tensor::Make(DType::kUint8, {prepared.scratch_bytes()}));
  NodeContext context({.inputs = from,
                       .outputs = to,
                       .scratch = {static_cast<std::byte*>(scratch.raw()),
                                   static_cast<std::size_t>(scratch.size())},
                       .threads = device.threads()});
  auto done = prepared.Run(context);
  if (!done) return Within(WhereText(node), std::move(done).error());
  TRY(context.TakeError());
  return outputs;
}

Result<std::optional<Tensor>> EvaluateShapeNode(const NodeData& node, const NodeFacts& facts) {
  if (!node.domain.empty() || facts.inputs.size() != 1 || !facts.inputs[0].shape) {
    return std::optional<Tensor>();
  }
  const Shape& shape = *facts.inputs[0].shape;
  if (node.type == "Size") {
    Tensor size = TRY(Tensor::Make(DType::kInt64, {}));
    size.data<std::int64_t>()[0] = TRY(ElementCount(shape));
    return std::optional<Tensor>(std::move(size));
  }
  if (node.type != "Shape") return std::optional<Tensor>();
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clip = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t start = clip(node.attributes.Int("start", 0));
  const std::int64_t end = std::max(start, clip(node.attributes.Int("end", rank)));
  Tensor dims = TRY(Tensor::Make(DType::kInt64, {end - start}));
  std::copy(shape.begin() + start, shape.begin() + end, dims.data<std::int64_t>().begin());
  return std::optional<Tensor>(std::move(dims));
}

}  // namespace slipway::runtime
