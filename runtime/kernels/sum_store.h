// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/kernels/quantized_node.h"

namespace slipway::runtime {

/// Puts sums into the output of an operator of quantized_node.h: as they are, or scaled. Made for
/// a run; its functions may be called by several threads, for different elements.
class SumStore {
 public:
  /// `added`: to the sums of each column, or channel.
  static Result<SumStore> Make(const NodeFacts& node, const QuantizedPorts& ports,
                               KernelContext& context, std::span<const std::int64_t> added);

  /// Elements from `at` on; their columns are those from `column` on.
  void Columns(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t at) const {
    Put(sums, column, 1, at);
  }
  /// Elements from `at` on, all of one channel.
  void Channel(std::span<const std::int32_t> sums, std::int64_t channel, std::int64_t at) const {
    Put(sums, channel, 0, at);
  }

 private:
  void Put(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
           std::int64_t at) const;
  template <class T>
  void PutBytes(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
                T* to) const;

  Tensor* y_ = nullptr;
  SumScaling scaling_ = {};
  std::vector<std::int64_t> added_ = {};
  std::vector<double> wide_ = {};  ///< the same
  bool finite_ = false;            ///< whether all scales are
};

}  // namespace slipway::runtime
