// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/layer_norm_simd.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/layer_norm_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, Doubles>;
using Wide = hn::Vec<Doubles>;

std::int64_t Lanes() { return static_cast<std::int64_t>(hn::Lanes(Doubles())); }

Wide Load(const float* from) { return hn::PromoteTo(Doubles(), hn::LoadU(Floats(), from)); }
void Store(Wide value, float* to) { hn::StoreU(hn::DemoteTo(Floats(), value), Floats(), to); }
double Total(Wide sum) { return hn::GetLane(hn::SumOfLanes(Doubles(), sum)); }

/// The sum of term(i) of whole vectors, in two sums that do not wait for one another, and of
/// rest(i) of what is left.
template <class Term, class Rest>
HWY_INLINE double SumOf(std::int64_t count, const Term& term, const Rest& rest) {
  const std::int64_t lanes = Lanes();
  Wide even = hn::Zero(Doubles());
  Wide odd = hn::Zero(Doubles());
  std::int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    even = hn::Add(even, term(i));
    odd = hn::Add(odd, term(i + lanes));
  }
  for (; i + lanes <= count; i += lanes) even = hn::Add(even, term(i));
  double sum = Total(hn::Add(even, odd));
  for (; i < count; ++i) sum += rest(i);
  return sum;
}

/// Brings the row into `room`; its sum, or that of its squares.
template <bool squares>
double Gather(const RowInput& in, float* kept, double* room) {
  const auto term = [&](std::int64_t i) HWY_ATTR {
    Wide value = Load(in.x + i);
    if (in.skip != nullptr) value = hn::Add(value, Load(in.skip + i));
    if (in.bias != nullptr) value = hn::Add(value, Load(in.bias + i));
    if (kept != nullptr) Store(value, kept + i);
    hn::StoreU(value, Doubles(), room + i);
    return squares ? hn::Mul(value, value) : value;
  };
  const auto rest = [&](std::int64_t i) {
    double value = static_cast<double>(in.x[i]);
    if (in.skip != nullptr) value += static_cast<double>(in.skip[i]);
    if (in.bias != nullptr) value += static_cast<double>(in.bias[i]);
    if (kept != nullptr) kept[i] = static_cast<float>(value);
    room[i] = value;
    return squares ? value * value : value;
  };
  return SumOf(in.count, term, rest);
}

double InverseOf(double squares, std::int64_t count, double epsilon) {
  return 1 / std::sqrt(squares / static_cast<double>(count) + epsilon);
}

/// Of the row that Gather brings into `room`.
RowMoments MomentsOf(const RowInput& in, const RowNorm& norm, double* room) {
  if (!norm.centered) {
    return {.inverse = InverseOf(Gather<true>(in, norm.sum, room), in.count, norm.epsilon)};
  }
  RowMoments moments{.mean = Gather<false>(in, norm.sum, room) / static_cast<double>(in.count)};
  const auto mean = hn::Set(Doubles(), moments.mean);
  const auto square = [&](std::int64_t i) HWY_ATTR {
    const Wide value = hn::Sub(hn::LoadU(Doubles(), room + i), mean);
    return hn::Mul(value, value);
  };
  const auto one = [&](std::int64_t i) {
    return (room[i] - moments.mean) * (room[i] - moments.mean);
  };
  moments.inverse = InverseOf(SumOf(in.count, square, one), in.count, norm.epsilon);
  return moments;
}

RowMoments NormalizeRow(const RowInput& in, const RowNorm& norm, double* room) {
  const RowMoments moments = MomentsOf(in, norm, room);
  if (norm.y == nullptr) return moments;
  const auto mean = hn::Set(Doubles(), moments.mean);
  const auto inverse = hn::Set(Doubles(), moments.inverse);
  std::int64_t i = 0;
  for (; i + Lanes() <= in.count; i += Lanes()) {
    const Wide normal = hn::Mul(hn::Sub(hn::LoadU(Doubles(), room + i), mean), inverse);
    const Wide scaled = hn::Mul(normal, Load(norm.scale + i));
    Store(norm.shift == nullptr ? scaled : hn::Add(scaled, Load(norm.shift + i)), norm.y + i);
  }
  for (; i < in.count; ++i) {
    const double normal = (room[i] - moments.mean) * moments.inverse;
    const double shift = norm.shift == nullptr ? 0 : static_cast<double>(norm.shift[i]);
    norm.y[i] = static_cast<float>(normal * static_cast<double>(norm.scale[i]) + shift);
  }
  return moments;
}

RowMoments MomentsOfRow(const float* x, std::int64_t count, double epsilon) {
  const auto term = [&](std::int64_t i) HWY_ATTR { return Load(x + i); };
  const auto rest = [&](std::int64_t i) { return static_cast<double>(x[i]); };
  RowMoments moments{.mean = SumOf(count, term, rest) / static_cast<double>(count)};
  const auto mean = hn::Set(Doubles(), moments.mean);
  const auto square = [&](std::int64_t i) HWY_ATTR {
    const Wide value = hn::Sub(Load(x + i), mean);
    return hn::Mul(value, value);
  };
  const auto one = [&](std::int64_t i) {
    const double value = static_cast<double>(x[i]) - moments.mean;
    return value * value;
  };
  moments.inverse = InverseOf(SumOf(count, square, one), count, epsilon);
  return moments;
}

void ScaleRow(const float* x, std::int64_t count, double factor, double offset, float* y) {
  const auto by = hn::Set(Doubles(), factor);
  const auto plus = hn::Set(Doubles(), offset);
  std::int64_t i = 0;
  for (; i + Lanes() <= count; i += Lanes()) Store(hn::MulAdd(Load(x + i), by, plus), y + i);
  for (; i < count; ++i) y[i] = static_cast<float>(static_cast<double>(x[i]) * factor + offset);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(NormalizeRow);
HWY_EXPORT(MomentsOfRow);
HWY_EXPORT(ScaleRow);

RowMoments NormalizeRow(const RowInput& input, const RowNorm& norm, double* room) {
  return HWY_DYNAMIC_DISPATCH(NormalizeRow)(input, norm, room);
}

RowMoments MomentsOfRow(const float* x, std::int64_t count, double epsilon) {
  return HWY_DYNAMIC_DISPATCH(MomentsOfRow)(x, count, epsilon);
}

void ScaleRow(const float* x, std::int64_t count, double factor, double offset, float* y) {
  HWY_DYNAMIC_DISPATCH(ScaleRow)(x, count, factor, offset, y);
}

}  // namespace slipway::runtime
#endif
