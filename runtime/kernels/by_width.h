// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <complex>
#include <cstdint>
#include <string>

#include "runtime/kernels/dispatch.h"

namespace slipway::runtime {

/// Calls `f(TypeTag<T>{})` with the T that elements of `dtype` can be copied as: a number as wide
/// as they are, or std::string. They must be whole bytes.
template <class F>
void ByWidth(DType dtype, F&& f) {
  if (dtype == DType::kString) return f(TypeTag<std::string>{});
  const auto serves = [&]<class T>(TypeTag<T> tag) {
    if (DTypeBits(dtype) != static_cast<int>(8 * sizeof(T))) return false;
    f(tag);
    return true;
  };
  const auto among = [&]<class... Ts>(TypeList<Ts...>) { (void)(serves(TypeTag<Ts>{}) || ...); };
  among(
      TypeList<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::complex<double>>{});
}

}  // namespace slipway::runtime
