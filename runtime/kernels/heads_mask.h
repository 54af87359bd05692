// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/kernels/heads.h"
#include "runtime/kernels/heads_blocked.h"
#include "runtime/op.h"

/// Masks of com.microsoft's Attention and MultiHeadAttention, in the forms that they have.
namespace slipway::runtime {

/// An int32 mask of shape [B] (keys that count), [2B] (ends, then starts), [B, total],
/// [B, q_length, total] or [B, 1, M, M]; [B, 1] and [1, 1] hide nothing.
class HeadsMask {
 public:
  /// kInvalidArgument naming a shape that is none of these.
  static Result<void> Check(const Shape& mask, const HeadsShape& shape);

  /// `past` keys come before those of the queries. A null mask hides nothing.
  HeadsMask(const Tensor* mask, const HeadsShape& shape, std::int64_t past);

  bool hides_none() const { return dims_.empty(); }
  /// Whether it tells queries of one item apart.
  bool per_query() const { return dims_.size() > 2; }
  bool Hides(std::int64_t n, std::int64_t i, std::int64_t j) const;

 private:
  Shape dims_;
  std::vector<std::int64_t> elements_;
  HeadsShape shape_;
  std::int64_t past_ = 0;
};

/// Attention bias [B or 1, N or 1, q_length, total] (null: none), mask and causality as one.
/// A hidden key gets attribute `mask_filter_value`, a key after its query minus infinity.
/// The tensors must outlive the result.
struct BiasParts {
  const NodeFacts* node = nullptr;
  const Tensor *mask = nullptr, *added = nullptr;
  HeadsShape shape = {};
  std::int64_t past = 0;
};
HeadsBias JoinedBias(const BiasParts& parts);

/// The same in rows, for keys in blocks; what `problem` then refers to.
struct JoinedRows {
  Tensor mask, added;
};
Result<JoinedRows> JoinBiasRows(KernelContext& context, const BiasParts& parts,
                                BlockedHeads& problem);

/// Rows of an attention bias of float32.
BiasRows RowsOfAdded(const Tensor& added);

/// kInvalidArgument unless an attention bias of `bias` fits.
Result<void> CheckAddedBias(const Shape& bias, const HeadsShape& shape);

}  // namespace slipway::runtime
