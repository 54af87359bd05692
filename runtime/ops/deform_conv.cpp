// SPDX-License-Identifier: Apache-2.0
// DeformConv (opsets 19, 22). Spec: https://onnx.ai/onnx/operators/onnx__DeformConv.html
// For any number of spatial dimensions.
#include <algorithm>

#include "base/limits.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/sampling.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

struct Problem {
  Window window;
  std::int64_t batch = 0, channels = 0, filters = 0, group = 1, offset_group = 1;

  std::int64_t group_channels() const { return channels / group; }
  std::int64_t spatial() const { return RankOf(window.input); }
  /// Products per output element and sample column.
  std::int64_t column() const { return channels * window.kernel_size(); }
};

bool HasShape(const NodeFacts& node, std::size_t input, const Problem& p, std::int64_t channels) {
  return node.shape(input) == WithSpatial(p.batch, channels, p.window.output);
}

Result<Problem> ProblemOf(const NodeFacts& node) {
  const Shape& x = node.shape(0);
  const Shape& w = node.shape(1);
  const Shape spatial = TRY(SpatialOf(x));
  if (w.size() != x.size()) return Invalid("weights of ", w, " do not fit an input of ", x);
  const Shape kernel(w.begin() + 2, w.end());
  if (node.attributes.Ints("kernel_shape", kernel) != kernel) {
    return Invalid("attribute `kernel_shape` does not fit weights of ", w);
  }
  Window window = TRY(MakeWindow(node, spatial, kernel));
  Problem p{.window = std::move(window),
            .batch = x[0],
            .channels = x[1],
            .filters = w[0],
            .group = node.attributes.Int("group", 1),
            .offset_group = node.attributes.Int("offset_group", 1)};
  if (p.group < 1 || p.channels % p.group != 0 || p.filters % p.group != 0 ||
      w[1] != p.group_channels()) {
    return Invalid("attribute `group` is ", p.group, " with an input of ", x, ", weights of ", w);
  }
  if (p.offset_group < 1 || p.channels % p.offset_group != 0) {
    return Invalid("attribute `offset_group` is ", p.offset_group, " with an input of ", x);
  }
  const std::int64_t places = TRY(CheckedMul(p.offset_group, p.window.kernel_size(), "the kernel"));
  if (!HasShape(node, 2, p, TRY(CheckedMul(places, p.spatial(), "the kernel")))) {
    return Invalid("offsets of ", node.shape(2), " do not fit an output of ", p.window.output);
  }
  if (node.Has(3) && node.shape(3) != Shape{p.filters}) {
    return Invalid("a bias of ", node.shape(3), " for ", p.filters, " filters");
  }
  if (node.Has(4) && !HasShape(node, 4, p, places)) {
    return Invalid("a mask of ", node.shape(4), " does not fit an output of ", p.window.output);
  }
  TRY(CheckedMul(p.channels, p.window.kernel_size(), "the kernel"));
  return p;
}

Result<Facts> Infer(const NodeFacts& node) {
  const Problem p = TRY(ProblemOf(node));
  return Facts{TensorFacts(node.dtype(0), WithSpatial(p.batch, p.filters, p.window.output))};
}

template <class T>
struct Inputs {
  const T *x, *w, *offset, *bias, *mask;
};

/// One output position: what each weight is multiplied with, then the sums.
template <class T>
class Position {
 public:
  Position(const Problem& problem, const Inputs<T>& in)
      : p_(problem), in_(in), axes_(At(p_.spatial())), column_(At(p_.column())) {}

  void Run(std::int64_t sample, std::int64_t at, T* y) {
    for (std::int64_t place = 0; place < p_.offset_group * p_.window.kernel_size(); ++place) {
      Sample(sample, at, place);
    }
    const std::int64_t inner = p_.group_channels() * p_.window.kernel_size();
    const std::int64_t outputs = p_.window.output_size();
    for (std::int64_t filter = 0; filter < p_.filters; ++filter) {
      const std::int64_t group = filter / (p_.filters / p_.group);
      double sum = in_.bias != nullptr ? static_cast<Compute<T>>(in_.bias[filter]) : 0;
      for (std::int64_t i = 0; i < inner; ++i) {
        sum += column_[At(group * inner + i)] *
               static_cast<double>(static_cast<Compute<T>>(in_.w[filter * inner + i]));
      }
      y[(sample * p_.filters + filter) * outputs + at] = static_cast<T>(sum);
    }
  }

