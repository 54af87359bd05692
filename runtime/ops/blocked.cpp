// SPDX-License-Identifier: Apache-2.0
// Operators on images in blocks of channels (kernels/blocked.h). The pass `block_layouts` puts
// them into plans; models cannot name their domain.
#include "runtime/kernels/blocked.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/graph/op_index.h"
#include "runtime/kernels/block_turn.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/types.h"
#include "runtime/kernels/window.h"

namespace slipway::runtime {
namespace {

constexpr DTypeSet kFloat = Types({DType::kFloat32});
constexpr std::int64_t kGrain = 16 << 10;
constexpr std::int64_t kRowsAtOnce = 128;
constexpr std::int64_t kMostBlock = 16;

Result<void> CheckBlocked(const NodeFacts& node, std::size_t input) {
  const Shape& x = node.shape(input);
  if (x.size() == 5 && x[4] >= 1 && x[4] <= kMostBlock) return {};
  return Invalid("input ", input, " of ", x, " is not in blocks of channels");
}

Result<Facts> InferToBlocks(const NodeFacts& node) {
  if (node.shape(0).size() != 4) return Invalid("input of ", node.shape(0), " is no image");
  return Facts{
      TensorFacts(DType::kFloat32, BlockedShape(node.shape(0), node.attributes.Int("block", 1)))};
}

Result<Facts> InferFromBlocks(const NodeFacts& node) {
  TRY(CheckBlocked(node, 0));
  return Facts{
      TensorFacts(DType::kFloat32, PlainShape(node.shape(0), node.attributes.Int("channels", 1)))};
}

Result<Facts> InferConv(const NodeFacts& node) {
  NodeFacts plain = node;
  const Shape& w = node.shape(1);
  if (w.size() != 4) return Invalid("weights of ", w, " are not of an image's");
  plain.inputs[0].shape = PlainShape(node.shape(0), w[1] * node.attributes.Int("group", 1));
  const ConvShape shape = TRY(ConvShapeOf(plain));
  TRY(ConvActivationOf(node));
  Shape out = BlockedShape(WithSpatial(shape.batch, shape.out_channels, shape.window.output),
                           node.attributes.Int("block", 1));
  if (node.Has(3) && node.shape(3) != out) {
    return Invalid("input `Z` has shape ", node.shape(3), ", the convolution gives ", out);
  }
  return Facts{TensorFacts(DType::kFloat32, std::move(out))};
}

Result<Facts> InferPool(const NodeFacts& node) {
  TRY(CheckBlocked(node, 0));
  const Shape& x = node.shape(0);
  NodeFacts plain = node;
  plain.inputs[0].shape = PlainShape(x, x[1] * x[4]);
  const Window window = TRY(PoolWindow(plain));
  return Facts{
      TensorFacts(DType::kFloat32, {x[0], x[1], window.output[0], window.output[1], x[4]})};
}

Result<Facts> InferGlobalPool(const NodeFacts& node) {
  TRY(CheckBlocked(node, 0));
  const Shape& x = node.shape(0);
  return Facts{TensorFacts(DType::kFloat32, {x[0], x[1], 1, 1, x[4]})};
}

Result<Facts> InferAffine(const NodeFacts& node) {
  TRY(CheckBlocked(node, 0));
  const Shape& x = node.shape(0);
  for (std::size_t i = 1; i < 3; ++i) {
    if (!node.Has(i)) continue;
    const Shape& each = node.shape(i);
    if (each != Shape{x[0], x[1], 1, 1, x[4]} && each != Shape{1, x[1], 1, 1, x[4]}) {
      return Invalid("input ", i, " of ", each, " does not fit X of ", x);
    }
  }
  return InferSame(node);
}

Result<Facts> InferSameBlocked(const NodeFacts& node) {
  TRY(CheckBlocked(node, 0));
  return InferSame(node);
}

/// One number of each channel of a block over its positions.
template <bool average>
void PoolPlane(const float* x, std::int64_t positions, std::int64_t block, float* y) {
  double total[kMostBlock] = {};
  float most[kMostBlock];
  std::copy(x, x + block, most);
  for (std::int64_t at = 0; at < positions; at += kRowsAtOnce) {
    float sum[kMostBlock] = {};
    const std::int64_t end = std::min(positions, at + kRowsAtOnce);
    for (std::int64_t i = at; i < end; ++i) {
      for (std::int64_t c = 0; c < block; ++c) {
        const float value = x[i * block + c];
        if constexpr (average) {
          sum[c] += value;
        } else {
          most[c] = value > most[c] || std::isnan(value) ? value : most[c];
        }
      }
    }
    for (std::int64_t c = 0; c < block; ++c) total[c] += static_cast<double>(sum[c]);
  }
  for (std::int64_t c = 0; c < block; ++c) {
    y[c] = average ? static_cast<float>(total[c] / static_cast<double>(positions)) : most[c];
  }
}

template <bool average>
Result<void> RunGlobalPool(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const std::int64_t positions = x.dim(2) * x.dim(3);
  const std::int64_t block = x.dim(4);
  const float* in = x.data<float>().data();
  float* out = context.output(0).data<float>().data();
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / (positions * block));
  context.ParallelFor(x.dim(0) * x.dim(1), grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      PoolPlane<average>(in + plane * positions * block, positions, block, out + plane * block);
    }
  });
  return {};
}

