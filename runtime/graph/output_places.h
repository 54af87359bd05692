// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/graph/graph.h"

namespace slipway::runtime {

class Plan;
struct PreparedNode;
struct Step;

/// Which values of a run are made in memory that the caller has for the outputs. The outputs that
/// are not, DeliverOutputs copies. Kept from run to run of a plan, so that what it works in is
/// allocated once.
class OutputPlaces {
 public:
  /// For one run. `inputs`: the graph's inputs, then its captures. `memory`: for each output of the
  /// graph a tensor, or nothing; or no item at all.
  void Choose(const Plan& plan, std::span<const Value> inputs, std::span<const Value> memory);
  /// Lets go of the memory.
  void Forget();

  /// Makes what a step, prepared as `node`, writes its output `id` to: that memory, or its own.
  Result<void> Make(const Step& step, const PreparedNode& node, ValueId id, Value& made) const;

 private:
  struct Wish {
    ValueId root = kNoValue;  ///< what is to be made there
    Value memory;
    ValueId under = kNoValue;  ///< the input that lies there
    bool apart = true;         ///< no input lies there, not even a part of one
  };
  /// Only if nothing but the step itself reads what lies there.
  bool MayOverwrite(const Step& step, const PreparedNode& node, std::size_t index,
                    ValueId under) const;
  /// Looks for inputs in the memory; whether there are any.
  static bool MeetsInputs(const GraphData& graph, std::span<const Value> inputs,
                          const Tensor& memory, Wish& wish);
  void CountReaders(const Plan& plan);

  std::vector<Wish> wishes_;           ///< per output of the graph; without memory: no root
  std::vector<std::int32_t> readers_;  ///< per value, where an input lies in an output's memory
};

/// kInvalidArgument (`Output.WrongMemory`) where memory is no tensor that can take an output, or
/// that of two outputs overlaps. `memory` is as of OutputPlaces.
Result<void> CheckMemory(std::span<const ValueInfo> outputs, std::span<const Value> memory);

/// Copies the outputs that are not yet where they are to be. Those without memory must share
/// theirs with nothing: what lies in the memory is overwritten. `memory` is as of OutputPlaces, for
/// outputs that are wanted. `Output.WrongMemory` where one does not fit.
Result<void> DeliverOutputs(std::span<const ValueInfo> infos, std::span<Value> memory,
                            std::span<Value> outputs);

/// kInvalidArgument (`Output.WrongMemory`).
Error WrongMemory(std::string message);

}  // namespace slipway::runtime
