// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::runtime {

/// Element types, numbered as TensorProto.DataType. Source: onnx.proto.
enum class DType : std::uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
  kFloat6E2M3 = 27,
  kFloat6E3M2 = 28,
};
inline constexpr int kDTypeCount = 29;

/// ONNX's own word: `float`, `int64`, `float16`, `string`, ...
std::string_view DTypeName(DType dtype);
/// kInvalidArgument for a number that is no element type.
Result<DType> DTypeFromNumber(std::int64_t number);
/// Bits one element takes in memory; strings: of a std::string object.
int DTypeBits(DType dtype);

/// Dimensions, outermost first. Empty: a scalar.
using Shape = std::vector<std::int64_t>;

/// `[2,3,64,64]`
std::string ShapeText(const Shape& shape);
/// Number of elements; kResourceExhausted if it does not fit, kInvalidArgument for a negative
/// dimension or a rank over the limit.
Result<std::int64_t> ElementCount(const Shape& shape);

/// A dense array, row-major and contiguous. Copies share the elements; a kernel writes only to
/// outputs it was given. 2- and 4-bit elements are packed, first element in the low bits; 6-bit
/// ones take a byte each, in its low bits.
/// Elements of kString are std::string objects.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised elements (strings: empty, packed ones: 0), 64-byte aligned.
  /// kResourceExhausted above limits::kTensorBytes or without memory.
  static Result<Tensor> Make(DType dtype, Shape shape);
  /// Over memory that `owner` keeps alive; it must hold the bytes the shape asks for.
  static Tensor Wrap(DType dtype, Shape shape, std::shared_ptr<const void> owner, void* data);
  template <class T>
  static Tensor FromVector(DType dtype, const Shape& shape, std::vector<T> elements) {
    auto owner = std::make_shared<std::vector<T>>(std::move(elements));
    void* data = owner->data();
    return Wrap(dtype, shape, std::move(owner), data);
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
  std::int64_t dim(std::int64_t axis) const { return shape_[static_cast<std::size_t>(axis)]; }
  std::int64_t size() const { return size_; }  ///< elements
  std::int64_t bytes() const;                  ///< of memory, packed types rounded up
  void* raw() { return data_; }
  const void* raw() const { return data_; }
  /// Elements as `T`, which must be the type of that width (float16 as std::uint16_t).
  template <class T>
  std::span<T> data() {
    return {static_cast<T*>(data_), static_cast<std::size_t>(size_)};
  }
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(data_), static_cast<std::size_t>(size_)};
  }
  std::span<const std::byte> raw_bytes() const {
    return {static_cast<const std::byte*>(data_), static_cast<std::size_t>(bytes())};
  }
  /// Same elements under another shape of as many elements.
  Tensor Reshaped(Shape shape) const;
  /// A deep copy.
  Result<Tensor> Clone() const;
  const std::shared_ptr<const void>& owner() const { return owner_; }
  /// Memory that nothing else uses no longer counts as the session's that allocated it: it is the
  /// caller's now.
  void LeaveBudget() const;
  /// Strings that nothing else uses: counts what their text takes as the session's.
  /// kResourceExhausted where that is more than it may (`Run.MemoryLimit`), or than one tensor may
  /// hold (`Tensor.TooLarge`).
  Result<void> CountText() const;

 private:
  DType dtype_ = DType::kUndefined;
  Shape shape_;
  std::int64_t size_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

}  // namespace slipway::runtime
