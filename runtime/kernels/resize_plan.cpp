// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/limits.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/resize.h"

namespace slipway::runtime {
namespace {

template <class E>
struct Named {
  std::string_view name;
  E value;
};

template <class E, std::size_t N>
Result<E> Choose(const NodeFacts& node, std::string_view attribute, const Named<E> (&choices)[N]) {
  const std::string_view text = node.attributes.String(attribute, choices[0].name);
  for (const Named<E>& choice : choices) {
    if (choice.name == text) return choice.value;
  }
  return Invalid("attribute `", attribute, "` is `", text, "`, which is none of its values");
}

constexpr Named<ResizeMode> kModes[] = {{"nearest", ResizeMode::kNearest},
                                        {"linear", ResizeMode::kLinear},
                                        {"bilinear", ResizeMode::kLinear},
                                        {"cubic", ResizeMode::kCubic}};
constexpr Named<ResizeCoordinates> kCoordinates[] = {
    {"half_pixel", ResizeCoordinates::kHalfPixel},
    {"half_pixel_symmetric", ResizeCoordinates::kHalfPixelSymmetric},
    {"pytorch_half_pixel", ResizeCoordinates::kPytorchHalfPixel},
    {"align_corners", ResizeCoordinates::kAlignCorners},
    {"asymmetric", ResizeCoordinates::kAsymmetric},
    {"tf_crop_and_resize", ResizeCoordinates::kCropAndResize},
    {"tf_half_pixel_for_nn", ResizeCoordinates::kHalfPixelForNearest}};
constexpr Named<ResizeRounding> kRoundings[] = {
    {"round_prefer_floor", ResizeRounding::kPreferFloor},
    {"round_prefer_ceil", ResizeRounding::kPreferCeil},
    {"floor", ResizeRounding::kFloor},
    {"ceil", ResizeRounding::kCeil}};
constexpr Named<ResizeAspect> kAspects[] = {{"stretch", ResizeAspect::kStretch},
                                            {"not_larger", ResizeAspect::kNotLarger},
                                            {"not_smaller", ResizeAspect::kNotSmaller}};

/// How one dimension is resampled.
struct Line {
  std::int64_t in = 1, out = 1;
  double length = 1;  ///< of the output, before it was rounded to `out`
  double scale = 1, roi_begin = 0, roi_end = 1;
};

double Original(ResizeCoordinates coordinates, const Line& line, double x) {
  const auto in = static_cast<double>(line.in);
  const auto out = static_cast<double>(line.out);
  switch (coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return (x + 0.5) / line.scale - 0.5;
    case ResizeCoordinates::kHalfPixelSymmetric: {
      const double adjustment = out / line.length;
      return in / 2 * (1 - adjustment) + (x + 0.5) / line.scale - 0.5;
    }
    case ResizeCoordinates::kPytorchHalfPixel:
      return line.length > 1 ? (x + 0.5) / line.scale - 0.5 : 0;
    case ResizeCoordinates::kAlignCorners:
      return line.length != 1 ? x * (in - 1) / (line.length - 1) : 0;
    case ResizeCoordinates::kAsymmetric:
      return x / line.scale;
    case ResizeCoordinates::kCropAndResize:
      if (line.length == 1) return 0.5 * (line.roi_begin + line.roi_end) * (in - 1);
      return line.roi_begin * (in - 1) +
             x * (line.roi_end - line.roi_begin) * (in - 1) / (line.length - 1);
    case ResizeCoordinates::kHalfPixelForNearest:
      return (x + 0.5) / line.scale;
  }
  return x;
}

double Rounded(ResizeRounding rounding, double scale, double x) {
  switch (rounding) {
    case ResizeRounding::kPreferFloor:
      return std::ceil(x - 0.5);
    case ResizeRounding::kPreferCeil:
      return std::floor(x + 0.5);
    case ResizeRounding::kFloor:
      return std::floor(x);
    case ResizeRounding::kCeil:
      return std::ceil(x);
    case ResizeRounding::kFirstVersion:
      // Quotients of a rounded scale must not fall beyond the number that was meant.
      return scale < 1 ? std::ceil(static_cast<double>(static_cast<float>(x))) : std::floor(x);
  }
  return x;
}

double CubicWeight(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Taps of one output position: `ratio` in (0, 1] past the position before the first half.
std::vector<double> WeightsAt(const ResizeOptions& options, double scale, double ratio) {
  const bool cubic = options.mode == ResizeMode::kCubic;
  const double shrink = options.antialias ? std::min(scale, 1.0) : 1.0;
  const double radius = cubic ? 2 : 1;
  const auto start = static_cast<std::int64_t>(std::floor(-radius / shrink)) + 1;
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t i = start; i < 2 - start; ++i) {
    const double x = (static_cast<double>(i) - ratio) * shrink;
    const double weight =
        cubic ? CubicWeight(x, options.cubic_a) : std::clamp(1 - std::abs(x), 0.0, 1.0);
    weights.push_back(weight);
    sum += weight;
  }
  if (options.antialias) {
    for (double& weight : weights) weight /= sum;
  }
  return weights;
}

void AddPosition(const ResizeOptions& options, const Line& line, double original,
                 ResizeAxis& axis) {
  const double most = static_cast<double>(line.in - 1);
  if (options.mode == ResizeMode::kNearest) {
    const double index = std::clamp(Rounded(options.rounding, line.scale, original), 0.0, most);
    axis.indices.push_back(static_cast<std::int64_t>(index));
    axis.taps = 1;
    return;
  }
  const double reach = static_cast<double>(line.in) * 4 + 16;
  original = std::clamp(original, -reach, reach);
  const double floor = std::floor(original);
  const double ratio = original == floor ? 1 : original - floor;
  std::vector<double> weights = WeightsAt(options, line.scale, ratio);
  axis.taps = static_cast<std::int64_t>(weights.size());
  const std::int64_t first =
      static_cast<std::int64_t>(ratio == 1 ? floor - 1 : floor) - axis.taps / 2 + 1;
  double kept = 0;
  for (std::int64_t i = 0; i < axis.taps; ++i) {
    const bool inside = first + i >= 0 && first + i < line.in;
    if (!inside && options.exclude_outside) weights[At(i)] = 0;
    kept += weights[At(i)];
  }
  for (std::int64_t i = 0; i < axis.taps; ++i) {
    axis.indices.push_back(std::clamp<std::int64_t>(first + i, 0, line.in - 1));
    const double weight = options.exclude_outside ? weights[At(i)] / kept : weights[At(i)];
    axis.weights.push_back(static_cast<float>(weight));
  }
}

ResizeAxis PlanAxis(const ResizeOptions& options, std::size_t number, const Line& line) {
  ResizeAxis axis{.axis = number};
  const bool crops = options.coordinates == ResizeCoordinates::kCropAndResize;
  for (std::int64_t i = 0; i < line.out; ++i) {
    const double original = Original(options.coordinates, line, static_cast<double>(i));
    const bool outside = crops && (original < 0 || original > static_cast<double>(line.in - 1));
    axis.outside.push_back(outside);
    AddPosition(options, line, original, axis);
  }
  return axis;
}

Result<std::int64_t> ScaledSize(std::int64_t in, double scale) {
  const float size = std::floor(static_cast<float>(in) * static_cast<float>(scale));
  if (!(scale > 0) || !(size >= 0 && size < 1e15F)) {
    return Invalid("scale ", static_cast<float>(scale), " does not fit a dimension of ", in);
  }
  return static_cast<std::int64_t>(size);
}

/// Sizes asked for, made to keep the ratio of the dimensions where the policy says so.
Result<void> ApplySizes(const ResizeOptions& options, const std::vector<std::int64_t>& sizes,
                        std::vector<Line*>& lines) {
  double common = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (sizes[i] < 0 || sizes[i] > limits::kTensorBytes) return Invalid("sizes ", sizes);
    lines[i]->out = sizes[i];
    lines[i]->length = static_cast<double>(sizes[i]);
    lines[i]->scale = static_cast<double>(sizes[i]) / static_cast<double>(lines[i]->in);
    const bool first = i == 0;
    if (options.aspect == ResizeAspect::kNotLarger) {
      common = first ? lines[i]->scale : std::min(common, lines[i]->scale);
    } else {
      common = first ? lines[i]->scale : std::max(common, lines[i]->scale);
    }
  }
  if (options.aspect == ResizeAspect::kStretch) return {};
  for (Line* line : lines) {
    line->scale = common;
    line->length = common * static_cast<double>(line->in);
    line->out = static_cast<std::int64_t>(std::floor(common * static_cast<double>(line->in) + 0.5));
  }
  return {};
}

Result<std::vector<double>> DoublesOf(const Tensor& tensor) {
  std::vector<double> values;
  TRY(Dispatch(FloatList{}, tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (const T& x : tensor.data<T>()) values.push_back(static_cast<double>(x));
  }));
  return values;
}

