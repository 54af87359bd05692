// SPDX-License-Identifier: Apache-2.0
// RoiAlign (opsets 10, 16, 22), MaxRoiPool (1, 22).
// Spec: https://onnx.ai/onnx/operators/onnx__RoiAlign.html, onnx__MaxRoiPool.html
// RoiAlign's `max` is that of the weighted neighbours, as the reference implementation has it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/limits.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/sampling.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

/// More samples than this in one direction of a bin are refused.
constexpr double kMostSamples = 1 << 12;

/// A region in elements of the feature map: its corner, and the size of one bin.
struct Region {
  double y = 0, x = 0, bin_height = 0, bin_width = 0;
  std::int64_t image = 0;
  std::int64_t samples_y = 0, samples_x = 0;  ///< per bin
};

struct AlignOptions {
  std::int64_t height = 1, width = 1, sampling = 0;
  double scale = 1;
  bool half_pixel = true, max = false;
};

Result<AlignOptions> AlignOptionsOf(const NodeFacts& node) {
  AlignOptions options{.height = node.attributes.Int("output_height", 1),
                       .width = node.attributes.Int("output_width", 1),
                       .sampling = node.attributes.Int("sampling_ratio", 0),
                       .scale = node.attributes.Float("spatial_scale", 1)};
  if (options.height < 1 || options.width < 1) {
    return Invalid("an output of ", Shape{options.height, options.width});
  }
  if (options.sampling < 0 || static_cast<double>(options.sampling) > kMostSamples) {
    return Invalid("attribute `sampling_ratio` is ", options.sampling);
  }
  const std::string_view mode = node.attributes.String("mode", "avg");
  options.max = mode == "max";
  if (!options.max && mode != "avg") {
    return Invalid("attribute `mode` is `", mode, "`, neither `avg` nor `max`");
  }
  const std::string_view coordinates =
      node.attributes.String("coordinate_transformation_mode", "output_half_pixel");
  options.half_pixel = coordinates == "half_pixel";
  if (!options.half_pixel && coordinates != "output_half_pixel") {
    return Invalid("attribute `coordinate_transformation_mode` is `", coordinates, "`");
  }
  return options;
}

Result<Facts> InferAlign(const NodeFacts& node) {
  const AlignOptions options = TRY(AlignOptionsOf(node));
  const Shape& x = node.shape(0);
  const Shape& rois = node.shape(1);
  if (x.size() != 4) return Invalid("input of ", x, " is not [N,C,H,W]");
  if (rois.size() != 2 || rois[1] != 4) return Invalid("regions of ", rois, " are not [count,4]");
  if (node.shape(2) != Shape{rois[0]}) {
    return Invalid("batch indices of ", node.shape(2), " for regions of ", rois);
  }
  return Facts{TensorFacts(node.dtype(0), {rois[0], x[1], options.height, options.width})};
}

Result<Region> RegionOf(std::span<const double> roi, std::int64_t image,
                        const AlignOptions& options, const Shape& x) {
  if (image < 0 || image >= x[0]) {
    return Invalid("batch index ", image, " out of range [0, ", x[0], ")");
  }
  const double shift = options.half_pixel ? 0.5 : 0;
  double height = (roi[3] - roi[1]) * options.scale;
  double width = (roi[2] - roi[0]) * options.scale;
  if (!options.half_pixel) {
    height = std::max(height, 1.0);
    width = std::max(width, 1.0);
  }
  Region region{.y = roi[1] * options.scale - shift,
                .x = roi[0] * options.scale - shift,
                .bin_height = height / static_cast<double>(options.height),
                .bin_width = width / static_cast<double>(options.width),
                .image = image,
                .samples_y = options.sampling,
                .samples_x = options.sampling};
  if (!std::isfinite(region.y + region.x + height + width)) {
    return Invalid("a region has a coordinate that is not finite");
  }
  if (options.sampling > 0) return region;
  if (region.bin_height > kMostSamples || region.bin_width > kMostSamples) {
    return Invalid("a region of ", static_cast<float>(height), " by ", static_cast<float>(width),
                   " elements is too large");
  }
  region.samples_y = static_cast<std::int64_t>(std::max(0.0, std::ceil(region.bin_height)));
  region.samples_x = static_cast<std::int64_t>(std::max(0.0, std::ceil(region.bin_width)));
  return region;
}

