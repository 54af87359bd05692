// SPDX-License-Identifier: Apache-2.0
// com.microsoft: QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean, QLinearConcat
// (1). Spec: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
#include <algorithm>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"
#include "runtime/kernels/qlinear.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

bool ChannelsLast(const NodeFacts& node) { return node.attributes.Int("channels_last", 0) != 0; }

/// The dimensions with the channels after the batch.
Shape ChannelsFirst(const NodeFacts& node) {
  Shape shape = node.shape(0);
  if (ChannelsLast(node) && shape.size() > 2) {
    std::rotate(shape.begin() + 1, shape.end() - 1, shape.end());
  }
  return shape;
}

/// An output as the node lays out its channels.
Shape AsLaidOut(const NodeFacts& node, Shape shape) {
  if (ChannelsLast(node)) std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
  return shape;
}

/// The node with the channels of its input after the batch.
NodeFacts WithChannelsFirst(const NodeFacts& node) {
  NodeFacts facts = node;
  facts.inputs[0] = TensorFacts(node.dtype(0), ChannelsFirst(node));
  return facts;
}

Result<Facts> InferPool(const NodeFacts& node) {
  TRY(CheckScale(node, 1, 2));
  TRY(CheckScale(node, 3, 4));
  const NodeFacts first = WithChannelsFirst(node);
  const Window window = TRY(PoolWindow(first));
  const Shape& x = first.shape(0);
  return Facts{TensorFacts(node.dtype(0), AsLaidOut(node, WithSpatial(x[0], x[1], window.output)))};
}

/// Calls visit(plane of the input, step between its elements, plane of the output, step) for each
/// channel of each image.
template <class Visit>
void ForEachPlane(const NodeFacts& node, std::int64_t in_size, std::int64_t out_size,
                  const Visit& visit) {
  const Shape x = ChannelsFirst(node);
  const bool last = ChannelsLast(node);
  const std::int64_t channels = x[1];
  for (std::int64_t n = 0; n < x[0]; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t in = n * channels * in_size + (last ? c : c * in_size);
      const std::int64_t out = n * channels * out_size + (last ? c : c * out_size);
      visit(in, out, last ? channels : 1);
    }
  }
}

Result<void> RunPool(const NodeFacts& node, KernelContext& context) {
  const Window window = TRY(PoolWindow(WithChannelsFirst(node)));
  const bool padded = node.attributes.Int("count_include_pad", 0) != 0;
  const auto x = RealsOf(*context.input(0), Quantizer::Of(node, context, 1, 2));
  Tensor& y = context.output(0);
  Doubles out(At(y.size()), 0.0);
  std::vector<Tap> taps;
  const std::int64_t planes = y.size() / std::max<std::int64_t>(1, window.output_size());
  Pause pause;
  for (std::int64_t at = 0; !out.empty() && at < window.output_size(); ++at) {
    window.Taps(at, taps);
    if (pause.MustStop(4 * planes * (1 + static_cast<std::int64_t>(taps.size())))) return {};
    const auto count = padded ? window.PaddedCount(at) : static_cast<std::int64_t>(taps.size());
    ForEachPlane(node, window.input_size(), window.output_size(),
                 [&](std::int64_t in, std::int64_t to, std::int64_t step) {
                   double sum = 0;
                   for (const Tap& tap : taps) sum += x[At(in + tap.input * step)];
                   out[At(to + at * step)] = count == 0 ? 0 : sum / static_cast<double>(count);
                 });
  }
  return StoreQuantised(context, std::move(out), Quantizer::Of(node, context, 3, 4), y);
}

Result<Facts> InferGlobal(const NodeFacts& node) {
  TRY(CheckScale(node, 1, 2));
  TRY(CheckScale(node, 3, 4));
  const Shape x = ChannelsFirst(node);
  if (x.size() < 3) return Invalid("input of ", node.shape(0), " has no spatial dimensions");
  Shape y = x;
  std::fill(y.begin() + 2, y.end(), 1);
  return Facts{TensorFacts(node.dtype(0), AsLaidOut(node, std::move(y)))};
}

Result<void> RunGlobal(const NodeFacts& node, KernelContext& context) {
  const Shape shape = ChannelsFirst(node);
  const std::int64_t size = CountOf(shape, 2, shape.size());
  const auto x = RealsOf(*context.input(0), Quantizer::Of(node, context, 1, 2));
  Tensor& y = context.output(0);
  Doubles out(At(y.size()), 0.0);
  ForEachPlane(node, size, 1, [&](std::int64_t in, std::int64_t to, std::int64_t step) {
    double sum = 0;
    for (std::int64_t i = 0; i < size; ++i) sum += x[At(in + i * step)];
    out[At(to)] = size == 0 ? 0 : sum / static_cast<double>(size);
  });
  return StoreQuantised(context, std::move(out), Quantizer::Of(node, context, 3, 4), y);
}

/// Which dimensions are reduced; all of them where none are named.
Result<std::vector<bool>> ReducedOf(const NodeFacts& node) {
  const std::int64_t rank = RankOf(node.shape(0));
  const std::vector<std::int64_t> axes = TRY(NormalizeAxes(node.attributes.Ints("axes", {}), rank));
  std::vector<bool> reduced(At(rank), axes.empty());
  for (const std::int64_t axis : axes) reduced[At(axis)] = true;
  return reduced;
}

Result<Facts> InferMean(const NodeFacts& node) {
  TRY(CheckScale(node, 1, 2));
  TRY(CheckScale(node, 3, 4));
  const std::vector<bool> reduced = TRY(ReducedOf(node));
  const bool keep = node.attributes.Int("keepdims", 1) != 0;
  Shape y;
  for (std::size_t d = 0; d < reduced.size(); ++d) {
    if (!reduced[d]) y.push_back(node.shape(0)[d]);
    if (reduced[d] && keep) y.push_back(1);
  }
  return Facts{TensorFacts(node.dtype(0), std::move(y))};
}

