// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/quantized_node.h"

namespace slipway::runtime {

/// What sums of an operator of quantized_node.h need to become its output.
struct SumParameters {
  SumScaling scaling = {};
  std::vector<std::int64_t> added = {};  ///< to the sums of each column, or channel
  std::vector<double> wide = {};         ///< the same
  bool finite = false;                   ///< whether all scales are
  /// Of RunByteDot, for whole vectors, and whether they do all that is to be done; scales are none
  /// where there are none.
  bool fit_dot = false;
  std::vector<std::int32_t> dot_added = {};
  std::vector<double> dot_scales = {};
  std::vector<float> dot_near = {};

  static Result<SumParameters> Make(const NodeFacts& node, const QuantizedPorts& ports,
                                    KernelContext& context, std::span<const std::int64_t> added);
};

/// Puts sums into the output: as they are, or scaled. Made for a run; its functions may be called
/// by several threads, for different elements.
class SumStore {
 public:
  SumStore(std::shared_ptr<const SumParameters> parameters, Tensor& y)
      : p_(std::move(parameters)), y_(&y) {}

  /// Elements from `at` on; their columns are those from `column` on.
  void Columns(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t at) const {
    Put(sums, column, 1, at);
  }
  /// Elements from `at` on, all of one channel.
  void Channel(std::span<const std::int32_t> sums, std::int64_t channel, std::int64_t at) const {
    Put(sums, channel, 0, at);
  }

  /// Whether parameters of RunByteDot do all that is to be done, and those from `first` on, with
  /// where elements from `at` on are, rows `stride` elements apart.
  bool fits_dot() const { return p_->fit_dot; }
  ByteDotSums ForDot(std::int64_t first, std::int64_t at, std::int64_t stride) const;
  /// What `dot` gives, from `at` on, rows `stride` elements apart. `first`: the column, or channel,
  /// of its operand with signs.
  void Products(ByteDot dot, std::int64_t first, std::int64_t at, std::int64_t stride) const;

 private:
  void Put(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
           std::int64_t at) const;
  template <class T>
  void PutBytes(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
                T* to) const;
  /// The same where RunByteDot gives sums alone.
  void PutProducts(ByteDot dot, std::int64_t first, std::int64_t at, std::int64_t stride) const;

  std::shared_ptr<const SumParameters> p_;
  Tensor* y_;
};

/// The parameters of a node: of each run, or of the first where all that they follow from is known
/// when planning. Thread-safe.
class SumStores {
 public:
  SumStores(const NodeFacts& node, const QuantizedPorts& ports);

  /// `added`: gives what to add to the sums of each column, or channel.
  template <class Added>
  Result<SumStore> Of(KernelContext& context, const Added& added) const {
    std::shared_ptr<const SumParameters> known = known_.load();
    if (known == nullptr) {
      known = std::make_shared<const SumParameters>(
          TRY(SumParameters::Make(node_, ports_, context, added())));
      if (constant_) known_.store(known);
    }
    return SumStore(std::move(known), context.output(0));
  }

 private:
  const NodeFacts& node_;
  QuantizedPorts ports_;
  bool constant_;
  mutable std::atomic<std::shared_ptr<const SumParameters>> known_ = {};
};

}  // namespace slipway::runtime
