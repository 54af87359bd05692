// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/weave_simd.h"

#include <cstddef>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/weave_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Lines of so many elements, `step` apart.
template <class T>
struct Lines {
  T* first;
  std::int64_t step, count;
};

/// The elements from `i` on that vectors of `tag` hold; where they end.
template <int lines, class Tag, class T>
HWY_INLINE std::int64_t WeaveBy(Tag tag, const Lines<const T>& from, std::int64_t i, T* to) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (; i + lanes <= from.count; i += lanes) {
    const T* const x = from.first + i;
    const auto a = hn::LoadU(tag, x), b = hn::LoadU(tag, x + from.step);
    if constexpr (lines == 2) {
      hn::StoreInterleaved2(a, b, tag, to + i * 2);
    } else if constexpr (lines == 3) {
      hn::StoreInterleaved3(a, b, hn::LoadU(tag, x + 2 * from.step), tag, to + i * 3);
    } else {
      const auto c = hn::LoadU(tag, x + 2 * from.step), d = hn::LoadU(tag, x + 3 * from.step);
      hn::StoreInterleaved4(a, b, c, d, tag, to + i * 4);
    }
  }
  return i;
}

template <int lines, class Tag, class T>
HWY_INLINE std::int64_t UnweaveBy(Tag tag, const T* from, std::int64_t i, const Lines<T>& to) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (; i + lanes <= to.count; i += lanes) {
    hn::Vec<Tag> a, b, c, d;
    if constexpr (lines == 2) {
      hn::LoadInterleaved2(tag, from + i * 2, a, b);
    } else if constexpr (lines == 3) {
      hn::LoadInterleaved3(tag, from + i * 3, a, b, c);
    } else {
      hn::LoadInterleaved4(tag, from + i * 4, a, b, c, d);
    }
    T* const y = to.first + i;
    hn::StoreU(a, tag, y);
    hn::StoreU(b, tag, y + to.step);
    if constexpr (lines > 2) hn::StoreU(c, tag, y + 2 * to.step);
    if constexpr (lines > 3) hn::StoreU(d, tag, y + 3 * to.step);
  }
  return i;
}

template <int lines, class T>
void Weave(const Lines<const T>& from, T* to) {
  std::int64_t i = WeaveBy<lines>(hn::ScalableTag<T>(), from, 0, to);
  i = WeaveBy<lines>(hn::CappedTag<T, 16 / sizeof(T)>(), from, i, to);
  for (; i < from.count; ++i) {
    for (int k = 0; k < lines; ++k) to[i * lines + k] = from.first[k * from.step + i];
  }
}

template <int lines, class T>
void Unweave(const T* from, const Lines<T>& to) {
  std::int64_t i = UnweaveBy<lines>(hn::ScalableTag<T>(), from, 0, to);
  i = UnweaveBy<lines>(hn::CappedTag<T, 16 / sizeof(T)>(), from, i, to);
  for (; i < to.count; ++i) {
    for (int k = 0; k < lines; ++k) to.first[k * to.step + i] = from[i * lines + k];
  }
}

template <class T>
void WeaveLinesOf(const void* from, std::int64_t step, std::int64_t lines, std::int64_t count,
                  void* to) {
  const Lines<const T> all{static_cast<const T*>(from), step, count};
  T* const out = static_cast<T*>(to);
  if (lines == 2) return Weave<2>(all, out);
  if (lines == 3) return Weave<3>(all, out);
  Weave<4>(all, out);
}

template <class T>
void UnweaveLinesOf(const void* from, std::int64_t lines, std::int64_t count, void* to,
                    std::int64_t step) {
  const Lines<T> all{static_cast<T*>(to), step, count};
  const T* const in = static_cast<const T*>(from);
  if (lines == 2) return Unweave<2>(in, all);
  if (lines == 3) return Unweave<3>(in, all);
  Unweave<4>(in, all);
}

void WeaveLines(const void* from, std::int64_t step, std::int64_t lines, std::int64_t count,
                std::size_t bytes, void* to) {
  if (bytes == 1) return WeaveLinesOf<std::uint8_t>(from, step, lines, count, to);
  if (bytes == 2) return WeaveLinesOf<std::uint16_t>(from, step, lines, count, to);
  if (bytes == 4) return WeaveLinesOf<std::uint32_t>(from, step, lines, count, to);
  WeaveLinesOf<std::uint64_t>(from, step, lines, count, to);
}

void UnweaveLines(const void* from, std::int64_t lines, std::int64_t count, std::size_t bytes,
                  void* to, std::int64_t step) {
  if (bytes == 1) return UnweaveLinesOf<std::uint8_t>(from, lines, count, to, step);
  if (bytes == 2) return UnweaveLinesOf<std::uint16_t>(from, lines, count, to, step);
  if (bytes == 4) return UnweaveLinesOf<std::uint32_t>(from, lines, count, to, step);
  UnweaveLinesOf<std::uint64_t>(from, lines, count, to, step);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(WeaveLines);
HWY_EXPORT(UnweaveLines);

void WeaveLines(const void* from, std::int64_t step, std::int64_t lines, std::int64_t count,
                std::size_t bytes, void* to) {
  HWY_DYNAMIC_DISPATCH(WeaveLines)(from, step, lines, count, bytes, to);
}

void UnweaveLines(const void* from, std::int64_t lines, std::int64_t count, std::size_t bytes,
                  void* to, std::int64_t step) {
  HWY_DYNAMIC_DISPATCH(UnweaveLines)(from, lines, count, bytes, to, step);
}

}  // namespace slipway::runtime
#endif
