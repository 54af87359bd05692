// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

/// One-dimensional resampling as Resize defines it; N dimensions are done one after another.
/// Source: https://onnx.ai/onnx/operators/onnx__Resize.html
namespace slipway::runtime {

enum class ResampleMode : std::uint8_t { kNearest, kLinear, kCubic };
enum class NearestMode : std::uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
enum class CoordinateMode : std::uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNn,
  kTfCropAndResize,
};

/// By the standard's words; kInvalidArgument naming the word.
Result<ResampleMode> ResampleModeFrom(std::string_view word);
Result<NearestMode> NearestModeFrom(std::string_view word);
Result<CoordinateMode> CoordinateModeFrom(std::string_view word);

struct ResampleRule {
  ResampleMode mode = ResampleMode::kNearest;
  NearestMode nearest = NearestMode::kRoundPreferFloor;
  CoordinateMode coordinates = CoordinateMode::kHalfPixel;
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
};

/// One axis to resample.
struct ResampleAxis {
  std::int64_t in = 0, out = 0;
  double scale = 1;                   ///< out per in, before `out` was rounded
  double roi_start = 0, roi_end = 1;  ///< for kTfCropAndResize
};

/// For each of the `out` positions of an axis, the `taps` positions it is made of.
struct ResampleTable {
  std::int64_t taps = 1;
  std::vector<std::int64_t> index;  ///< [out, taps], inside [0, in)
  std::vector<double> weight;       ///< [out, taps]
  std::vector<bool> outside;        ///< [out]: takes the extrapolation value
};

/// `axis.in` and `axis.out` are not 0.
ResampleTable MakeResampleTable(const ResampleRule& rule, const ResampleAxis& axis);

}  // namespace slipway::runtime