/// y = x * scale + shift at each position of a block, then Relu if `relu`.
template <std::int64_t block>
void ScalePlane(const float* x, std::int64_t positions, const float* scale, const float* shift,
                bool relu, float* y) {
  float a[block], b[block];
  std::copy(scale, scale + block, a);
  std::copy(shift, shift + block, b);
  const float least = relu ? 0 : -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < positions; ++i, x += block, y += block) {
    for (std::int64_t c = 0; c < block; ++c) {
      const float value = x[c] * a[c] + b[c];
      y[c] = value < least ? least : value;
    }
  }
}

/// Numbers of input `index` for blocks, image by image; the same for all where it has one image.
class PerBlock {
 public:
  PerBlock(const NodeFacts& node, KernelContext& context, std::size_t index, float absent)
      : absent_(static_cast<std::size_t>(kMostBlock), absent) {
    if (!node.Has(index)) return;
    const Tensor& tensor = *context.input(index);
    data_ = tensor.data<float>().data();
    period_ = tensor.dim(0) * tensor.dim(1);
    block_ = tensor.dim(4);
  }
  const float* Of(std::int64_t plane) const {
    return data_ == nullptr ? absent_.data() : data_ + plane % period_ * block_;
  }

 private:
  std::vector<float> absent_;
  const float* data_ = nullptr;
  std::int64_t period_ = 1, block_ = 0;
};

Result<void> RunAffine(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const std::int64_t positions = x.dim(2) * x.dim(3);
  const std::int64_t block = x.dim(4);
  const bool relu = node.attributes.String("activation", "") == "Relu";
  const PerBlock scale(node, context, 1, 1), shift(node, context, 2, 0);
  const float* in = x.data<float>().data();
  float* out = context.output(0).data<float>().data();
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / (positions * block));
  const auto plane = block == 16 ? ScalePlane<16> : ScalePlane<8>;
  context.ParallelFor(x.dim(0) * x.dim(1), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = i * positions * block;
      plane(in + at, positions, scale.Of(i), shift.Of(i), relu, out + at);
    }
  });
  return {};
}

Result<void> RunToBlocks(const NodeFacts& node, KernelContext& context) {
  const auto turn = BlockTurn::Of(node.shape(0), node.outputs[0].shape->back());
  IntoBlocks(turn, context.input(0)->data<float>().data(), context.output(0).data<float>().data(),
             context);
  return {};
}

Result<void> RunFromBlocks(const NodeFacts& node, KernelContext& context) {
  const auto turn = BlockTurn::Of(*node.outputs[0].shape, node.shape(0).back());
  OutOfBlocks(turn, context.input(0)->data<float>().data(), context.output(0).data<float>().data(),
              context);
  return {};
}

constexpr Kernel kToBlocks[] = {{.name = "reorder_turned", .run = RunToBlocks}};
constexpr Kernel kFromBlocks[] = {{.name = "reorder_turned", .run = RunFromBlocks}};
std::string ServesAll(const NodeFacts&) { return ""; }

