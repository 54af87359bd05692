// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/resample.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/message.h"

namespace slipway::runtime {
namespace {

/// Where output position `x` lies on the input axis.
double Original(const ResampleRule& rule, const ResampleAxis& axis, double x) {
  const auto in = static_cast<double>(axis.in);
  const double resized = axis.scale * in;
  const double half_pixel = (x + 0.5) / axis.scale - 0.5;
  switch (rule.coordinates) {
    case CoordinateMode::kHalfPixel:
      return half_pixel;
    case CoordinateMode::kHalfPixelSymmetric:
      return in / 2 * (1 - static_cast<double>(axis.out) / resized) + half_pixel;
    case CoordinateMode::kPytorchHalfPixel:
      return axis.out == 1 ? -0.5 : half_pixel;
    case CoordinateMode::kAlignCorners:
      return resized == 1 || axis.out == 1 ? 0 : x * (in - 1) / (resized - 1);
    case CoordinateMode::kAsymmetric:
      return x / axis.scale;
    case CoordinateMode::kTfHalfPixelForNn:
      return (x + 0.5) / axis.scale;
    case CoordinateMode::kTfCropAndResize: {
      const double length = axis.roi_end - axis.roi_start;
      const double offset = axis.out == 1
                                ? length * (in - 1) / 2
                                : x * length * (in - 1) / static_cast<double>(axis.out - 1);
      return axis.roi_start * (in - 1) + offset;
    }
  }
  return x;
}

bool RoundsUp(NearestMode mode, double ratio) {
  switch (mode) {
    case NearestMode::kRoundPreferFloor:
      return ratio > 0.5;
    case NearestMode::kRoundPreferCeil:
      return ratio >= 0.5;
    case NearestMode::kFloor:
      return ratio >= 1;
    case NearestMode::kCeil:
      return true;
  }
  return false;
}

/// Keys' kernel. Source: ieeexplore.ieee.org/document/1163711
double Cubic(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

/// Which neighbours count: their offsets from the position left of the point, and how far the
/// kernel is stretched.
struct Footprint {
  std::int64_t first = 0, count = 1;
  double stretch = 1;
};

Footprint FootprintOf(const ResampleRule& rule, double scale) {
  if (rule.mode == ResampleMode::kNearest) return {};
  const double radius = rule.mode == ResampleMode::kLinear ? 1 : 2;
  const double stretch = rule.antialias ? std::min(scale, 1.0) : 1;
  const auto first = static_cast<std::int64_t>(std::floor(-radius / stretch)) + 1;
  return {.first = first, .count = 2 - 2 * first, .stretch = stretch};
}

double WeightOf(const ResampleRule& rule, double distance) {
  return rule.mode == ResampleMode::kLinear ? std::clamp(1 - std::abs(distance), 0.0, 1.0)
                                            : Cubic(distance, rule.cubic_a);
}

}  // namespace

Result<ResampleMode> ResampleModeFrom(std::string_view word) {
  if (word == "nearest") return ResampleMode::kNearest;
  if (word == "linear" || word == "bilinear") return ResampleMode::kLinear;
  if (word == "cubic") return ResampleMode::kCubic;
  return Invalid("attribute `mode` is `", word, "`, none of nearest, linear, cubic");
}

Result<NearestMode> NearestModeFrom(std::string_view word) {
  if (word == "round_prefer_floor") return NearestMode::kRoundPreferFloor;
  if (word == "round_prefer_ceil") return NearestMode::kRoundPreferCeil;
  if (word == "floor") return NearestMode::kFloor;
  if (word == "ceil") return NearestMode::kCeil;
  return Invalid("attribute `nearest_mode` is `", word,
                 "`, none of round_prefer_floor, round_prefer_ceil, floor, ceil");
}

Result<CoordinateMode> CoordinateModeFrom(std::string_view word) {
  if (word == "half_pixel") return CoordinateMode::kHalfPixel;
  if (word == "half_pixel_symmetric") return CoordinateMode::kHalfPixelSymmetric;
  if (word == "pytorch_half_pixel") return CoordinateMode::kPytorchHalfPixel;
  if (word == "align_corners") return CoordinateMode::kAlignCorners;
  if (word == "asymmetric") return CoordinateMode::kAsymmetric;
  if (word == "tf_half_pixel_for_nn") return CoordinateMode::kTfHalfPixelForNn;
  if (word == "tf_crop_and_resize") return CoordinateMode::kTfCropAndResize;
  return Invalid("attribute `coordinate_transformation_mode` is `", word,
                 "`, which no version of Resize has");
}

ResampleTable MakeResampleTable(const ResampleRule& rule, const ResampleAxis& axis) {
  const Footprint footprint = FootprintOf(rule, axis.scale);
  ResampleTable table;
  table.taps = footprint.count;
  table.index.reserve(static_cast<std::size_t>(axis.out * footprint.count));
  table.weight.reserve(table.index.capacity());
  for (std::int64_t x = 0; x < axis.out; ++x) {
    const double at = Original(rule, axis, static_cast<double>(x));
    table.outside.push_back(rule.coordinates == CoordinateMode::kTfCropAndResize &&
                            (at < 0 || at > static_cast<double>(axis.in - 1)));
    // The position left of the point, which itself is at most one step to the right of it.
    const double left = std::ceil(std::clamp(at, -1e15, 1e15)) - 1;
    const double ratio = at - left;
    auto base = static_cast<std::int64_t>(left);
    if (rule.mode == ResampleMode::kNearest) {
      base += ratio == 1 || RoundsUp(rule.nearest, ratio) ? 1 : 0;
      table.index.push_back(std::clamp<std::int64_t>(base, 0, axis.in - 1));
      table.weight.push_back(1);
      continue;
    }
    double sum = 0;
    for (std::int64_t k = 0; k < footprint.count; ++k) {
      const std::int64_t offset = footprint.first + k;
      const std::int64_t index = base + offset;
      const bool counts = !rule.exclude_outside || (index >= 0 && index < axis.in);
      const double distance = (static_cast<double>(offset) - ratio) * footprint.stretch;
      const double weight = counts ? WeightOf(rule, distance) : 0;
      sum += weight;
      table.index.push_back(std::clamp<std::int64_t>(index, 0, axis.in - 1));
      table.weight.push_back(weight);
    }
    if (rule.antialias || rule.exclude_outside) {
      for (auto w = table.weight.end() - footprint.count; w != table.weight.end(); ++w) *w /= sum;
    }
  }
  return table;
}

}  // namespace slipway::runtime
