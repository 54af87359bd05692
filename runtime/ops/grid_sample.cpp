// SPDX-License-Identifier: Apache-2.0
// GridSample (opsets 16, 20 (any rank), 22), AffineGrid (20).
// Spec: https://onnx.ai/onnx/operators/onnx__GridSample.html, onnx__AffineGrid.html
// Strings and bools are sampled by `nearest` alone.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <string>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/sampling.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

enum class Mode : std::uint8_t { kNearest, kLinear, kCubic };
enum class Padding : std::uint8_t { kZeros, kBorder, kReflection };

struct Options {
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;
};

Result<Options> OptionsOf(const NodeFacts& node) {
  Options options;
  const bool old = node.op->since < 20;
  const std::string_view mode = node.attributes.String("mode", "");
  if (mode == "nearest") {
    options.mode = Mode::kNearest;
  } else if (mode == (old ? "bicubic" : "cubic")) {
    options.mode = Mode::kCubic;
  } else if (mode != (old ? "bilinear" : "linear")) {
    return Invalid("attribute `mode` is `", mode, "`, which is none of its values");
  }
  const std::string_view padding = node.attributes.String("padding_mode", "");
  if (padding == "border") {
    options.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    options.padding = Padding::kReflection;
  } else if (padding != "zeros") {
    return Invalid("attribute `padding_mode` is `", padding, "`, which is none of its values");
  }
  options.align_corners = node.attributes.Int("align_corners", 0) != 0;
  return options;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Options options = TRY(OptionsOf(node));
  const Shape& x = node.shape(0);
  const Shape& grid = node.shape(1);
  const bool fits = x.size() >= 3 && grid.size() == x.size() && grid[0] == x[0] &&
                    grid.back() == RankOf(x) - 2 && (node.op->since >= 20 || x.size() == 4);
  if (!fits) return Invalid("a grid of ", grid, " does not sample an input of ", x);
  const bool counted = (kNumericTypesB | kComplexTypes).Has(node.dtype(0));
  if (options.mode != Mode::kNearest && !counted) {
    return Invalid("elements of ", node.dtype(0), " cannot be interpolated");
  }
  Shape shape{x[0], x[1]};
  shape.insert(shape.end(), grid.begin() + 1, grid.end() - 1);
  if (CountOf(shape, 0, shape.size()) > 0 && CountOf(x, 2, x.size()) == 0) {
    return Invalid("input of ", x, " has nothing to sample");
  }
  return Facts{TensorFacts(node.dtype(0), shape)};
}

/// `x` mirrored at both borders until it is within.
double Reflected(double x, double low, double high) {
  const double range = high - low;
  if (!(range > 0) || !std::isfinite(x)) return 0;
  const double distance = std::fmod(std::abs(x - low), 2 * range);
  return distance > range ? high - (distance - range) : low + distance;
}

/// One dimension of the input.
struct Axis {
  std::int64_t dim = 1;
  Options options;

  double low() const { return options.align_corners ? 0.0 : -0.5; }
  double high() const { return static_cast<double>(dim) - (options.align_corners ? 1.0 : 0.5); }

  /// Where a normalised coordinate lies, in elements; computed in the coordinate's own type.
  template <class T>
  double Position(T normalised) const {
    const T length = static_cast<T>(dim);
    T x = options.align_corners ? (normalised + 1) / 2 * (length - 1)
                                : ((normalised + 1) * length - 1) / 2;
    if (options.mode == Mode::kNearest) x = std::nearbyint(x);
    const auto position = static_cast<double>(x);
    if (position >= low() && position <= high()) return position;
    if (options.padding == Padding::kZeros) return position;
    if (options.padding == Padding::kReflection) return Reflected(position, low(), high());
    // Neighbours are put at the border one by one; beyond three elements it is all that there is.
    const double room = options.mode == Mode::kCubic ? 3 : 0;
    const double last = static_cast<double>(dim - 1);
    return std::isnan(position) ? 0.0 : std::clamp(position, -room, last + room);
  }

  /// Adds a neighbour, which the padding may put elsewhere or drop.
  void Add(WeightedTaps& taps, std::int64_t index, double weight) const {
    if (index >= 0 && index < dim) {
      AddTap(taps, index, weight);
    } else if (options.padding == Padding::kBorder) {
      AddTap(taps, std::clamp<std::int64_t>(index, 0, dim - 1), weight);
    } else if (options.padding == Padding::kReflection) {
      const auto inside =
          static_cast<std::int64_t>(Reflected(static_cast<double>(index), low(), high()));
      AddTap(taps, std::clamp<std::int64_t>(inside, 0, dim - 1), weight);
    }
  }