// What follows the first kernel that serves all is for those who measure.
constexpr Kernel kConv[] = {
    {.name = "conv_blocked_bf16", .declines = DeclineConvBf16, .prepare = PrepareBlockedConvLow},
    {.name = "conv_blocked_int8", .declines = DeclineConvInt8, .prepare = PrepareBlockedConvLow},
    {.name = "conv_small", .declines = DeclineConvSmall, .prepare = PrepareConvSmall},
    {.name = "conv_narrow", .declines = DeclineConvNarrow, .prepare = PrepareConvNarrow},
    {.name = "conv_blocked_winograd",
     .declines = DeclineBlockedWinograd,
     .prepare = PrepareBlockedWinograd},
    {.name = "conv_blocked_dnnl", .declines = ServesAll, .prepare = PrepareBlockedConv},
    {.name = "conv_blocked_winograd",
     .declines = DeclineBlockedMeasuredWinograd,
     .prepare = PrepareBlockedWinograd},
    {.name = "conv_narrow", .declines = DeclineConvMeasuredNarrow, .prepare = PrepareConvNarrow},
    {.name = "conv_blocked_dnnl", .prepare = PrepareBlockedConv}};
constexpr Kernel kPool[] = {
    {.name = "pool_small", .declines = DeclineSmallPool, .prepare = PrepareSmallPool},
    {.name = "pool_blocked_rows", .prepare = PrepareBlockedPool}};
constexpr Kernel kGlobalAverage[] = {{.name = "pool_blocked", .run = RunGlobalPool<true>}};
constexpr Kernel kGlobalMax[] = {{.name = "pool_blocked", .run = RunGlobalPool<false>}};
constexpr Kernel kAffine[] = {{.name = "affine_blocked", .run = RunAffine}};
constexpr Kernel kLrn[] = {{.name = "lrn_blocked_dnnl", .prepare = PrepareBlockedLrn}};

constexpr std::string_view kConvAttributes =
    "auto_pad:string=NOTSET, dilations:ints, group:int=1, kernel_shape:ints, pads:ints, "
    "strides:ints, activation:string, activation_alpha:float, activation_beta:float, "
    "algorithm:string, block!:int, precision:string";
constexpr std::string_view kPoolAttributes =
    "auto_pad:string=NOTSET, ceil_mode:int=0, count_include_pad:int=0, dilations:ints, "
    "kernel_shape!:ints, pads:ints, storage_order:int=0, strides:ints";

using InferFunction = Result<std::vector<ValueFacts>> (*)(const NodeFacts&);

consteval OpDef Row(std::string_view type, std::string_view signature, std::string_view attributes,
                    InferFunction infer, std::span<const Kernel> kernels) {
  return {.type = type,
          .domain = kPrivateDomain,
          .signature = signature,
          .types = kT<kFloat>,
          .attributes = attributes,
          .infer = infer,
          .kernels = kernels};
}

}  // namespace

OpList ops_blocked() {
  static constexpr auto kOps = Versions({
      Row("ToBlocks", "X:T -> Y:T", "block!:int", InferToBlocks, kToBlocks),
      Row("FromBlocks", "X:T -> Y:T", "channels!:int", InferFromBlocks, kFromBlocks),
      Row("Conv", "X:T, W:T, B?:T, Z?:T -> Y:T", kConvAttributes, InferConv, kConv),
      Row("MaxPool", "X:T -> Y:T", kPoolAttributes, InferPool, kPool),
      Row("AveragePool", "X:T -> Y:T", kPoolAttributes, InferPool, kPool),
      Row("GlobalAveragePool", "X:T -> Y:T", "", InferGlobalPool, kGlobalAverage),
      Row("GlobalMaxPool", "X:T -> Y:T", "", InferGlobalPool, kGlobalMax),
      Row("Affine", "X:T, scale?:T, shift?:T -> Y:T", "activation:string", InferAffine, kAffine),
      Row("LRN", "X:T -> Y:T", "alpha:float=0.0001, beta:float=0.75, bias:float=1.0, size!:int",
          InferSameBlocked, kLrn),
  });
  return kOps;
}

}  // namespace slipway::runtime