/// Adds the two neighbours of a sample's coordinate, also with no weight: they count for `max`. An
/// element and more outside nothing has weight.
void AddNeighbours(double position, std::int64_t dim, WeightedTaps& taps) {
  if (position < -1 || position > static_cast<double>(dim)) {
    taps.push_back({0, 0});
    return;
  }
  const auto low = std::min(static_cast<std::int64_t>(std::max(position, 0.0)), dim - 1);
  const double rest = low == dim - 1 ? 0 : std::max(position, 0.0) - static_cast<double>(low);
  taps.push_back({low, 1 - rest});
  taps.push_back({std::min(low + 1, dim - 1), rest});
}

/// The taps of all samples in one direction of bin number `bin`; joined where they are summed up.
void BinTaps(double start, double size, std::int64_t bin, std::int64_t samples, std::int64_t dim,
             bool joined, WeightedTaps& taps) {
  WeightedTaps all;
  for (std::int64_t i = 0; i < samples; ++i) {
    const double inside = (static_cast<double>(i) + 0.5) / static_cast<double>(samples);
    AddNeighbours(start + size * (static_cast<double>(bin) + inside), dim, all);
  }
  taps.clear();
  for (const WeightedTap& tap : all) {
    if (joined) {
      AddTap(taps, tap.index, tap.weight);
    } else {
      taps.push_back(tap);
    }
  }
}

template <class T>
double Pooled(const T* plane, std::int64_t width, const WeightedTaps& rows,
              const WeightedTaps& columns, double count, bool max) {
  if (rows.empty() || columns.empty()) return 0;
  double sum = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (const WeightedTap& row : rows) {
    for (const WeightedTap& column : columns) {
      const T value = plane[row.index * width + column.index];
      const double part =
          row.weight * column.weight * static_cast<double>(static_cast<Compute<T>>(value));
      sum += part;
      most = std::max(most, part);
    }
  }
  return max ? most : sum / count;
}

Result<void> RunAlign(const NodeFacts& node, KernelContext& context) {
  const AlignOptions options = TRY(AlignOptionsOf(node));
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  if (x.dim(2) == 0 || x.dim(3) == 0) return Invalid("input of ", x.shape(), " has no elements");
  const Doubles rois = DoublesOf(context.input(1));
  const auto images = context.input(2)->data<std::int64_t>();
  CountedVector<Region> regions;
  for (std::size_t i = 0; i < images.size(); ++i) {
    regions.push_back(
        TRY(RegionOf(std::span(rois).subspan(4 * i, 4), images[i], options, x.shape())));
  }
  const std::int64_t bins = options.height * options.width;
  const std::int64_t plane = x.dim(2) * x.dim(3);
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = y.data<T>().data();
    const auto count = static_cast<std::int64_t>(regions.size());
    context.ParallelFor(count * bins, 16, [&](std::int64_t begin, std::int64_t end) {
      WeightedTaps rows;
      WeightedTaps columns;
      for (std::int64_t i = begin; i < end; ++i) {
        const Region& region = regions[At(i / bins)];
        BinTaps(region.y, region.bin_height, i % bins / options.width, region.samples_y, x.dim(2),
                !options.max, rows);
        BinTaps(region.x, region.bin_width, i % options.width, region.samples_x, x.dim(3),
                !options.max, columns);
        const auto samples =
            static_cast<double>(std::max<std::int64_t>(1, region.samples_y * region.samples_x));
        for (std::int64_t c = 0; c < x.dim(1); ++c) {
          const T* from = in + (region.image * x.dim(1) + c) * plane;
          out[(i / bins * x.dim(1) + c) * bins + i % bins] =
              static_cast<T>(Pooled(from, x.dim(3), rows, columns, samples, options.max));
        }
      }
    });
  });
}

Result<Facts> InferPool(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const Shape& rois = node.shape(1);
  const auto pooled = node.attributes.Ints("pooled_shape", {});
  if (x.size() != 4) return Invalid("input of ", x, " is not [N,C,H,W]");
  if (rois.size() != 2 || rois[1] != 5) return Invalid("regions of ", rois, " are not [count,5]");
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1) {
    return Invalid("attribute `pooled_shape` is ", pooled);
  }
  return Facts{TensorFacts(node.dtype(0), {rois[0], x[1], pooled[0], pooled[1]})};
}

/// One direction of a region: where it starts and how large a bin is.
struct Span {
  double start = 0, bin = 1;

