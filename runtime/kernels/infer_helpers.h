// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/kernels/message.h"
#include "runtime/op.h"

/// Shape rules that operators share, and what kernels need of them at run time.
namespace slipway::runtime {

using Facts = std::vector<ValueFacts>;

/// As many of `facts` as the node names outputs.
Facts OutputFacts(const NodeFacts& node, Facts facts);

/// Outputs 0 as input 0.
Result<Facts> InferSame(const NodeFacts& node);
/// Output 0: all inputs broadcast together, type of input 0.
Result<Facts> InferBroadcast(const NodeFacts& node);
/// Same, of bool.
Result<Facts> InferBroadcastBool(const NodeFacts& node);

/// NumPy's rule. kInvalidArgument naming both shapes.
Result<Shape> BroadcastShapes(const Shape& a, const Shape& b);

/// `axis` counted from the front. kInvalidArgument: `axis 5 out of range [-2, 2)`.
Result<std::int64_t> NormalizeAxis(std::int64_t axis, std::int64_t rank,
                                   std::string_view what = "axis");
/// Each normalised; kInvalidArgument if one comes twice.
Result<std::vector<std::int64_t>> NormalizeAxes(std::vector<std::int64_t> axes, std::int64_t rank);

/// Elements of an int32 or int64 tensor; empty for null.
std::vector<std::int64_t> IntsOf(const Tensor* tensor);
/// Elements of a constant input; nothing if they are not known when planning.
std::optional<std::vector<std::int64_t>> ConstantInts(const NodeFacts& node, std::size_t input);

/// Whether input `index` is present and its elements are unknown when planning.
bool DependsOnData(const NodeFacts& node, std::size_t index);

/// Checks that a small tensor input (axes, pads, ...) has rank 1, or 0 where `scalar_too`.
Result<void> CheckVector(const NodeFacts& node, std::size_t input, std::string_view name,
                         bool scalar_too = false);

/// Output `index` of that shape: the one allocated where planning knew the shape, else a new one.
Result<Tensor*> OutputOf(const NodeFacts& node, KernelContext& context, std::size_t index,
                         DType dtype, const Shape& shape);

/// Whether the node names output `index`.
bool Wanted(const NodeFacts& node, std::size_t index);

/// Elements of dimensions [begin, end) of a tensor that exists; 0 where they are too many, which
/// an empty tensor's other dimensions may be.
std::int64_t CountOf(const Shape& shape, std::size_t begin, std::size_t end);

/// `x` as the tensors of that size are: index of a non-negative number.
inline std::size_t At(std::int64_t x) { return static_cast<std::size_t>(x); }
inline std::int64_t RankOf(const Shape& shape) { return static_cast<std::int64_t>(shape.size()); }

}  // namespace slipway::runtime
