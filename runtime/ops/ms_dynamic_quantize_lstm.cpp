// SPDX-License-Identifier: Apache-2.0
// com.microsoft: DynamicQuantizeLSTM (1): an LSTM of quantised weights, each with its transpose's
// layout.
// Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
// Inputs and states are taken as they are, not rounded to eight bits first.
#include <algorithm>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/delegate.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/recurrent.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum Input : std::uint8_t { kW = 1, kR = 2, kWScale = 8, kWZero, kRScale, kRZero };

constexpr int kLstm = 14;  ///< the version of LSTM that it is like

/// As an LSTM of ai.onnx sees it. kInvalidArgument for weights of another rank.
Result<NodeFacts> AsLstm(const NodeFacts& node) {
  NodeFacts made = AsNodeOf(node, "", "LSTM", kLstm);
  made.inputs.resize(std::min<std::size_t>(made.inputs.size(), kWScale));
  made.present.resize(made.inputs.size());
  for (const std::size_t i : {kW, kR}) {
    Shape& shape = *made.inputs[i].shape;
    if (shape.size() != 3) {
      return Invalid("input `", i == kW ? "W" : "R", "` of ", shape, " has not three dimensions");
    }
    std::swap(shape[1], shape[2]);
    made.inputs[i].dtype = node.dtype(0);
  }
  return made;
}

/// Scales and zero points: one for each direction, or for each of its columns.
Result<void> CheckScales(const NodeFacts& node, std::size_t weights, std::size_t scale) {
  const Shape& shape = node.shape(weights);
  for (const std::size_t i : {scale, scale + 1}) {
    if (!node.Has(i)) return Invalid("input ", i, " is missing");
    const Shape& given = node.shape(i);
    if (given == Shape{shape[0]} || given == Shape{shape[0], shape[2]}) continue;
    return Invalid("input ", i, " of ", given, " does not fit weights of ", shape);
  }
  if (node.dtype(scale + 1) == node.dtype(weights)) return {};
  return Invalid("zero points of ", node.dtype(scale + 1), " for weights of ", node.dtype(weights));
}

Result<Facts> Infer(const NodeFacts& node) {
  const auto lstm = TRY(AsLstm(node));
  const Recurrence recurrence = TRY(RecurrenceOf(lstm));
  TRY(CheckScales(node, kW, kWScale));
  TRY(CheckScales(node, kR, kRScale));
  const ValueFacts state = TensorFacts(node.dtype(0), recurrence.state_shape());
  return OutputFacts(node, {TensorFacts(node.dtype(0), recurrence.y_shape()), state, state});
}

/// [directions, columns, rows] as numbers, from quantised [directions, rows, columns].
Result<Tensor> Weights(KernelContext& context, std::size_t weights, std::size_t scale) {
  const Tensor& from = *context.input(weights);
  const Tensor wide = TRY(Converted(context, from, DType::kFloat64));
  const Doubles scales = DoublesOf(context.input(scale));
  const Doubles zeros = DoublesOf(context.input(scale + 1));
  const std::int64_t rows = from.dim(1);
  const std::int64_t columns = from.dim(2);
  const auto of = [&](const Doubles& numbers, std::int64_t direction, std::int64_t column) {
    const bool each = static_cast<std::int64_t>(numbers.size()) != from.dim(0) || columns == 1;
    return numbers[At(each ? direction * columns + column : direction)];
  };
  Tensor to = TRY(Tensor::Make(DType::kFloat64, {from.dim(0), columns, rows}));
  const double* in = wide.data<double>().data();
  double* out = to.data<double>().data();
  for (std::int64_t direction = 0; direction < from.dim(0); ++direction) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const double step = of(scales, direction, column);
      const double zero = of(zeros, direction, column);
      for (std::int64_t row = 0; row < rows; ++row) {
        *out++ = (in[(direction * rows + row) * columns + column] - zero) * step;
      }
    }
  }
  return to;
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  RecurrentWeights weights;
  weights.w = TRY(Weights(context, kW, kWScale));
  weights.r = TRY(Weights(context, kR, kRScale));
  return RunRecurrence(TRY(AsLstm(node)), context, &weights);
}

constexpr Kernel kKernels[] = {{.name = "dynamic_quantize_lstm_reference", .run = Run}};
constexpr DTypeSet kBytes = Types({DType::kUint8, DType::kInt8});
constexpr TypeRule kRules[] = {{"T", kFloat32Type}, {"T1", Types({DType::kInt32})}, {"T2", kBytes}};

}  // namespace

OpList ops_ms_dynamic_quantize_lstm() {
  static constexpr OpDef kOps[] = {
      OpDef{.type = "DynamicQuantizeLSTM",
            .domain = "com.microsoft",
            .signature = "X:T, W:T2, R:T2, B?:T, sequence_lens?:T1, initial_h?:T, initial_c?:T, "
                         "P?:T, W_scale:T, W_zero_point:T2, R_scale:T, R_zero_point:T2 -> Y?:T, "
                         "Y_h?:T, Y_c?:T",
            .types = kRules,
            .attributes =
                "activation_alpha:floats, activation_beta:floats, activations:strings, "
                "clip:float, direction:string=forward, hidden_size:int, input_forget:int=0",
            .infer = Infer,
            .kernels = kKernels},
  };
  return kOps;
}

}  // namespace slipway::runtime