 private:
  /// Element `at` of a map [N, places, output].
  double Given(const T* map, std::int64_t sample, std::int64_t places, std::int64_t place,
               std::int64_t at) const {
    const std::int64_t index = (sample * places + place) * p_.window.output_size() + at;
    return static_cast<Compute<T>>(map[index]);
  }

  /// Fills the column for one place of the kernel, in all channels of its offset group.
  void Sample(std::int64_t sample, std::int64_t at, std::int64_t place) {
    const Window& window = p_.window;
    const std::int64_t kernel_size = window.kernel_size();
    const std::int64_t places = p_.offset_group * kernel_size;
    std::int64_t output_rest = at;
    std::int64_t kernel_rest = place % kernel_size;
    for (std::int64_t d = p_.spatial() - 1; d >= 0; --d) {
      const std::size_t i = At(d);
      const std::int64_t start = output_rest % window.output[i] * window.strides[i] +
                                 kernel_rest % window.kernel[i] * window.dilations[i] -
                                 window.pads_begin[i];
      output_rest /= window.output[i];
      kernel_rest /= window.kernel[i];
      const double moved =
          Given(in_.offset, sample, places * p_.spatial(), place * p_.spatial() + d, at);
      LinearTaps(static_cast<double>(start) + moved, window.input[i], axes_[i]);
    }
    CombineTaps(axes_, window.input, taps_);
    const double mask = in_.mask != nullptr ? Given(in_.mask, sample, places, place, at) : 1;
    const std::int64_t channels = p_.channels / p_.offset_group;
    for (std::int64_t i = 0; i < channels; ++i) {
      const std::int64_t channel = place / kernel_size * channels + i;
      const T* plane = in_.x + (sample * p_.channels + channel) * window.input_size();
      double sum = 0;
      for (const WeightedTap& tap : taps_) {
        sum += tap.weight * static_cast<double>(static_cast<Compute<T>>(plane[tap.index]));
      }
      column_[At(channel * kernel_size + place % kernel_size)] = sum * mask;
    }
  }

  const Problem& p_;
  Inputs<T> in_;
  std::vector<WeightedTaps> axes_;
  WeightedTaps taps_;
  std::vector<double> column_;
};

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Problem p = TRY(ProblemOf(node));
  Tensor& y = context.output(0);
  if (y.size() == 0) return {};
  const std::int64_t outputs = p.window.output_size();
  return Dispatch(FloatList{}, y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto data = [&](std::size_t i) -> const T* {
      return node.Has(i) ? context.input(i)->data<T>().data() : nullptr;
    };
    const Inputs<T> in{data(0), data(1), data(2), data(3), data(4)};
    T* out = y.data<T>().data();
    context.ParallelFor(p.batch * outputs, 16, [&](std::int64_t begin, std::int64_t end) {
      Position<T> position(p, in);
      for (std::int64_t i = begin; i < end; ++i) position.Run(i / outputs, i % outputs, out);
    });
  });
}

constexpr Kernel kKernels[] = {{.name = "deform_conv", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "DeformConv",
          .since = since,
          .signature = "X:T, W:T, offset:T, B?:T, mask?:T -> Y:T",
          .types = types,
          .attributes =
              "dilations:ints, group:int=1, kernel_shape:ints, offset_group:int=1, "
              "pads:ints, strides:ints",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_deform_conv() {
  static constexpr auto kOps = Versions({Row(19, kT<kFloatTypes>), Row(22, kT<kFloatTypesB>)});
  return kOps;
}

}  // namespace slipway::runtime
