// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/op.h"

/// What RNN, GRU and LSTM share. Source: ONNX RNN, GRU, LSTM.
namespace slipway::runtime {

/// One of the standard's activation functions with its parameters.
struct GateFunction {
  enum class Kind : std::uint8_t {
    kRelu,
    kTanh,
    kSigmoid,
    kAffine,
    kLeakyRelu,
    kThresholdedRelu,
    kScaledTanh,
    kHardSigmoid,
    kElu,
    kSoftsign,
    kSoftplus,
  };
  Kind kind = Kind::kTanh;
  double alpha = 0, beta = 0;
  double operator()(double x) const;
};

/// Dimensions and attributes of a recurrent node.
struct Recurrence {
  std::int64_t gates = 1;      ///< 1 for RNN, 3 for GRU, 4 for LSTM
  std::int64_t functions = 1;  ///< activations per direction
  std::int64_t steps = 0, batch = 0, inputs = 0, hidden = 0, directions = 1;
  bool batch_first = false, first_reversed = false;
  bool input_forget = false, linear_before_reset = false;
  double clip = -1;                       ///< none where negative
  std::vector<GateFunction> activations;  ///< `functions` for each direction

  Shape y_shape() const;
  Shape state_shape() const;
};

/// What the operator's type and its attributes say: no dimensions. kInvalidArgument naming the
/// attribute that does not fit.
Result<Recurrence> RecurrenceOf(std::string_view type, const Attributes& attributes);

/// kInvalidArgument naming the input or attribute that does not fit.
Result<Recurrence> RecurrenceOf(const NodeFacts& node);

/// Steps of each item, where the node has the input; kInvalidArgument for one out of range.
Result<std::vector<std::int64_t>> SequenceLengths(const NodeFacts& node, KernelContext& context,
                                                  const Recurrence& r);

/// W and R of a node, in double, where its inputs are not these.
struct RecurrentWeights {
  Tensor w, r;
};

/// Runs the node, computing in double; outputs in the inputs' type.
Result<void> RunRecurrence(const NodeFacts& node, KernelContext& context,
                           const RecurrentWeights* given = nullptr);

}  // namespace slipway::runtime
