// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/graph/plan.h"

namespace slipway::runtime {

/// Which values of a run are made in memory that the caller has for the outputs. The outputs that
/// are not, DeliverOutputs copies.
class OutputPlaces {
 public:
  OutputPlaces() = default;
  /// `inputs`: the graph's inputs, then its captures. `memory`: for each output of the graph a
  /// tensor, or nothing; or no item at all.
  OutputPlaces(const Plan& plan, std::span<const Value> inputs, std::span<const Value> memory);

  /// What a step, prepared as `node`, makes its output `id` in: that memory, or its own.
  Result<Tensor> Make(const Step& step, const PreparedNode& node, ValueId id) const;

 private:
  struct Wish {
    ValueId root = kNoValue;  ///< what is to be made there
    Tensor memory;
    ValueId under = kNoValue;  ///< the input that lies there
    bool apart = true;         ///< no input lies there, not even a part of one
  };
  /// Only if nothing but the step itself reads what lies there.
  bool MayOverwrite(const Step& step, const PreparedNode& node, std::size_t index,
                    ValueId under) const;
  void CountReaders(const Plan& plan);

  std::vector<Wish> wishes_;
  std::vector<std::int32_t> readers_;  ///< per value, where an input lies in an output's memory
};

/// kInvalidArgument (`Output.WrongMemory`) where memory is no tensor that can take an output, or
/// that of two outputs overlaps. `memory` is as of OutputPlaces.
Result<void> CheckMemory(std::span<const ValueInfo> outputs, std::span<const Value> memory);

/// Copies the outputs that are not yet where they are to be. Those without memory must share
/// theirs with nothing: what lies in the memory is overwritten. `Output.WrongMemory` where one does
/// not fit.
Result<void> DeliverOutputs(std::span<const ValueInfo> infos, std::span<const Value> memory,
                            std::span<Value> outputs);

/// kInvalidArgument (`Output.WrongMemory`).
Error WrongMemory(std::string message);

}  // namespace slipway::runtime
