// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/kernels/conv_depthwise.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_packed.h"
#include "runtime/kernels/quantized_bytes.h"
#include "runtime/kernels/sum_store.h"

namespace slipway::runtime {
namespace {

/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 18;

/// Every channel by itself, in float32, which has all of these sums.
class DepthwiseExecutable final : public Executable {
 public:
  DepthwiseExecutable(const NodeFacts& node, const QuantizedPorts& ports, const ConvShape& shape)
      : node_(node),
        ports_(ports),
        stores_(node, ports),
        channels_(shape.in_channels),
        planes_(shape.batch * channels_),
        plane_(DepthwisePlaneOf(shape.window)) {
    const std::vector<std::int32_t> zeros = ConstantZeros(node, ports);
    const std::vector<std::int32_t> bytes = BytesOf(node.inputs[ports.b].constant);
    const std::size_t taps = At(shape.window.kernel_size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::int32_t zero = zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : i / taps];
      weights_.push_back(static_cast<float>(bytes[i] - zero));
    }
  }

  Result<void> Run(KernelContext& context) const override {
    const SumStore store =
        TRY(stores_.Of(context, [&] { return BiasOf(node_, ports_, context, channels_); }));
    const Tensor& x = *context.input(0);
    const std::int32_t zero = ZeroOf(node_, context, ports_.a_zero);
    const std::int64_t work = out_size() * plane_.kernel * plane_.kernel;
    context.ParallelFor(planes_, std::max<std::int64_t>(1, kGrainWork / work),
                        [&](std::int64_t begin, std::int64_t end) {
                          if (x.dtype() == DType::kInt8) {
                            RunPlanes(x.data<std::int8_t>().data(), zero, begin, end, store);
                          } else {
                            RunPlanes(x.data<std::uint8_t>().data(), zero, begin, end, store);
                          }
                        });
    return {};
  }

 private:
  std::int64_t in_size() const { return plane_.in_height * plane_.in_width; }
  std::int64_t out_size() const { return plane_.height * plane_.width; }

  template <class T>
  void RunPlanes(const T* x, std::int32_t zero, std::int64_t begin, std::int64_t end,
                 const SumStore& store) const {
    CountedVector<float> in(At(in_size())), out(At(out_size())), room(At(DepthwiseRoom(plane_)));
    CountedVector<std::int32_t> sums(At(out_size()));
    for (std::int64_t i = begin; i < end && !MustStop(); ++i) {
      const std::int64_t channel = i % channels_;
      const T* const from = x + i * in_size();
      for (std::size_t j = 0; j < in.size(); ++j) in[j] = static_cast<float>(from[j] - zero);
      DepthwisePlane plane = plane_;
      plane.x = in.data();
      plane.w = weights_.data() + channel * plane.kernel * plane.kernel;
      plane.y = out.data();
      RunDepthwise(plane, room.data());
      for (std::size_t j = 0; j < sums.size(); ++j) sums[j] = static_cast<std::int32_t>(out[j]);
      store.Channel(sums, channel, i * out_size());
    }
  }

  const NodeFacts& node_;
  QuantizedPorts ports_;
  SumStores stores_;
  std::int64_t channels_, planes_;
  DepthwisePlane plane_;
  CountedVector<float> weights_ = {};
};

std::string DeclineDepthwise(const NodeFacts& node, const QuantizedPorts& ports) {
  std::string why = DeclineByteConv(node, ports);
  if (!why.empty()) return why;
  if (!IsConstant(node, ports)) return "the weights are not known";
  const auto shape = ConvShapeOf(AsConv(node, ports));
  if (!shape) return shape.error().message;
  return DeclineDepthwiseShape(*shape);
}

Result<std::unique_ptr<Executable>> PrepareDepthwise(const NodeFacts& node,
                                                     const QuantizedPorts& ports) {
  const ConvShape shape = TRY(ConvShapeOf(AsConv(node, ports)));
  return std::unique_ptr<Executable>(std::make_unique<DepthwiseExecutable>(node, ports, shape));
}

}  // namespace

std::string DeclineConvIntegerDepthwise(const NodeFacts& node) {
  return DeclineDepthwise(node, kIntegerPorts);
}
Result<std::unique_ptr<Executable>> PrepareConvIntegerDepthwise(const NodeFacts& node,
                                                                DeviceContext&) {
  return PrepareDepthwise(node, kIntegerPorts);
}

std::string DeclineQLinearConvDepthwise(const NodeFacts& node) {
  return DeclineDepthwise(node, kQLinearPorts);
}
Result<std::unique_ptr<Executable>> PrepareQLinearConvDepthwise(const NodeFacts& node,
                                                                DeviceContext&) {
  return PrepareDepthwise(node, kQLinearPorts);
}

}  // namespace slipway::runtime