  void Taps(double position, WeightedTaps& taps) const {
    taps.clear();
    if (!(position > -4 && position < static_cast<double>(dim) + 4)) return;
    const double floor = std::floor(position);
    const auto low_index = static_cast<std::int64_t>(floor);
    const double rest = position - floor;
    if (options.mode == Mode::kNearest) {
      Add(taps, low_index, 1);
    } else if (options.mode == Mode::kLinear) {
      Add(taps, low_index, 1 - rest);
      Add(taps, low_index + 1, rest);
    } else {
      for (std::int64_t i = -1; i <= 2; ++i) {
        Add(taps, low_index + i, CubicWeight(std::abs(rest - static_cast<double>(i))));
      }
    }
  }

 private:
  /// Keys' convolution kernel at that distance.
  static double CubicWeight(double x) {
    constexpr double kA = -0.75;
    if (x <= 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
    return x < 2 ? ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA : 0;
  }
};

/// Truncated where T is an integer.
template <class T>
T Stored(double sum) {
  if constexpr (std::is_integral_v<T>) {
    if (std::isnan(sum)) return 0;
    const auto least = static_cast<double>(std::numeric_limits<T>::lowest());
    const auto most = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(sum, least, sizeof(T) < 8 ? most : std::nextafter(most, 0)));
  } else {
    return static_cast<T>(sum);
  }
}

template <class T>
T SumOf(const T* plane, const WeightedTaps& taps) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    std::complex<double> sum = 0;
    for (const WeightedTap& tap : taps) sum += tap.weight * std::complex<double>(plane[tap.index]);
    return static_cast<T>(sum);
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>) {
    return taps.empty() ? T() : plane[taps[0].index];
  } else {
    double sum = 0;
    for (const WeightedTap& tap : taps) {
      sum += tap.weight * static_cast<double>(static_cast<Compute<T>>(plane[tap.index]));
    }
    return Stored<T>(sum);
  }
}

/// Where every point of the grid is sampled.
class Sampler {
 public:
  Sampler(const Tensor& x, const Tensor& grid, const Options& options)
      : dims_(x.shape().begin() + 2, x.shape().end()),
        grid_(DoublesOf(&grid)),
        wide_(grid.dtype() == DType::kFloat64) {
    for (const std::int64_t dim : dims_) axes_.push_back({.dim = dim, .options = options});
  }

  void TapsOf(std::int64_t point, std::vector<WeightedTaps>& per_axis, WeightedTaps& taps) const {
    const double* at = grid_.data() + point * RankOf(dims_);
    per_axis.resize(axes_.size());
    for (std::size_t d = 0; d < axes_.size(); ++d) {
      const double given = at[axes_.size() - 1 - d];
      const double position =
          wide_ ? axes_[d].Position(given) : axes_[d].Position(static_cast<float>(given));
      axes_[d].Taps(position, per_axis[d]);
    }
    CombineTaps(per_axis, dims_, taps);
  }

 private:
  Shape dims_;
  Doubles grid_;
  bool wide_;
  std::vector<Axis> axes_;
};

using SampledList =
    decltype(NumericList() +
             TypeList<std::complex<float>, std::complex<double>, bool, std::string>());

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const Sampler sampler(x, *context.input(1), TRY(OptionsOf(node)));
  const std::int64_t channels = x.dim(1);
  const std::int64_t plane = CountOf(x.shape(), 2, x.shape().size());
  const std::int64_t points = CountOf(y.shape(), 2, y.shape().size());
  return Dispatch(SampledList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = y.data<T>().data();
    context.ParallelFor(x.dim(0) * points, 256, [&](std::int64_t begin, std::int64_t end) {
      std::vector<WeightedTaps> per_axis;
      WeightedTaps taps;
      for (std::int64_t i = begin; i < end; ++i) {
        sampler.TapsOf(i, per_axis, taps);
        for (std::int64_t c = 0; c < channels; ++c) {
          const std::int64_t at = i / points * channels + c;
          out[at * points + i % points] = SumOf(in + at * plane, taps);
        }
      }
    });
  });
}

