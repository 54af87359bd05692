// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/kernels/byte_channels_simd.h"
#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/conv_depthwise.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_packed.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/quantized_product.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 18;
/// Positions of planes that are small.
constexpr std::int64_t kMostOut = 49, kMostIn = 256;

/// Sixteen channels by themselves, side by side.
class SmallExecutable final : public Executable {
 public:
  SmallExecutable(const NodeFacts& node, const QuantizedPorts& ports, const ConvShape& shape,
                  std::unique_ptr<Executable> otherwise)
      : node_(node),
        ports_(ports),
        stores_(node, ports),
        batch_(shape.batch),
        channels_(shape.in_channels),
        in_(shape.window.input_size()),
        out_(shape.window.output_size()),
        otherwise_(std::move(otherwise)) {
    PackWeights(shape.window.kernel_size());
    std::vector<Tap> taps;
    for (std::int64_t at = 0; at < out_; ++at) {
      shape.window.Taps(at, taps);
      taps_.insert(taps_.end(), taps.begin(), taps.end());
      ends_.push_back(std::ssize(taps_));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    const SumStore store =
        TRY(stores_.Of(context, [&] { return BiasOf(node_, ports_, context, channels_); }));
    if (!store.fits_dot()) return otherwise_->Run(context);
    const std::uint8_t* const x = RawBytes(*context.input(0));
    const std::int32_t zero = ZeroOf(node_, context, ports_.a_zero);
    const std::int64_t work = std::ssize(taps_) * kByteChannels;
    context.ParallelFor(batch_ * Groups(), std::max<std::int64_t>(1, kGrainWork / work),
                        [&](std::int64_t begin, std::int64_t end) {
                          CountedVector<std::int32_t> room(At(in_ * kByteChannels));
                          for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
                            RunGroup(x, zero, i, store, room.data());
                          }
                        });
    return {};
  }

 private:
  std::int64_t Groups() const { return (channels_ + kByteChannels - 1) / kByteChannels; }

  void PackWeights(std::int64_t kernel) {
    constexpr std::int32_t kLow = 0xffff;
    const std::vector<std::int32_t> zeros = ConstantZeros(node_, ports_);
    const std::vector<std::int32_t> bytes = BytesOf(node_.inputs[ports_.b].constant);
    kernel_ = kernel;
    weights_.assign(At(Groups() * kernel * kByteChannels), 0);
    for (std::int64_t m = 0; m < channels_; ++m) {
      const std::int32_t zero = zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : At(m)];
      std::int32_t* to =
          weights_.data() + m / kByteChannels * kernel * kByteChannels + m % kByteChannels;
      for (std::int64_t k = 0; k < kernel; ++k, to += kByteChannels) {
        *to = (bytes[At(m * kernel + k)] - zero) & kLow;
      }
    }
  }

  void RunGroup(const std::uint8_t* x, std::int32_t zero, std::int64_t group, const SumStore& store,
                std::int32_t* room) const {
    const std::int64_t first = group % Groups() * kByteChannels;
    const std::int64_t plane = group / Groups() * channels_ + first;
    RunByteChannels({.x = x + plane * in_,
                     .is_signed = node_.dtype(0) == DType::kInt8,
                     .zero = zero,
                     .channels = std::min(kByteChannels, channels_ - first),
                     .in = in_,
                     .weights = weights_.data() + first * kernel_,
                     .room = room,
                     .to = store.ForDot(first, plane * out_, out_)},
                    {.taps = taps_, .ends = ends_});
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  std::int64_t batch_, channels_, in_, out_, kernel_ = 0;
  CountedVector<std::int32_t> weights_ = {};  ///< [channels / 16, kernel, 16]
  std::vector<Tap> taps_ = {};
  std::vector<std::int64_t> ends_ = {};
  std::unique_ptr<Executable> otherwise_;  ///< for scales that are out of the ordinary
};

}  // namespace

std::string DeclineQLinearConvSmall(const NodeFacts& node) {
  std::string why = DeclineByteConv(node, kQLinearPorts);
  if (!why.empty()) return why;
  if (!HasByteDot()) return "the processor does not add products of 16 bits at once";
  if (!IsConstant(node, kQLinearPorts)) return "the weights are not known";
  const auto shape = ConvShapeOf(AsConv(node, kQLinearPorts));
  if (!shape) return shape.error().message;
  if (!IsDepthwise(*shape) || shape->out_channels != shape->in_channels) {
    return "no convolution of every channel by itself";
  }
  const bool small =
      shape->window.output_size() <= kMostOut && shape->window.input_size() <= kMostIn;
  return small ? "" : "planes are not small";
}

Result<std::unique_ptr<Executable>> PrepareQLinearConvSmall(const NodeFacts& node,
                                                            DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, kQLinearPorts)));
  auto otherwise = TRY(PrepareQLinearConv(node, device));
  return std::unique_ptr<Executable>(
      std::make_unique<SmallExecutable>(node, kQLinearPorts, shape, std::move(otherwise)));
}

}  // namespace slipway::runtime
