// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels/heads.h"
#include "runtime/op.h"

/// Attention over heads in float32 that never holds all scores: keys come in blocks, and each query
/// keeps a running sum. What is not finite then is computed again as the reference does it.
namespace slipway::runtime {

/// Where heads lie: number d of row s of head h of item n is at n * item + h * head + s * row + d.
struct HeadsPlace {
  std::int64_t item = 0, head = 0, row = 0;
};
/// Of a tensor [batch, heads, length, width], and of one [batch, length, heads * width].
HeadsPlace HeadsFirst(std::int64_t heads, std::int64_t length, std::int64_t width);
HeadsPlace TokensFirst(std::int64_t heads, std::int64_t length, std::int64_t width);

struct HeadsView {
  const float* data = nullptr;
  HeadsPlace place = {};
};

/// Some keys and their values, one after the other.
struct KeyRun {
  HeadsView keys, values;
  std::int64_t count = 0;
};

/// What is added to scores: rows of numbers, one for each key from the first one on. Minus infinity
/// hides a key. Strides may be 0.
struct BiasRows {
  const float* data = nullptr;  ///< null: nothing
  std::int64_t item = 0, head = 0, row = 0;
};

/// Which keys queries see: key j of item n by query i where begin[n] <= j < end[n] and
/// -left <= j - (i + offset[n]) <= right.
struct KeysSeen {
  std::vector<std::int64_t> begin = {};   ///< per item; empty: 0
  std::vector<std::int64_t> end = {};     ///< per item; empty: all
  std::vector<std::int64_t> offset = {};  ///< per item; empty: 0
  std::int64_t left = -1, right = -1;     ///< -1: no bound
};

struct BlockedHeads {
  HeadsShape shape = {};  ///< kv_length: of all runs together
  HeadsView q = {};
  std::array<KeyRun, 2> keys = {};
  std::array<BiasRows, 2> bias = {};
  bool fills = false;  ///< bias[1] takes the place of scores where it is not 0
  /// As products with a Softmax between them: no key is hidden, whatever is added to its score, and
  /// where all scores are minus infinity the result is no number.
  bool literal = false;
  KeysSeen seen = {};
  double scale = 1, softcap = 0;
  /// Per query head: a score that takes part in the softmax and has no value. Empty for none.
  Doubles sinks = {};
  float* y = nullptr;
  HeadsPlace y_place = {};
};

/// Working memory of one thread, in bytes.
std::int64_t BlockedHeadsScratch(const HeadsShape& shape);

/// A query that sees no key gets zeros. The context's scratch is that of one thread or of several;
/// as many work.
void AttendBlocked(KernelContext& context, const BlockedHeads& problem);

/// Keys or values: those of the cache, if there are any, with new ones behind them.
struct PresentRows {
  Shape shape;  ///< of both together: [batch, heads, length, width]
  const Tensor* past = nullptr;
  std::int64_t past_offset = 0;  ///< of its first number
  const Tensor* fresh = nullptr;
  HeadsPlace place = {};  ///< of the new ones
  std::int64_t fresh_offset = 0, fresh_length = 0;
};
/// Writes them to `present` from number `offset` on.
void WritePresent(KernelContext& context, const PresentRows& rows, Tensor& present,
                  std::int64_t offset = 0);

/// Numbers as they are added to scores: of bool, false is minus infinity. In float32.
Result<Tensor> BiasOfMask(KernelContext& context, const Tensor& mask);

}  // namespace slipway::runtime
