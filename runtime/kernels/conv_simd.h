// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

/// The inner loops of convolutions over images that lie row by row, in float32, with the widest
/// vectors this machine has. Thread-safe; they allocate nothing.
namespace slipway::runtime {

/// Fewer positions are no whole vector.
inline constexpr std::int64_t kLeastPositions = 16;

/// Numbers are held within these; what is no number stays so.
struct ConvBounds {
  float least = -std::numeric_limits<float>::infinity();
  float most = std::numeric_limits<float>::infinity();

  float Held(float number) const {
    const float above = number < least ? least : number;
    return above > most ? most : above;
  }
};

/// Positions [begin, end) of y[m, n] = w[m, k] * x[k, n] + bias[m] + z[m, n]; rows of x lie n
/// numbers apart, those of y `y_stride`, and those of z as those of y. y and z differ.
struct PointwiseRows {
  const float *w, *x;
  const float* bias = nullptr;  ///< null: 0
  const float* z = nullptr;     ///< null: 0
  float* y = nullptr;
  std::int64_t m = 0, k = 0, n = 0;  ///< n: at least kLeastPositions
  std::int64_t y_stride = 0;
  ConvBounds bounds = {};
};
/// Vectors of positions, as few as cover all n; the last two may overlap.
std::int64_t PointwiseVectors(std::int64_t n);
/// Computes the vectors [first, last) of them.
void RunPointwise(const PointwiseRows& rows, std::int64_t first, std::int64_t last);

/// One plane of a depthwise convolution: y[i, j] = sum over the window + bias + z[i, j].
struct DepthwisePlane {
  const float *x, *w;
  float bias = 0;
  const float* z = nullptr;  ///< null: 0
  float* y = nullptr;
  std::int64_t in_height = 0, in_width = 0, height = 0, width = 0;
  std::int64_t kernel = 0;    ///< 3, 5 or 7: rows and columns of the window
  std::int64_t stride = 0;    ///< 1 or 2, along both
  std::int64_t dilation = 1;  ///< along both
  std::int64_t pad_top = 0, pad_left = 0;
  ConvBounds bounds = {};
};
/// Numbers of working memory that a plane takes.
std::int64_t DepthwiseRoom(const DepthwisePlane& plane);
void RunDepthwise(const DepthwisePlane& plane, float* room);

/// A convolution with few channels of output, of stride 1: numbers of y[m, i, j] are sums over the
/// windows of all channels, + bias[m].
struct FewChannels {
  const float *x = nullptr, *w = nullptr;
  const float* bias = nullptr;  ///< null: 0
  float* y = nullptr;
  std::int64_t in_channels = 0, in_height = 0, in_width = 0;
  std::int64_t out_channels = 0;       ///< at most kMostFew
  std::int64_t height = 0, width = 0;  ///< width: at least kLeastPositions
  std::int64_t kernel_height = 0, kernel_width = 0;
  std::int64_t pad_top = 0, pad_left = 0;
  ConvBounds bounds = {};
};
inline constexpr std::int64_t kMostFew = 12;
/// Rows of output that are computed together.
inline constexpr std::int64_t kBandRows = 8;
/// Numbers of working memory that a band takes.
std::int64_t BandRoom(const FewChannels& conv);
/// Computes band `band` of rows.
void RunBand(const FewChannels& conv, std::int64_t band, float* room);

}  // namespace slipway::runtime
