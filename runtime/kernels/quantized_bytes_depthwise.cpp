// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/kernels/byte_lines_simd.h"
#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 19;

/// Every channel by itself, four bytes of a row of its window at once.
class DepthwiseExecutable final : public Executable {
 public:
  DepthwiseExecutable(const NodeFacts& node, const QuantizedPorts& ports, const ConvShape& shape,
                      std::unique_ptr<Executable> otherwise)
      : node_(node),
        ports_(ports),
        stores_(node, ports),
        window_(shape.window),
        channels_(shape.in_channels),
        planes_(shape.batch * channels_),
        stride_(window_.strides[0]),
        quads_(QuadsOf(window_.kernel[1])),
        otherwise_(std::move(otherwise)) {
    rows_ = std::max(window_.pads_begin[0] + window_.input[0],
                     (window_.output[0] - 1) * stride_ + window_.kernel[0]);
    pitch_ = std::max(window_.pads_begin[1] + window_.input[1],
                      (window_.output[1] - 1) * stride_ + window_.kernel[1]);
    PackWeights(*node.inputs[ports.b].constant);
  }

  Result<void> Run(KernelContext& context) const override {
    const std::int32_t zero = UnsignedZero(node_, ports_, context);
    const SumStore store = TRY(stores_.Of(context, [&] {
      std::vector<std::int64_t> added = BiasOf(node_, ports_, context, channels_);
      for (std::size_t m = 0; m < added.size(); ++m) added[m] -= zero * sums_[m];
      return added;
    }));
    if (!store.fits_dot()) return otherwise_->Run(context);
    const std::uint8_t* const x = RawBytes(*context.input(0));
    const std::int64_t work = window_.output_size() * window_.kernel_size();
    context.ParallelFor(planes_, std::max<std::int64_t>(1, kGrainWork / work),
                        [&](std::int64_t begin, std::int64_t end) {
                          RunPlanes(x, static_cast<std::uint8_t>(zero), begin, end, store);
                        });
    return {};
  }

 private:
  void PackWeights(const Tensor& w) {
    const std::int64_t height = window_.kernel[0], width = window_.kernel[1];
    const std::uint8_t flip = ToSigned(w.dtype());
    const std::uint8_t* from = RawBytes(w);
    sums_.assign(At(channels_), 0);
    taps_.assign(At(channels_ * height * quads_), 0);
    for (std::int64_t row = 0; row < channels_ * height; ++row) {
      auto* const to = reinterpret_cast<std::uint8_t*>(taps_.data() + row * quads_);
      for (std::int64_t j = 0; j < width; ++j) {
        to[j] = static_cast<std::uint8_t>(*from++ ^ flip);
        sums_[At(row / height)] += static_cast<std::int8_t>(to[j]);
      }
    }
  }

  void RunPlanes(const std::uint8_t* x, std::uint8_t zero, std::int64_t begin, std::int64_t end,
                 const SumStore& store) const {
    const std::int64_t in = window_.input_size(), out = window_.output_size();
    ByteNumbers padded(At(rows_ * pitch_ + kBehindPlane));
    ByteNumbers room(At(LineRoom(window_.output[0], pitch_)));
    for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
      const std::int64_t channel = i % channels_;
      PadPlane({.from = x + i * in,
                .height = window_.input[0],
                .width = window_.input[1],
                .flip = ToUnsigned(node_.dtype(0)),
                .fill = zero,
                .to = padded.data(),
                .top = window_.pads_begin[0],
                .left = window_.pads_begin[1],
                .rows = rows_,
                .pitch = pitch_});
      RunByteWindows({.x = padded.data(),
                      .pitch = pitch_,
                      .taps = taps_.data() + channel * window_.kernel[0] * quads_,
                      .kernel_rows = window_.kernel[0],
                      .quads = quads_,
                      .stride = stride_,
                      .height = window_.output[0],
                      .width = window_.output[1],
                      .room = room.data(),
                      .to = store.ForDot(channel, i * out, window_.output[1])});
    }
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  Window window_;
  std::int64_t channels_, planes_, stride_, quads_;
  std::int64_t rows_ = 0, pitch_ = 0;           ///< of a plane with its padding
  CountedVector<std::int32_t> taps_ = {};       ///< [channels, rows of the kernel, quads]
  std::vector<std::int64_t> sums_ = {};         ///< of each channel's
  std::unique_ptr<Executable> otherwise_ = {};  ///< for scales that are out of the ordinary
};

}  // namespace

std::string DeclineQLinearConvLines(const NodeFacts& node) {
  std::string why = DeclineQLinearConvDepthwise(node);
  if (why.empty()) why = DeclineByteDot(node, kQLinearPorts);
  if (!why.empty()) return why;
  const auto shape = ConvShapeOf(AsConv(node, kQLinearPorts));
  if (!shape) return shape.error().message;
  return shape->window.dilations[0] == 1 ? "" : "windows have holes";
}

Result<std::unique_ptr<Executable>> PrepareQLinearConvLines(const NodeFacts& node,
                                                            DeviceContext& device) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, kQLinearPorts)));
  auto otherwise = TRY(PrepareQLinearConvDepthwise(node, device));
  return std::unique_ptr<Executable>(
      std::make_unique<DepthwiseExecutable>(node, kQLinearPorts, shape, std::move(otherwise)));
}

}  // namespace slipway::runtime
