// SPDX-License-Identifier: Apache-2.0
// Scan: opsets 8 (a batch axis, sequence lengths), 9, 11, 16, 19, 21, 23, 24, 25.
// Spec: https://onnx.ai/onnx/operators/onnx__Scan.html
#include <cstring>
#include <utility>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/stack.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

using Ints = std::vector<std::int64_t>;

/// What the body gives is known when it has run.
Result<Facts> Infer(const NodeFacts& node) {
  return Facts(node.outputs_wanted.size(), TensorFacts(DType::kUndefined));
}

/// A tensor that is gone through along an axis.
struct Track {
  Tensor tensor;
  std::int64_t axis = 0;
  bool backward = false;
};

/// One run of the body over a sequence.
struct Scan {
  const GraphData& body;
  KernelContext& context;
  std::vector<Value> states;
  std::vector<Track> inputs;
  std::int64_t length = 0;
  std::vector<std::vector<Value>> outputs = {};

  Result<void> Run();
};

Result<void> Scan::Run() {
  if (body.inputs.size() != states.size() + inputs.size() || body.outputs.size() < states.size()) {
    return Invalid("the body has ", body.inputs.size(), " inputs and ", body.outputs.size(),
                   " outputs, and there are ", states.size(), " states and ", inputs.size(),
                   " scan inputs");
  }
  outputs.resize(body.outputs.size() - states.size());
  for (std::int64_t step = 0; step < length; ++step) {
    std::vector<Value> values = std::move(states);
    for (const Track& track : inputs) {
      const std::int64_t at = track.backward ? length - 1 - step : step;
      values.push_back(Value(TRY(StepOf(context, track.tensor, track.axis, at))));
    }
    const std::size_t carried = values.size() - inputs.size();
    auto made = TRY(context.RunGraph(body, std::move(values)));
    states.assign(std::make_move_iterator(made.begin()),
                  std::make_move_iterator(made.begin() + static_cast<std::ptrdiff_t>(carried)));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i].push_back(std::move(made[carried + i]));
    }
  }
  return {};
}

Result<Tensor> Stacked(const Scan& scan, std::size_t index, std::int64_t axis, bool backward) {
  const auto& items = scan.outputs[index];
  const auto& declared =
      scan.body.output_infos[scan.body.outputs.size() - scan.outputs.size() + index];
  return items.empty() ? StackOfNone(declared, axis)
                       : StackTensors(scan.context, items, axis, backward);
}

Result<std::size_t> CountScanInputs(const NodeFacts& node, std::size_t available) {
  const std::int64_t count = node.attributes.Int("num_scan_inputs", 0);
  if (count < 1 || count > static_cast<std::int64_t>(available)) {
    return Invalid("attribute `num_scan_inputs` is ", count, " of ", available, " inputs");
  }
  return static_cast<std::size_t>(count);
}

Result<Ints> PerItem(const NodeFacts& node, std::string_view name, std::size_t count) {
  Ints list = node.attributes.Ints(name, Ints(count, 0));
  if (list.size() != count) {
    return Invalid("attribute `", name, "` has ", list.size(), " items where ", count, " belong");
  }
  return list;
}

Result<void> RunScan(const NodeFacts& node, KernelContext& context) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  const std::size_t scanned = TRY(CountScanInputs(node, context.inputs()));
  const std::size_t states = context.inputs() - scanned;
  Scan scan{.body = body, .context = context, .states = {}, .inputs = {}};
  for (std::size_t i = 0; i < states; ++i) scan.states.push_back(context.input_value(i));
  const Ints axes = TRY(PerItem(node, "scan_input_axes", scanned));
  const std::string_view directions = node.opset < 9 ? "directions" : "scan_input_directions";
  const Ints backward = TRY(PerItem(node, directions, scanned));
  for (std::size_t i = 0; i < scanned; ++i) {
    const Tensor* tensor = context.input(states + i);
    if (tensor == nullptr) return Invalid("scan input ", i, " is no tensor");
    const std::int64_t axis = TRY(NormalizeAxis(axes[i], tensor->rank(), "scan input axis"));
    if (i > 0 && tensor->dim(axis) != scan.length) {
      return Invalid("scan input ", i, " has ", tensor->dim(axis), " steps, the first ",
                     scan.length);
    }
    scan.length = tensor->dim(axis);
    scan.inputs.push_back({.tensor = *tensor, .axis = axis, .backward = backward[i] != 0});
  }
  TRY(scan.Run());
  const std::size_t made = scan.outputs.size();
  const Ints out_axes = TRY(PerItem(node, "scan_output_axes", made));
  const Ints out_backward = TRY(PerItem(node, "scan_output_directions", made));
  for (std::size_t i = 0; i < node.outputs_wanted.size() && i < states + made; ++i) {
    if (!node.outputs_wanted[i]) continue;
    if (i < states) {
      context.Set(i, std::move(scan.states[i]));
    } else {
      const std::size_t k = i - states;
      context.Set(i, Value(TRY(Stacked(scan, k, out_axes[k], out_backward[k] != 0))));
    }
  }
  return {};
}