Result<void> RunMean(const NodeFacts& node, KernelContext& context) {
  const std::vector<bool> reduced = TRY(ReducedOf(node));
  const Shape& shape = node.shape(0);
  const auto x = RealsOf(*context.input(0), Quantizer::Of(node, context, 1, 2));
  Tensor& y = context.output(0);
  Doubles out(At(y.size()), 0.0);
  std::int64_t count = 1;
  for (std::size_t d = 0; d < shape.size(); ++d) count *= reduced[d] ? shape[d] : 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i);
    std::int64_t at = 0;
    std::int64_t step = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (!reduced[d]) {
        at += rest % shape[d] * step;
        step *= shape[d];
      }
      rest /= shape[d];
    }
    out[At(at)] += x[i] / static_cast<double>(count);
  }
  return StoreQuantised(context, std::move(out), Quantizer::Of(node, context, 3, 4), y);
}

Result<Facts> InferConcat(const NodeFacts& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.Has(i)) return Invalid("input ", i, " is left out");
  }
  TRY(CheckScale(node, 0, 1));
  const std::size_t count = (node.inputs.size() - 2) / 3;
  if (node.inputs.size() != 2 + 3 * count || count == 0) {
    return Invalid(node.inputs.size(),
                   " inputs are not two and a tensor, scale and zero point each");
  }
  Shape y = node.shape(2);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(y))));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 2 + 3 * i;
    TRY(CheckScale(node, at + 1, at + 2));
    if (node.dtype(at) != node.dtype(1) || node.dtype(at + 2) != node.dtype(1) ||
        node.dtype(at + 1) != DType::kFloat32) {
      return Invalid("input ", at, ", its scale and zero point are not ", node.dtype(1),
                     ", float and ", node.dtype(1));
    }
    if (i == 0) continue;
    Shape part = node.shape(at);
    if (part.size() != y.size()) return Invalid("inputs of ", y, " and ", part, " do not join");
    const std::int64_t more = std::exchange(part[axis], y[axis]);
    if (part != y) return Invalid("inputs of ", y, " and ", node.shape(at), " do not join");
    y[axis] = TRY(CheckedAdd(y[axis], more, "the joined dimension"));
  }
  return Facts{TensorFacts(node.dtype(1), std::move(y))};
}

Result<void> RunConcat(const NodeFacts& node, KernelContext& context) {
  const Quantizer to = Quantizer::Of(node, context, 0, 1);
  Tensor& y = context.output(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), y.rank())));
  const std::int64_t outer = CountOf(y.shape(), 0, axis);
  const std::int64_t row = CountOf(y.shape(), axis, y.shape().size());
  auto* out = static_cast<std::uint8_t*>(y.raw());
  for (std::size_t at = 2; at + 2 < node.inputs.size(); at += 3) {
    const Tensor& x = *context.input(at);
    const ByteTable table = TableOf(y.dtype(), Quantizer::Of(node, context, at + 1, at + 2), to,
                                    [](double real) { return real; });
    const std::int64_t piece = outer == 0 ? 0 : x.size() / outer;
    const auto* from = static_cast<const std::uint8_t*>(x.raw());
    for (std::int64_t i = 0; i < outer; ++i) {
      std::transform(from + i * piece, from + (i + 1) * piece, out + i * row,
                     [&](std::uint8_t byte) { return table[byte]; });
    }
    out += piece;
  }
  return {};
}

constexpr Kernel kPool[] = {{.name = "qlinear_average_pool_reference", .run = RunPool}};
constexpr Kernel kGlobal[] = {{.name = "qlinear_global_average_pool_reference", .run = RunGlobal}};
constexpr Kernel kMean[] = {{.name = "qlinear_reduce_mean_reference", .run = RunMean}};
constexpr Kernel kConcat[] = {{.name = "qlinear_concat_reference", .run = RunConcat}};

constexpr TypeRule kConcatTypes[] = {{"T8", kQLinearTypes}, {"TV", kQLinearTypes | kFloat32Type}};

}  // namespace

OpList ops_ms_qlinear_pool() {
  static constexpr auto kOps = Versions({
      QLinearRow(
          "QLinearAveragePool",
          "X:T, x_scale:float, x_zero_point?:T, y_scale:float, y_zero_point?:T -> Y:T",
          "auto_pad:string=NOTSET, ceil_mode:int=0, channels_last:int=0, count_include_pad:int=0, "
          "kernel_shape!:ints, pads:ints, strides:ints",
          InferPool, kPool),
      QLinearRow("QLinearGlobalAveragePool",
                 "X:T, x_scale:float, x_zero_point:T, y_scale:float, y_zero_point:T -> Y:T",
                 "channels_last:int=0", InferGlobal, kGlobal),
      QLinearRow("QLinearReduceMean",
                 "data:T, data_scale:float, data_zero_point?:T, reduced_scale:float, "
                 "reduced_zero_point?:T -> reduced:T",
                 "axes!:ints, keepdims!:int", InferMean, kMean),
      OpDef{.type = "QLinearConcat",
            .domain = "com.microsoft",
            .signature = "Y_scale:float, Y_zero_point:T8, inputs**:TV -> Y:T8",
            .types = kConcatTypes,
            .attributes = "axis!:int",
            .infer = InferConcat,
            .kernels = kConcat},
  });
  return kOps;
}

}  // namespace slipway::runtime