Result<std::vector<Line>> LinesOf(const NodeFacts& node, const ResizeOptions& options,
                                  const Shape& shape, const ResizeInputs& inputs) {
  std::vector<std::int64_t> axes(shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = TRY(NormalizeAxes(node.attributes.Ints("axes", std::move(axes)), RankOf(shape)));
  std::vector<Line> lines(shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    lines[d] = {.in = shape[d], .out = shape[d], .length = static_cast<double>(shape[d])};
  }
  std::vector<Line*> chosen;
  for (const std::int64_t axis : axes) chosen.push_back(&lines[At(axis)]);
  if (inputs.scales.empty() == inputs.sizes.empty()) {
    return Invalid("exactly one of scales and sizes must be given");
  }
  if (std::max(inputs.scales.size(), inputs.sizes.size()) != axes.size()) {
    return Invalid("scales or sizes are not one for each of ", axes.size(), " axes");
  }
  if (options.coordinates == ResizeCoordinates::kCropAndResize) {
    if (inputs.roi.size() != 2 * axes.size()) {
      return Invalid("roi has ", inputs.roi.size(), " elements for ", axes.size(), " axes");
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
      chosen[i]->roi_begin = inputs.roi[i];
      chosen[i]->roi_end = inputs.roi[axes.size() + i];
    }
  }
  for (std::size_t i = 0; i < inputs.scales.size(); ++i) {
    chosen[i]->scale = inputs.scales[i];
    chosen[i]->length = inputs.scales[i] * static_cast<double>(chosen[i]->in);
    chosen[i]->out = TRY(ScaledSize(chosen[i]->in, inputs.scales[i]));
  }
  if (!inputs.sizes.empty()) TRY(ApplySizes(options, inputs.sizes, chosen));
  return lines;
}

}  // namespace