Result<Facts> InferAffine(const NodeFacts& node) {
  const Shape& theta = node.shape(0);
  TRY(CheckVector(node, 1, "size"));
  const bool plane = theta.size() == 3 && theta[1] == 2 && theta[2] == 3;
  const bool volume = theta.size() == 3 && theta[1] == 3 && theta[2] == 4;
  if (!plane && !volume) return Invalid("theta of ", theta, " is neither [N,2,3] nor [N,3,4]");
  const auto size = ConstantInts(node, 1);
  if (!size) return Facts{TensorFacts(node.dtype(0))};
  if (RankOf(*size) != theta[1] + 2 || (*size)[0] != theta[0]) {
    return Invalid("size ", *size, " does not fit theta of ", theta);
  }
  Shape shape{theta[0]};
  shape.insert(shape.end(), size->begin() + 2, size->end());
  shape.push_back(theta[1]);
  TRY(ElementCount(shape));
  return Facts{TensorFacts(node.dtype(0), shape)};
}

/// Coordinate `index` of `count` evenly spaced ones from -1 to 1.
double Spaced(std::int64_t index, std::int64_t count, bool align_corners) {
  if (align_corners) {
    return count == 1 ? -1.0 : -1 + 2 * static_cast<double>(index) / static_cast<double>(count - 1);
  }
  return -1 + (2 * static_cast<double>(index) + 1) / static_cast<double>(count);
}

Result<void> RunAffine(const NodeFacts& node, KernelContext& context) {
  const Tensor& theta = *context.input(0);
  const std::vector<std::int64_t> size = IntsOf(context.input(1));
  const auto spatial = At(theta.dim(1));
  if (size.size() != spatial + 2 || size[0] != theta.dim(0)) {
    return Invalid("size ", size, " does not fit theta of ", theta.shape());
  }
  Shape shape{size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(theta.dim(1));
  Tensor* grid = TRY(OutputOf(node, context, 0, theta.dtype(), shape));
  const bool corners = node.attributes.Int("align_corners", 0) != 0;
  const Doubles rows = DoublesOf(&theta);
  Doubles out(At(grid->size()));
  const std::int64_t points = CountOf(shape, 1, spatial + 1);
  Doubles point(spatial + 1, 1.0);
  for (std::size_t at = 0; at < out.size(); ++at) {
    const std::size_t row = at % spatial;
    const auto position = static_cast<std::int64_t>(at / spatial);
    std::int64_t rest = position % points;
    for (std::size_t d = spatial; d-- > 0;) {
      point[spatial - 1 - d] = Spaced(rest % shape[d + 1], shape[d + 1], corners);
      rest /= shape[d + 1];
    }
    const std::size_t matrix = (At(position / points) * spatial + row) * (spatial + 1);
    for (std::size_t i = 0; i <= spatial; ++i) out[at] += rows[matrix + i] * point[i];
  }
  return StoreDoubles(context, out, *grid);
}

constexpr Kernel kSample[] = {{.name = "grid_sample", .run = Run}};
constexpr Kernel kAffine[] = {{.name = "affine_grid", .run = RunAffine}};

consteval OpDef Sample(int since, std::span<const TypeRule> types) {
  return {.type = "GridSample",
          .since = since,
          .signature = "X:T1, grid:T2 -> Y:T1",
          .types = types,
          .attributes = since < 20
                            ? "align_corners:int=0, mode:string=bilinear, padding_mode:string=zeros"
                            : "align_corners:int=0, mode:string=linear, padding_mode:string=zeros",
          .infer = Infer,
          .kernels = kSample};
}

}  // namespace

OpList ops_grid_sample() {
  static constexpr auto kOps = Versions({
      Sample(16, kT1T2<kClassicTypes, kFloatTypes>),
      Sample(20, kT1T2<kClassicTypes, kFloatTypes>),
      Sample(22, kT1T2<kTypes13, kFloatTypesB>),
      OpDef{.type = "AffineGrid",
            .since = 20,
            .signature = "theta:T1, size:int64 -> grid:T1",
            .types = kT1T2<kFloatTypesB, kInt64Type>,
            .attributes = "align_corners:int=0",
            .infer = InferAffine,
            .kernels = kAffine},
  });
  return kOps;
}

}  // namespace slipway::runtime