/// Version 8: every input and output has a leading batch axis, scan inputs a sequence axis next.
Result<std::int64_t> LengthOf(const NodeFacts& node, KernelContext& context, std::int64_t batch,
                              std::int64_t longest) {
  if (!node.Has(0)) return longest;
  const Tensor* lengths = context.input(0);
  if (lengths == nullptr || batch >= lengths->size()) {
    return Invalid("input `sequence_lens` has no item for batch ", batch);
  }
  const std::int64_t length = lengths->data<std::int64_t>()[At(batch)];
  if (length < 0 || length > longest) {
    return Invalid("sequence length ", length, " is out of range [0, ", longest, "]");
  }
  return length;
}

/// Steps beyond a batch item's own length are zero.
Result<Tensor> Padded(const Tensor& tensor, std::int64_t length) {
  if (tensor.dim(0) == length) return tensor;
  Shape shape = tensor.shape();
  shape[0] = length;
  Tensor padded = TRY(Tensor::Make(tensor.dtype(), std::move(shape)));
  FillWith(padded, nullptr);
  CopyElements(tensor, 0, padded, 0, tensor.size());
  return padded;
}

Result<void> RunScan8(const NodeFacts& node, KernelContext& context) {
  const GraphData& body = *node.attributes.GraphOrNull("body");
  const std::size_t scanned = TRY(CountScanInputs(node, context.inputs() - 1));
  const std::size_t states = context.inputs() - 1 - scanned;
  const Ints backward = TRY(PerItem(node, "directions", scanned));
  const Tensor* first = context.input(1 + states);
  if (first == nullptr || first->rank() < 2) return Invalid("scan input 0 has no sequence axis");
  const std::int64_t batches = first->dim(0);
  const std::int64_t longest = first->dim(1);
  std::vector<std::vector<Value>> results(body.outputs.size());
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    Scan scan{.body = body, .context = context, .states = {}, .inputs = {}};
    scan.length = TRY(LengthOf(node, context, batch, longest));
    for (std::size_t i = 1; i < context.inputs(); ++i) {
      const Tensor* tensor = context.input(i);
      const bool is_scanned = i > states;
      if (tensor == nullptr || tensor->rank() < (is_scanned ? 2 : 1) || tensor->dim(0) != batches ||
          (is_scanned && tensor->dim(1) != longest)) {
        return Invalid("input ", i, " does not fit ", batches, " batches of ", longest, " steps");
      }
      Tensor item = TRY(SliceAt(context, *tensor, 0, batch));
      if (!is_scanned) {
        scan.states.push_back(Value(std::move(item)));
      } else {
        scan.inputs.push_back(
            {.tensor = std::move(item), .axis = 0, .backward = backward[i - 1 - states] != 0});
      }
    }
    TRY(scan.Run());
    for (std::size_t i = 0; i < states; ++i) results[i].push_back(scan.states[i]);
    for (std::size_t i = states; i < results.size(); ++i) {
      Tensor stacked = TRY(Stacked(scan, i - states, 0, false));
      results[i].push_back(Value(TRY(Padded(stacked, longest))));
    }
  }
  for (std::size_t i = 0; i < node.outputs_wanted.size() && i < results.size(); ++i) {
    if (!node.outputs_wanted[i]) continue;
    if (results[i].empty()) return Invalid("there are no batches");
    context.Set(i, Value(TRY(StackTensors(context, results[i], 0, false))));
  }
  return {};
}

constexpr Kernel kScan[] = {{.name = "scan", .run = RunScan}};
constexpr Kernel kScan8[] = {{.name = "scan", .run = RunScan8}};

consteval OpDef Row(int since) {
  return {.type = "Scan",
          .since = since,
          .signature = "initial_state_and_scan_inputs**:any -> final_state_and_scan_outputs**:any",
          .attributes =
              "body!:graph, num_scan_inputs!:int, scan_input_axes:ints, "
              "scan_input_directions:ints, scan_output_axes:ints, "
              "scan_output_directions:ints",
          .infer = Infer,
          .kernels = kScan};
}

}  // namespace

OpList ops_scan() {
  static constexpr auto kOps = Versions({
      OpDef{.type = "Scan",
            .since = 8,
            .signature = "sequence_lens?:int64, initial_state_and_scan_inputs**:any -> "
                         "final_state_and_scan_outputs**:any",
            .attributes = "body!:graph, num_scan_inputs!:int, directions:ints",
            .infer = Infer,
            .kernels = kScan8},
      Row(9),
      Row(11),
      Row(16),
      Row(19),
      Row(21),
      Row(23),
      Row(24),
      Row(25),
  });
  return kOps;
}

}  // namespace slipway::runtime