Result<ResizeOptions> ResizeOptionsOf(const NodeFacts& node) {
  ResizeOptions options;
  options.mode = TRY(Choose(node, "mode", kModes));
  if (node.op->type == "Upsample") return options;
  if (node.op->since < 11) {
    options.rounding = ResizeRounding::kFirstVersion;
    return options;
  }
  options.coordinates = TRY(Choose(node, "coordinate_transformation_mode", kCoordinates));
  options.rounding = TRY(Choose(node, "nearest_mode", kRoundings));
  options.aspect = TRY(Choose(node, "keep_aspect_ratio_policy", kAspects));
  options.antialias = node.attributes.Int("antialias", 0) != 0;
  options.exclude_outside = node.attributes.Int("exclude_outside", 0) != 0;
  options.cubic_a = node.attributes.Float("cubic_coeff_a", -0.75F);
  options.extrapolation = node.attributes.Float("extrapolation_value", 0);
  return options;
}

Result<void> ReadResizeInputs(const NodeFacts& node,
                              const std::function<const Tensor*(std::size_t)>& tensor,
                              ResizeInputs& inputs) {
  if (node.op->type == "Upsample" && node.op->since == 1) {
    inputs.scales = {1, 1, node.attributes.Float("height_scale", 1),
                     node.attributes.Float("width_scale", 1)};
    return {};
  }
  if (node.op->type == "Upsample" && node.op->since < 9) {
    const auto scales = node.attributes.Floats("scales");
    inputs.scales.assign(scales.begin(), scales.end());
    return {};
  }
  const bool has_roi = node.op->since >= 11;
  if (has_roi) {
    if (const Tensor* roi = tensor(1)) inputs.roi = TRY(DoublesOf(*roi));
    inputs.sizes = IntsOf(tensor(3));
  }
  if (const Tensor* scales = tensor(has_roi ? 2 : 1)) inputs.scales = TRY(DoublesOf(*scales));
  return {};
}

Result<ResizePlan> PlanResize(const NodeFacts& node, const Shape& shape,
                              const ResizeInputs& inputs) {
  ResizePlan plan;
  plan.options = TRY(ResizeOptionsOf(node));
  const std::vector<Line> lines = TRY(LinesOf(node, plan.options, shape, inputs));
  for (const Line& line : lines) plan.output.push_back(line.out);
  const std::int64_t count = TRY(ElementCount(plan.output));
  if (count > limits::kTensorBytes) return Invalid("the output of ", plan.output, " is too large");
  if (count == 0) return plan;
  const bool crops = plan.options.coordinates == ResizeCoordinates::kCropAndResize;
  for (std::size_t d = 0; d < lines.size(); ++d) {
    const Line& line = lines[d];
    if (line.in == 0 && line.out > 0) return Invalid("dimension ", d, " of ", shape, " is empty");
    const bool whole = !crops || (line.roi_begin == 0 && line.roi_end == 1);
    if (line.scale == 1 && line.in == line.out && whole) continue;
    plan.axes.push_back(PlanAxis(plan.options, d, line));
  }
  return plan;
}

}  // namespace slipway::runtime
