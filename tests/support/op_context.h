// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/op.h"

namespace slipway::test {

/// What a kernel works with when a test runs it alone. Ranges are cut into `pieces` unequal
/// parts, run one after another, last part first.
class OpContext final : public runtime::KernelContext {
 public:
  OpContext(std::vector<runtime::Value> inputs, int pieces)
      : inputs_(std::move(inputs)), pieces_(pieces) {}

  /// Allocates outputs whose shapes are known, and the scratch.
  Result<void> Open(const runtime::NodeFacts& node, std::int64_t scratch_bytes);
  const std::vector<runtime::Value>& outputs() const { return outputs_; }

  const runtime::Tensor* input(std::size_t index) override;
  const runtime::Value& input_value(std::size_t index) override { return inputs_[index]; }
  std::size_t inputs() const override { return inputs_.size(); }
  runtime::Tensor& output(std::size_t index) override { return *outputs_[index].tensor(); }
  Result<runtime::Tensor*> Allocate(std::size_t index, runtime::DType dtype,
                                    runtime::Shape shape) override;
  void Set(std::size_t index, runtime::Value value) override { outputs_[index] = std::move(value); }
  std::span<std::byte> scratch() override;
  void ParallelFor(std::int64_t count, std::int64_t grain, const runtime::RangeBody& body) override;
  int threads() const override { return pieces_; }

 private:
  std::vector<runtime::Value> inputs_;
  std::vector<runtime::Value> outputs_;
  runtime::Tensor scratch_;
  int pieces_;
};

}  // namespace slipway::test
