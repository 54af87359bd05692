// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/op.h"

namespace slipway::runtime {

/// Dimensions of an Attention node, whether its inputs have three dimensions or four.
struct AttentionShape {
  std::int64_t batch = 0, q_heads = 0, kv_heads = 0, q_length = 0, kv_length = 0;
  std::int64_t past = 0;  ///< keys of the cache before those of input K
  std::int64_t head = 0, v_head = 0;
  bool packed_heads = false;  ///< [batch, length, heads * head], not [batch, heads, length, head]

  std::int64_t total() const { return past + kv_length; }
};

/// kInvalidArgument naming the input or attribute that does not fit.
Result<AttentionShape> AttentionShapeOf(const NodeFacts& node);

/// Computes in double, rounded after each step where inputs are of 16 bits; outputs in the inputs'
/// type.
Result<void> RunAttention(const NodeFacts& node, KernelContext& context);

/// Input `nonpad_kv_seqlen`: keys per item; empty for null. kInvalidArgument naming one out of
/// range.
Result<std::vector<std::int64_t>> ValidKeys(const Tensor* lengths, const AttentionShape& shape);

/// In float32 and in blocks, where nobody asks for scores.
std::string DeclineAttentionBlocked(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareAttentionBlocked(const NodeFacts& node,
                                                            DeviceContext& device);

}  // namespace slipway::runtime
