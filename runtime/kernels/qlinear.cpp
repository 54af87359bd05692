// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/qlinear.h"

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/numbers.h"

namespace slipway::runtime {

Result<void> CheckScale(const NodeFacts& node, std::size_t scale, std::size_t zero) {
  for (const std::size_t input : {scale, zero}) {
    if (!node.Has(input)) continue;
    const Shape& shape = node.shape(input);
    if (CountOf(shape, 0, shape.size()) != 1) {
      return Invalid("input ", input, " of ", shape, " is not one scale or zero point");
    }
  }
  return {};
}

Quantizer Quantizer::Of(const NodeFacts& node, KernelContext& context, std::size_t scale,
                        std::size_t zero) {
  Quantizer made{.scale = DoublesOf(context.input(scale))[0]};
  if (node.Has(zero)) made.zero = DoublesOf(context.input(zero))[0];
  return made;
}

ByteScale Quantizer::Bytes(DType dtype) const {
  const IntegerRange range = RangeOfInteger(dtype);
  return {.scale = static_cast<float>(scale),
          .zero = static_cast<std::int32_t>(zero),
          .least = static_cast<std::int32_t>(range.least),
          .most = static_cast<std::int32_t>(range.most)};
}

double Quantizer::Quantised(double real, const IntegerRange& range) const {
  const auto scaled = static_cast<float>(real) / static_cast<float>(scale);
  return QuantizeOne(static_cast<double>(scaled), zero, range);
}

Doubles RealsOf(const Tensor& tensor, const Quantizer& quantizer) {
  Doubles reals = DoublesOf(&tensor);
  for (double& x : reals) x = quantizer.Real(x);
  return reals;
}

Result<void> StoreQuantised(KernelContext& context, Doubles reals, const Quantizer& quantizer,
                            Tensor& to) {
  const IntegerRange range = RangeOfInteger(to.dtype());
  for (double& x : reals) x = quantizer.Quantised(x, range);
  return StoreDoubles(context, reals, to);
}

}  // namespace slipway::runtime
