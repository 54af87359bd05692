// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/kernels/numbers.h"
#include "runtime/op.h"

/// Scaled dot-product attention over heads, as the attention operators of com.microsoft share it.
namespace slipway::runtime {

/// Sizes of a problem. Query head h reads the keys and values of head h / (q_heads / kv_heads).
struct HeadsShape {
  std::int64_t batch = 0, q_heads = 0, kv_heads = 0;
  std::int64_t q_length = 0;
  std::int64_t kv_length = 0;  ///< keys there are room for
  std::int64_t head = 0, v_head = 0;
};

/// What is added to the score of key j for query i of head h of item n; minus infinity hides it.
using HeadsBias =
    std::function<double(std::int64_t n, std::int64_t h, std::int64_t i, std::int64_t j)>;

enum class ScoresWanted : std::uint8_t { kNone, kBeforeSoftmax, kAfterSoftmax };

struct HeadsProblem {
  HeadsShape shape;
  /// [batch, heads, length, head], of double.
  const Tensor *q = nullptr, *k = nullptr, *v = nullptr;
  double scale = 1, softcap = 0;
  HeadsBias bias = nullptr;
  /// Per query head: a score that takes part in the softmax and has no value. Empty for none.
  Doubles sinks = {};
  ScoresWanted wanted = ScoresWanted::kNone;
};

struct HeadsResult {
  Tensor y;                      ///< [batch, q_heads, q_length, v_head], of double
  std::optional<Tensor> scores;  ///< [batch, q_heads, q_length, kv_length], of double
};

/// A query that sees no key gets zeros.
Result<HeadsResult> Attend(KernelContext& context, const HeadsProblem& problem);

/// [batch, heads, length, head] as [batch, length, heads * head], into a tensor of any type.
Result<void> JoinHeads(KernelContext& context, const Tensor& y, Tensor& to);

}  // namespace slipway::runtime
