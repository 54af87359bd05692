// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/bounds.h"
#include "runtime/op.h"

/// Moving elements about, whatever their type.
namespace slipway::runtime {

/// Elements to advance per step of each dimension; may be 0 or negative.
using Strides = std::vector<std::int64_t>;

/// Of a row-major tensor; meaningless where it is empty.
Strides ContiguousStrides(const Shape& shape);

/// A box of elements and where it lies in two tensors.
struct StridedBox {
  Shape dims;
  Strides from, to;
  std::int64_t from_offset = 0, to_offset = 0;  ///< elements
};

/// Copies the elements of `source` that the box covers to where it puts them in `target`.
/// Elements must be whole bytes. Positions in `target` must not coincide.
void CopyBox(KernelContext& context, const StridedBox& box, const Tensor& source, Tensor& target);

/// Copies `count` elements lying together; offsets in elements.
void CopyElements(const Tensor& source, std::int64_t from, Tensor& target, std::int64_t to,
                  std::int64_t count, TextMeter* meter = nullptr);

/// Copies all elements; nothing to do where both are the same memory.
void CopyAll(const Tensor& source, Tensor& target);

/// Whether the elements of `piece` lie in `whole`, from its element `offset` on.
bool LiesAt(const Tensor& piece, const Tensor& whole, std::int64_t offset);

/// Sets every element to the element of `value`, which has the same type; zero (or "") for null.
void FillWith(Tensor& target, const Tensor* value);

/// Whether several elements share a byte.
inline bool IsPacked(DType dtype) { return DTypeBits(dtype) < 8; }

/// One byte per element, sign not extended: a tensor of uint8.
Result<Tensor> Unpacked(const Tensor& packed);
/// The inverse, into a tensor of as many elements.
void PackInto(const Tensor& bytes, Tensor& packed);

}  // namespace slipway::runtime
