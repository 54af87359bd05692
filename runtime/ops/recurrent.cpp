// SPDX-License-Identifier: Apache-2.0
// RNN, LSTM (opsets 1, 7, 14, 22), GRU (1, 3, 7, 14, 22).
// Spec: https://onnx.ai/onnx/operators/onnx__LSTM.html and the pages of the others.
// Y is made whenever it is named, whatever opset 1's `output_sequence` says.
#include "runtime/kernels/recurrent.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/recurrent_packed.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> Infer(const NodeFacts& node) {
  const Recurrence recurrence = TRY(RecurrenceOf(node));
  const ValueFacts state = TensorFacts(node.dtype(0), recurrence.state_shape());
  return OutputFacts(node, {TensorFacts(node.dtype(0), recurrence.y_shape()), state, state});
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  return RunRecurrence(node, context);
}

constexpr Kernel kKernels[] = {{.name = "recurrent_packed",
                                .declines = DeclineRecurrentPacked,
                                .prepare = PrepareRecurrentPacked},
                               {.name = "recurrent_reference", .run = Run}};

consteval OpDef Row(std::string_view type, int since, std::string_view signature,
                    std::string_view attributes) {
  return {.type = type,
          .since = since,
          .signature = signature,
          .types = since < 22 ? std::span<const TypeRule>(kTT1<kFloatTypes, Types({DType::kInt32})>)
                              : kTT1<kFloatTypesB, Types({DType::kInt32})>,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

constexpr std::string_view kRnn =
    "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T -> Y?:T, Y_h?:T";
constexpr std::string_view kGru1 =
    "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T -> Y?:T, Y_h:T";
constexpr std::string_view kLstm =
    "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T, initial_c?:T, P?:T -> Y?:T, Y_h?:T, "
    "Y_c?:T";
constexpr std::string_view kRnnAttributes1 =
    "activation_alpha:floats, activation_beta:floats, activations:strings=[Tanh, Tanh], "
    "clip:float, direction:string=forward, hidden_size:int, output_sequence:int=0";
constexpr std::string_view kRnnAttributes7 =
    "activation_alpha:floats, activation_beta:floats, activations:strings=[Tanh, Tanh], "
    "clip:float, direction:string=forward, hidden_size:int";
constexpr std::string_view kRnnAttributes14 =
    "activation_alpha:floats, activation_beta:floats, activations:strings=[Tanh, Tanh], "
    "clip:float, direction:string=forward, hidden_size:int, layout:int=0";
constexpr std::string_view kGruAttributes1 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=foward, hidden_size:int, output_sequence:int=0";
constexpr std::string_view kGruAttributes3 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, linear_before_reset:int=0, output_sequence:int=0";
constexpr std::string_view kGruAttributes7 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, linear_before_reset:int=0";
constexpr std::string_view kGruAttributes14 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, layout:int=0, linear_before_reset:int=0";
constexpr std::string_view kLstmAttributes1 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, input_forget:int=0, output_sequence:int=0";
constexpr std::string_view kLstmAttributes7 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, input_forget:int=0";
constexpr std::string_view kLstmAttributes14 =
    "activation_alpha:floats, activation_beta:floats, activations:strings, clip:float, "
    "direction:string=forward, hidden_size:int, input_forget:int=0, layout:int=0";

}  // namespace

OpList ops_recurrent() {
  static constexpr auto kOps = Versions({
      Row("RNN", 1, kRnn, kRnnAttributes1),
      Row("RNN", 7, kRnn, kRnnAttributes7),
      Row("RNN", 14, kRnn, kRnnAttributes14),
      Row("RNN", 22, kRnn, kRnnAttributes14),
      Row("GRU", 1, kGru1, kGruAttributes1),
      Row("GRU", 3, kRnn, kGruAttributes3),
      Row("GRU", 7, kRnn, kGruAttributes7),
      Row("GRU", 14, kRnn, kGruAttributes14),
      Row("GRU", 22, kRnn, kGruAttributes14),
      Row("LSTM", 1, kLstm, kLstmAttributes1),
      Row("LSTM", 7, kLstm, kLstmAttributes7),
      Row("LSTM", 14, kLstm, kLstmAttributes14),
      Row("LSTM", 22, kLstm, kLstmAttributes14),
  });
  return kOps;
}

}  // namespace slipway::runtime
