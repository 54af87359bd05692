// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "runtime/tensor.h"

/// The floats of 8, 6 and 4 bits. Source: ONNX Cast, "Float 8 types"; OCP microscaling formats.
namespace slipway::runtime {

enum class ScaleRounding : std::uint8_t { kUp, kDown, kNearest };

struct MiniOptions {
  bool saturate = true;                         ///< too large becomes the largest number
  ScaleRounding rounding = ScaleRounding::kUp;  ///< of float8e8m0 alone; the others round to even
};

/// Whether `dtype` is one of them.
bool IsMiniFloat(DType dtype);
float DecodeMini(DType dtype, std::uint8_t bits);
std::uint8_t EncodeMini(DType dtype, float value, const MiniOptions& options = {});

}  // namespace slipway::runtime
