// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/low_precision.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "runtime/kernels/byte_rows_simd.h"
#include "runtime/kernels/dnnl_helpers.h"
#include "runtime/kernels/quantize_simd.h"

namespace slipway::runtime {
namespace {

constexpr std::int32_t kMostByte = 127;
constexpr ByteScale kSteps{.scale = 1, .zero = 0, .least = -kMostByte, .most = kMostByte};

std::string LayoutName(std::string_view what, const ByteWeights& weights) {
  return Message(what, weights.by_columns ? " by columns " : " by rows ", weights.columns);
}

/// The weights in the order in which they lie: rows of `width` numbers.
struct Rows {
  explicit Rows(const ByteWeights& weights)
      : numbers(weights.weights.data<float>()),
        width(At(weights.by_columns ? weights.weights.size() / weights.columns : weights.columns)),
        count(numbers.size() / width) {}
  std::span<const float> row(std::size_t i) const { return numbers.subspan(i * width, width); }

  std::span<const float> numbers;
  std::size_t width, count;
};

/// Of what is no number, no number: its bits are larger than those of an infinity.
float LargerMagnitude(float largest, float number) {
  constexpr std::int32_t kNoSign = 0x7fffffff;
  const std::int32_t bits = std::bit_cast<std::int32_t>(number) & kNoSign;
  return std::bit_cast<float>(std::max(std::bit_cast<std::int32_t>(largest), bits));
}

Result<Tensor> MakeScales(const ByteWeights& weights) {
  Tensor scales = TRY(Tensor::Make(DType::kFloat32, {weights.columns}));
  const auto to = scales.data<float>();
  const Rows rows(weights);
  std::ranges::fill(to, 0.0F);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto row = rows.row(i);
    if (weights.by_columns) {
      to[i] = LargestMagnitude(row);
    } else {
      for (std::size_t c = 0; c < row.size(); ++c) to[c] = LargerMagnitude(to[c], row[c]);
    }
  }
  std::ranges::transform(to, to.begin(), ByteScaleOf);
  return scales;
}

/// In the order of the weights.
Result<Tensor> MakeBytes(const ByteWeights& weights, std::span<const float> scales) {
  Tensor bytes = TRY(Tensor::Make(DType::kInt8, weights.weights.shape()));
  const Rows rows(weights);
  CountedVector<float> steps(rows.width);
  for (std::size_t i = 0; i < rows.count; ++i) {
    const auto row = rows.row(i);
    for (std::size_t c = 0; c < row.size(); ++c) {
      const float scale = scales[weights.by_columns ? i : c];
      steps[c] = scale > 0 ? row[c] / scale : 0.0F;
    }
    QuantizeToBytes(steps, kSteps, bytes.data<std::int8_t>().data() + i * rows.width);
  }
  return bytes;
}

}  // namespace

Precision PrecisionOf(const NodeFacts& node) {
  const auto asked = PrecisionFromName(node.attributes.String("precision", "fp32"));
  return asked ? *asked : Precision::kFloat32;
}

std::string DeclineUnlessAsked(const NodeFacts& node, Precision precision) {
  return PrecisionOf(node) == precision
             ? ""
             : Message(PrecisionName(precision), " is not asked for, or gains nothing");
}

dnnl::memory::data_type DnnlTypeOf(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return dnnl::memory::data_type::f32;
    case Precision::kBfloat16:
      return dnnl::memory::data_type::bf16;
    case Precision::kInt8:
      return dnnl::memory::data_type::s8;
  }
  return dnnl::memory::data_type::undef;
}

float ByteScaleOf(float magnitude) {
  return std::isfinite(magnitude) ? magnitude / kMostByte : std::numeric_limits<float>::quiet_NaN();
}

Result<Tensor> ScalesOf(CpuContext& cpu, const ByteWeights& weights) {
  return cpu.Packed(weights.weights, LayoutName("scales", weights),
                    [&] { return MakeScales(weights); });
}

Result<Tensor> PackedBytesOf(CpuContext& cpu, const ByteWeights& weights, const Tensor& scales,
                             const dnnl::memory::desc& have, const dnnl::memory::desc& want) {
  std::string key = LayoutName("bytes", weights);
  key.append(reinterpret_cast<const char*>(&want.data), sizeof(want.data));
  key.append(reinterpret_cast<const char*>(&have.data), sizeof(have.data));
  return cpu.Packed(weights.weights, key, [&]() -> Result<Tensor> {
    const Tensor bytes = TRY(MakeBytes(weights, scales.data<float>()));
    const auto size = static_cast<std::int64_t>(want.get_size());
    Tensor packed = TRY(Tensor::Make(DType::kUint8, {size}));
    try {
      dnnl::memory from = Over(have, cpu.engine(), bytes.raw());
      dnnl::memory to = Over(want, cpu.engine(), packed.raw());
      Reorder(from, to, cpu.engine());
    } catch (const dnnl::error& error) {
      return DnnlError("packing weights", error);
    }
    return packed;
  });
}

dnnl::memory::desc WithType(const dnnl::memory::desc& plain, dnnl::memory::data_type type) {
  dnnl::memory::desc typed = plain;
  typed.data.data_type = static_cast<dnnl_data_type_t>(type);
  return typed;
}

bool GainsByPrecision(double sums, std::int64_t terms, double uses, double least_uses) {
  constexpr double kLeastProducts = 1 << 18;
  constexpr std::int64_t kLeastTerms = 64;
  // More of them may not fit 32 bits.
  constexpr std::int64_t kMostTerms = 1 << 16;
  return terms >= kLeastTerms && terms <= kMostTerms && uses >= least_uses &&
         sums * static_cast<double>(terms) >= kLeastProducts;
}

}  // namespace slipway::runtime
