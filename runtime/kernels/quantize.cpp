// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/quantize.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/float16.h"
#include "runtime/kernels/infer_helpers.h"

namespace slipway::runtime {

Result<ScaleMap> ScaleMapOf(const NodeFacts& node, const Shape& x, const Shape& scale) {
  if (scale.empty() || (scale == Shape{1} && node.attributes.Int("block_size", 0) == 0)) {
    return ScaleMap{};
  }
  if (node.op->since < 13) return Invalid("the scale of ", scale, " is no scalar");
  const auto axis =
      slipway::runtime::At(TRY(NormalizeAxis(node.attributes.Int("axis", 1), RankOf(x))));
  ScaleMap map{.dim = x[axis], .inner = CountOf(x, axis + 1, x.size())};
  const std::int64_t block = node.attributes.Int("block_size", 0);
  if (block < 0) return Invalid("attribute `block_size` is ", block);
  if (block == 0) {
    if (scale != Shape{map.dim}) {
      return Invalid("the scale of ", scale, " is not one per index of axis ", axis, " of ", x);
    }
    map.block = 1;
    map.blocks = map.dim;
    map.one_row = true;
    return map;
  }
  Shape want = x;
  want[axis] = (map.dim + block - 1) / block;
  if (scale != want) {
    return Invalid("the scale of ", scale, " is not ", want, " for blocks of ", block);
  }
  map.block = block;
  map.blocks = want[axis];
  return map;
}

IntegerRange RangeOfInteger(DType dtype) {
  const int bits = DTypeBits(dtype);
  const bool is_unsigned =
      kUintTypes.Has(dtype) || dtype == DType::kUint4 || dtype == DType::kUint2;
  if (is_unsigned) return {0, std::ldexp(1.0, bits) - 1};
  return {-std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1) - 1};
}

bool IsByte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

Result<Tensor> Converted(KernelContext& context, const Tensor& from, DType to) {
  if (from.dtype() == to) return from;
  Tensor converted = TRY(Tensor::Make(to, from.shape()));
  TRY(ConvertElements(context, from, converted));
  return converted;
}

double QuantizeOne(double scaled, double zero_point, const IntegerRange& range) {
  if (std::isnan(scaled)) return std::clamp(zero_point, range.least, range.most);
  return std::clamp(std::nearbyint(scaled) + zero_point, range.least, range.most);
}

double RoundedTo(DType dtype, double quotient) {
  if (dtype == DType::kFloat32) return static_cast<double>(static_cast<float>(quotient));
  if (dtype == DType::kFloat16) return static_cast<double>(static_cast<float>(Float16(quotient)));
  if (dtype == DType::kBfloat16) return static_cast<double>(static_cast<float>(BFloat16(quotient)));
  return quotient;
}

DynamicScale DynamicScaleOf(std::span<const float> x) {
  float least = 0;
  float most = 0;
  for (const float value : x) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
  return DynamicScaleOf(least, most);
}

DynamicScale DynamicScaleOf(float least, float most) {
  DynamicScale made{.scale = (most - least) / 255.0F};
  if (made.scale == 0) made.scale = 1;
  made.zero = made.Quantised(-least);
  return made;
}

double DynamicScale::Quantised(float value) const {
  return QuantizeOne(static_cast<double>(value / scale), zero, RangeOfInteger(DType::kUint8));
}

}  // namespace slipway::runtime
