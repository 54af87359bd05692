// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/byte_quads_simd.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/byte_quads_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Bytes = hn::ScalableTag<std::uint8_t>;

void Interleave(const std::array<const std::uint8_t*, 4>& rows, std::int64_t count,
                std::uint8_t flip, std::uint8_t* to) {
  const Bytes tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto flips = hn::Set(tag, flip);
  const auto row = [&](std::size_t r, std::int64_t i)
                       HWY_ATTR { return hn::Xor(hn::LoadU(tag, rows[r] + i), flips); };
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreInterleaved4(row(0, i), row(1, i), row(2, i), row(3, i), tag, to + i * 4);
  }
  for (; i < count; ++i) {
    for (std::size_t r = 0; r < 4; ++r) {
      to[i * 4 + static_cast<std::int64_t>(r)] = static_cast<std::uint8_t>(rows[r][i] ^ flip);
    }
  }
}

using Quads = hn::ScalableTag<std::uint32_t>;

const std::uint32_t* Words(const std::uint8_t* bytes) {
  return reinterpret_cast<const std::uint32_t*>(bytes);
}

/// `load`: a vector of quads from there.
template <class Load>
void CopyVectors(const QuadRows& r, Load load) {
  const Quads tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t i = 0; i < r.count; i += lanes) {
    const auto some = hn::FirstN(tag, static_cast<std::size_t>(std::min(lanes, r.count - i)));
    const std::uint8_t* from = r.from + i * r.stride * 4;
    std::uint8_t* to = r.to + i * 4;
    for (std::int64_t k = 0; k < r.rows; ++k, from += r.from_step, to += r.to_step) {
      hn::BlendedStore(load(Words(from)), some, tag, reinterpret_cast<std::uint32_t*>(to));
    }
  }
}

void CopyApart(const QuadRows& r) {
  for (std::int64_t k = 0; k < r.rows; ++k) {
    const std::uint8_t* from = r.from + k * r.from_step;
    std::uint8_t* to = r.to + k * r.to_step;
    for (std::int64_t i = 0; i < r.count; ++i, from += r.stride * 4, to += 4) {
      std::memcpy(to, from, 4);
    }
  }
}

void Copy(const QuadRows& r) {
  const Quads tag;
  if (r.stride == 1) {
    return CopyVectors(r, [&](const std::uint32_t* from) HWY_ATTR { return hn::LoadU(tag, from); });
  }
  if (r.stride != 2) return CopyApart(r);
  CopyVectors(r, [&](const std::uint32_t* from) HWY_ATTR {
    hn::Vec<Quads> even, odd;
    hn::LoadInterleaved2(tag, from, even, odd);
    return even;
  });
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(Interleave);
HWY_EXPORT(Copy);

void InterleaveBytes(const std::array<const std::uint8_t*, 4>& rows, std::int64_t count,
                     std::uint8_t flip, std::uint8_t* to) {
  HWY_DYNAMIC_DISPATCH(Interleave)(rows, count, flip, to);
}

void CopyQuads(const QuadRows& rows) { HWY_DYNAMIC_DISPATCH(Copy)(rows); }

}  // namespace slipway::runtime
#endif
