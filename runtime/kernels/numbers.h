// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/op.h"

/// Numbers of tensors whatever their type, for inputs that are few or operators that compute in
/// double.
namespace slipway::runtime {

/// Numbers in working memory, which counts as the session's.
using Doubles = CountedVector<double>;

/// Elements of a numeric or bool tensor as double; empty for null.
Doubles DoublesOf(const Tensor* tensor);

/// Sets all elements of `to`, by the rules of Cast. As many values as it has elements.
Result<void> StoreDoubles(KernelContext& context, std::span<const double> values, Tensor& to);

/// Input `index` as one integer, of shape [] or [1]; `fallback` where it is absent.
/// kInvalidArgument naming `name`.
Result<std::int64_t> ScalarInt(const NodeFacts& node, const Tensor* tensor, std::size_t index,
                               std::string_view name, std::int64_t fallback);

/// The attribute `name` as an element type of `allowed`; `fallback` where it is absent.
Result<DType> DTypeAttribute(const NodeFacts& node, std::string_view name, DType fallback,
                             DTypeSet allowed);

}  // namespace slipway::runtime
