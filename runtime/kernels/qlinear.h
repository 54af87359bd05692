// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/quantize.h"
#include "runtime/kernels/quantize_simd.h"
#include "runtime/kernels/types.h"
#include "runtime/op.h"

/// Operators on tensors that are quantised with one scale and one zero point.
namespace slipway::runtime {

/// Checks that inputs `scale` and `zero` (where it is there) hold one element each.
Result<void> CheckScale(const NodeFacts& node, std::size_t scale, std::size_t zero);

/// A scale and a zero point, as inputs of a node that CheckScale passed.
struct Quantizer {
  double scale = 1, zero = 0;

  static Quantizer Of(const NodeFacts& node, KernelContext& context, std::size_t scale,
                      std::size_t zero);
  double Real(double quantised) const { return (quantised - zero) * scale; }
  /// Of int8 or uint8.
  ByteScale Bytes(DType dtype) const;
  /// In the precision of float, as it is defined.
  double Quantised(double real, const IntegerRange& range) const;
};

/// The elements as the real numbers they stand for.
Doubles RealsOf(const Tensor& tensor, const Quantizer& quantizer);

/// What each byte of one type becomes.
using ByteTable = std::array<std::uint8_t, 256>;

/// Of the numbers `from` gives the bytes of `dtype`, as `of` (double to double) makes them and
/// `to` quantises them.
template <class F>
ByteTable TableOf(DType dtype, const Quantizer& from, const Quantizer& to, F&& of) {
  std::array<float, 256> reals = {};
  for (int i = 0; i < 256; ++i) {
    reals[At(i)] =
        static_cast<float>(of(from.Real(dtype == DType::kInt8 && i > 127 ? i - 256 : i)));
  }
  ByteTable table = {};
  QuantizeToBytes(reals, to.Bytes(dtype), table.data());
  return table;
}

/// Stores real numbers quantised, as many as `to` has elements.
Result<void> StoreQuantised(KernelContext& context, Doubles reals, const Quantizer& quantizer,
                            Tensor& to);

inline constexpr DTypeSet kQLinearTypes = Types({DType::kInt8, DType::kUint8});

/// A row of com.microsoft whose type variable T is one of kQLinearTypes.
consteval OpDef QLinearRow(std::string_view type, std::string_view signature,
                           std::string_view attributes, Result<Facts> (*infer)(const NodeFacts&),
                           std::span<const Kernel> kernels) {
  return {.type = type,
          .domain = "com.microsoft",
          .signature = signature,
          .types = kT<kQLinearTypes>,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

}  // namespace slipway::runtime