  static Span Of(double from, double to, double scale, std::int64_t bins) {
    const double start = std::round(from * scale);
    return {start, std::max(std::round(to * scale) - start + 1, 1.0) / static_cast<double>(bins)};
  }
  /// Edge number `edge` of the bins, inside [0, dim].
  std::int64_t Low(std::int64_t edge, std::int64_t dim) const {
    return Inside(std::floor(static_cast<double>(edge) * bin) + start, dim);
  }
  std::int64_t High(std::int64_t edge, std::int64_t dim) const {
    return Inside(std::ceil(static_cast<double>(edge) * bin) + start, dim);
  }

 private:
  static std::int64_t Inside(double edge, std::int64_t dim) {
    return static_cast<std::int64_t>(std::clamp(edge, 0.0, static_cast<double>(dim)));
  }
};

template <class T>
T MaxOf(const T* plane, std::int64_t width, std::int64_t top, std::int64_t bottom,
        std::int64_t left, std::int64_t right) {
  if (top >= bottom || left >= right) return static_cast<T>(0.0F);
  T most = plane[top * width + left];
  for (std::int64_t y = top; y < bottom; ++y) {
    for (std::int64_t x = left; x < right; ++x) {
      const T value = plane[y * width + x];
      if (static_cast<Compute<T>>(value) > static_cast<Compute<T>>(most)) most = value;
    }
  }
  return most;
}

Result<void> RunPool(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  const Doubles rois = DoublesOf(context.input(1));
  const double scale = node.attributes.Float("spatial_scale", 1);
  for (std::size_t i = 0; i < rois.size(); ++i) {
    const bool image = i % 5 == 0;
    const bool fits = image ? rois[i] >= 0 && rois[i] < static_cast<double>(x.dim(0))
                            : std::isfinite(rois[i] * scale);
    if (!fits) return Invalid("region ", i / 5, " names no image or has no finite corners");
  }
  return Dispatch(FloatList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = y.data<T>().data();
    for (std::size_t r = 0; r < rois.size(); r += 5) {
      const Span rows = Span::Of(rois[r + 2], rois[r + 4], scale, y.dim(2));
      const Span columns = Span::Of(rois[r + 1], rois[r + 3], scale, y.dim(3));
      const T* plane =
          x.data<T>().data() + static_cast<std::int64_t>(rois[r]) * x.dim(1) * x.dim(2) * x.dim(3);
      for (std::int64_t c = 0; c < x.dim(1); ++c, plane += x.dim(2) * x.dim(3)) {
        for (std::int64_t h = 0; h < y.dim(2); ++h) {
          for (std::int64_t w = 0; w < y.dim(3); ++w) {
            *out++ = MaxOf(plane, x.dim(3), rows.Low(h, x.dim(2)), rows.High(h + 1, x.dim(2)),
                           columns.Low(w, x.dim(3)), columns.High(w + 1, x.dim(3)));
          }
        }
      }
    }
  });
}

constexpr Kernel kAlign[] = {{.name = "roi_align", .run = RunAlign}};
constexpr Kernel kPool[] = {{.name = "max_roi_pool", .run = RunPool}};

consteval OpDef Align(int since, std::span<const TypeRule> types) {
  return {.type = "RoiAlign",
          .since = since,
          .signature = "X:T1, rois:T1, batch_indices:T2 -> Y:T1",
          .types = types,
          .attributes = since < 16
                            ? "mode:string=avg, output_height:int=1, output_width:int=1, "
                              "sampling_ratio:int=0, spatial_scale:float=1.0"
                            : "coordinate_transformation_mode:string=half_pixel, mode:string=avg, "
                              "output_height:int=1, output_width:int=1, sampling_ratio:int=0, "
                              "spatial_scale:float=1.0",
          .infer = InferAlign,
          .kernels = kAlign};
}

consteval OpDef Pool(int since, std::span<const TypeRule> types) {
  return {.type = "MaxRoiPool",
          .since = since,
          .signature = "X:T, rois:T -> Y:T",
          .types = types,
          .attributes = "pooled_shape!:ints, spatial_scale:float=1.0",
          .infer = InferPool,
          .kernels = kPool};
}

}  // namespace

OpList ops_roi() {
  static constexpr auto kOps = Versions({
      Align(10, kT1T2<kFloatTypes, kInt64Type>),
      Align(16, kT1T2<kFloatTypes, kInt64Type>),
      Align(22, kT1T2<kFloatTypesB, kInt64Type>),
      Pool(1, kT<kFloatTypes>),
      Pool(22, kT<kFloatTypesB>),
  });
  return kOps;
}

}  // namespace slipway::runtime
