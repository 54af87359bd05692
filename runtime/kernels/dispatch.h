// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <complex>
#include <cstdint>
#include <string>
#include <type_traits>

#include "base/result.h"
#include "runtime/kernels/float16.h"
#include "runtime/kernels/message.h"
#include "runtime/tensor.h"

/// From element types at run time to C++ types.
namespace slipway::runtime {

template <class T>
inline constexpr DType kDTypeOf = DType::kUndefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType kDTypeOf<Float16> = DType::kFloat16;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::kBfloat16;
template <>
inline constexpr DType kDTypeOf<std::int8_t> = DType::kInt8;
template <>
inline constexpr DType kDTypeOf<std::int16_t> = DType::kInt16;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::kInt64;
template <>
inline constexpr DType kDTypeOf<std::uint8_t> = DType::kUint8;
template <>
inline constexpr DType kDTypeOf<std::uint16_t> = DType::kUint16;
template <>
inline constexpr DType kDTypeOf<std::uint32_t> = DType::kUint32;
template <>
inline constexpr DType kDTypeOf<std::uint64_t> = DType::kUint64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::kBool;
template <>
inline constexpr DType kDTypeOf<std::string> = DType::kString;
template <>
inline constexpr DType kDTypeOf<std::complex<float>> = DType::kComplex64;
template <>
inline constexpr DType kDTypeOf<std::complex<double>> = DType::kComplex128;

template <class... Ts>
struct TypeList {};

template <class... A, class... B>
TypeList<A..., B...> operator+(TypeList<A...>, TypeList<B...>);

using FloatList = TypeList<float, double, Float16, BFloat16>;
using IntList = TypeList<std::int8_t, std::int16_t, std::int32_t, std::int64_t>;
using UintList = TypeList<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
using WideIntList = TypeList<std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>;
using IntegerList = decltype(IntList() + UintList());
using NumericList = decltype(FloatList() + IntegerList());

template <class T>
struct TypeTag {
  using type = T;
};

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

/// What elements of T are computed in: float for the 16-bit floats, else T itself.
template <class T>
using Compute = std::conditional_t<kIsHalf<T>, float, T>;

/// Calls `f(TypeTag<T>{})` for the T of the list that holds elements of `dtype`.
/// kUnimplemented where the list has none.
template <class... Ts, class F>
Result<void> Dispatch(TypeList<Ts...>, DType dtype, F&& f) {
  const auto serves = [&]<class T>(TypeTag<T> tag) {
    if (dtype != kDTypeOf<T>) return false;
    f(tag);
    return true;
  };
  if ((serves(TypeTag<Ts>{}) || ...)) return {};
  return Error{.code = Code::kUnimplemented,
               .message = Message("no kernel for elements of ", dtype)};
}

}  // namespace slipway::runtime
