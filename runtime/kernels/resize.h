// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/op.h"

/// Resampling, one dimension at a time. Source: ONNX Resize and its reference implementation.
namespace slipway::runtime {

enum class ResizeMode : std::uint8_t { kNearest, kLinear, kCubic };
enum class ResizeCoordinates : std::uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kCropAndResize,
  kHalfPixelForNearest,
};
/// kFirstVersion: of opset 10, whose only official example rounds up where a dimension shrinks.
enum class ResizeRounding : std::uint8_t {
  kPreferFloor,
  kPreferCeil,
  kFloor,
  kCeil,
  kFirstVersion,
};
enum class ResizeAspect : std::uint8_t { kStretch, kNotLarger, kNotSmaller };

struct ResizeOptions {
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kAsymmetric;
  ResizeRounding rounding = ResizeRounding::kFloor;
  ResizeAspect aspect = ResizeAspect::kStretch;
  bool antialias = false, exclude_outside = false;
  float cubic_a = -0.75F, extrapolation = 0;
};

/// The attributes, with what the version means where they are absent. kInvalidArgument naming
/// the attribute.
Result<ResizeOptions> ResizeOptionsOf(const NodeFacts& node);

/// What inputs, or attributes before opset 9, ask for; empty where absent.
struct ResizeInputs {
  std::vector<double> roi, scales;
  std::vector<std::int64_t> sizes;
};

/// Reads them through `tensor`, which gives the tensor of an input or null.
Result<void> ReadResizeInputs(const NodeFacts& node,
                              const std::function<const Tensor*(std::size_t)>& tensor,
                              ResizeInputs& inputs);

/// One dimension's part: each output position is a weighted sum of input positions.
struct ResizeAxis {
  std::size_t axis = 0;
  std::int64_t taps = 0;                   ///< per output position
  std::vector<std::int64_t> indices = {};  ///< `taps` for each position, inside the input
  std::vector<float> weights = {};         ///< as many; unused for nearest
  std::vector<bool> outside = {};          ///< positions that become the extrapolation value
};

struct ResizePlan {
  ResizeOptions options;
  Shape output;
  std::vector<ResizeAxis> axes;  ///< those that change anything
};

Result<ResizePlan> PlanResize(const NodeFacts& node, const Shape& shape,
                              const ResizeInputs& inputs);

/// Sets what lies outside of the region of interest.
Result<void> FillOutside(KernelContext& context, const ResizePlan& plan, Tensor& y);

/// Where sizes are known: indices and weights are made once, and float32 is interpolated in
/// vectors.
std::string DeclineResizePlanned(const NodeFacts& node);
Result<std::unique_ptr<Executable>> PrepareResizePlanned(const NodeFacts& node,
                                                         DeviceContext& device);

/// kUnimplemented for interpolation of strings and complex numbers.
Result<void> RunResize(KernelContext& context, const ResizePlan& plan, const Tensor& x, Tensor& y);

}  // namespace slipway::runtime
