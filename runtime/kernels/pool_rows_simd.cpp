// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/pool_rows_simd.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/pool_rows_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// The windows of a row of the output along depth and height.
struct Lines {
  const PoolSpan &depth, &height;
  const float* x;  ///< the first of them
  std::int64_t deep, down;
};

/// Calls each(lines, index) for rows [begin, end) of the output.
template <class Each>
HWY_INLINE void ForRows(const PoolRows& p, std::int64_t begin, std::int64_t end, const float* plane,
                        const Each& each) {
  const std::int64_t line = p.width.input * p.block, image = p.height.input * line;
  const auto rows = static_cast<std::int64_t>(p.height.spans.size());
  const PoolSpan* depth = p.depth.spans.data() + begin / rows;
  const PoolSpan* height = p.height.spans.data() + begin % rows;
  for (std::int64_t i = 0; i < end - begin; ++i) {
    each(Lines{.depth = *depth,
               .height = *height,
               .x = plane + depth->first * image + height->first * line,
               .deep = p.depth.dilation * image,
               .down = p.height.dilation * line},
         i);
    if (++height == p.height.spans.data() + rows) {
      height = p.height.spans.data();
      ++depth;
    }
  }
}

/// Calls each(tag, position) for vectors of `tag` that cover `size` numbers, the last ones twice;
/// false where they are fewer than one.
template <class Tag, class Each>
HWY_INLINE bool CoveredBy(std::int64_t size, const Each& each) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  if (size < lanes) return false;
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes) each(tag, i);
  if (i < size) each(tag, size - lanes);
  return true;
}

/// Rows of a few columns fill no vectors of the widest kind.
template <class Each>
HWY_INLINE void ForVectors(std::int64_t size, const Each& each) {
  constexpr std::int64_t kLong = 128;
  if (size >= kLong && CoveredBy<hn::ScalableTag<float>>(size, each)) return;
  CoveredBy<hn::CappedTag<float, 8>>(size, each) ||
      CoveredBy<hn::CappedTag<float, 4>>(size, each) ||
      CoveredBy<hn::CappedTag<float, 2>>(size, each) ||
      CoveredBy<hn::CappedTag<float, 1>>(size, each);
}

template <bool average, class Vector>
HWY_INLINE Vector Join(Vector result, Vector number) {
  if constexpr (average) {
    return hn::Add(result, number);
  } else {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
    return hn::Max(number, result);  // the second, where one is no number
#else
    return hn::IfThenElse(hn::Gt(number, result), number, result);
#endif
  }
}

/// Calls run(constant) with a count that loops may be unrolled by, or 0 for any other.
template <class Run>
HWY_INLINE void WithCount(std::int64_t count, const Run& run) {
  if (count == 1) return run(std::integral_constant<int, 1>());
  if (count == 2) return run(std::integral_constant<int, 2>());
  if (count == 3) return run(std::integral_constant<int, 3>());
  run(std::integral_constant<int, 0>());
}

/// Joins the lines that windows cover to one; whether a largest number is none.
template <bool average>
HWY_INLINE bool JoinLines(const Lines& lines, std::int64_t size, float* line) {
  bool none = false;
  WithCount(lines.depth.size == 1 ? lines.height.size : 0, [&](auto known) HWY_ATTR {
    constexpr int kKnown = decltype(known)::value;
    const std::int64_t height = kKnown > 0 ? kKnown : lines.height.size;
    const std::int64_t depth = kKnown > 0 ? 1 : lines.depth.size;
    ForVectors(size, [&](auto tag, std::int64_t i) HWY_ATTR {
      auto result = hn::LoadU(tag, lines.x + i);
      for (std::int64_t a = 0; a < depth; ++a) {
        const float* x = lines.x + i + a * lines.deep;
        for (std::int64_t b = a == 0 ? 1 : 0; b < height; ++b) {
          result = Join<average>(result, hn::LoadU(tag, x + b * lines.down));
        }
      }
      if constexpr (!average) none |= !hn::AllFalse(tag, hn::IsNaN(result));
      hn::StoreU(result, tag, line + i);
    });
  });
  return none;
}

/// A row of the output, and what its averages are taken over along depth and height.
struct Row {
  float* y;
  float count;
};

template <bool average, class Tag>
HWY_INLINE void Finish(const PoolRows& p, const Row& row, Tag tag, std::int64_t i,
                       hn::Vec<Tag> result) {
  if constexpr (average) {
    const auto along = hn::LoadU(tag, p.counts.data() + i);
    result = hn::Div(result, hn::Mul(along, hn::Set(tag, row.count)));
  }
  hn::StoreU(result, tag, row.y + i);
}

/// `size` numbers of the output from `at` on: what as many from x[0] on and those of the other
/// columns of their windows are joined to.
template <bool average, int known>
HWY_INLINE void JoinAlong(const PoolRows& p, const float* x, const Row& row, std::int64_t at,
                          std::int64_t size) {
  const std::int64_t taps = known > 0 ? known : p.width.kernel;
  const std::int64_t step = p.width.dilation * p.block;
  ForVectors(size, [&](auto tag, std::int64_t i) HWY_ATTR {
    auto result = hn::LoadU(tag, x + i);
    for (std::int64_t k = 1; k < taps; ++k) {
      result = Join<average>(result, hn::LoadU(tag, x + i + k * step));
    }
    Finish<average>(p, row, tag, at + i, result);
  });
}

/// The same of every second number.
template <bool average, int known>
HWY_INLINE void JoinSeconds(const PoolRows& p, const float* x, const Row& row, std::int64_t size) {
  const std::int64_t taps = known > 0 ? known : p.width.kernel;
  ForVectors(size, [&](auto tag, std::int64_t i) HWY_ATTR {
    hn::Vec<decltype(tag)> even, odd;
    hn::LoadInterleaved2(tag, x + 2 * i, even, odd);
    auto result = taps == 1 ? even : Join<average>(even, odd);
    for (std::int64_t k = 2; k < taps; k += 2) {
      hn::LoadInterleaved2(tag, x + 2 * i + k, even, odd);
      result = Join<average>(result, even);
      if (k + 1 < taps) result = Join<average>(result, odd);
    }
    Finish<average>(p, row, tag, i, result);
  });
}

/// The windows along a line that begins with padding.
template <bool average, int known>
HWY_INLINE void JoinColumns(const PoolRows& p, const float* line, const Row& row) {
  const auto windows = static_cast<std::int64_t>(p.width.spans.size());
  if (p.width.stride == 1) {
    return JoinAlong<average, known>(p, line, row, 0, windows * p.block);
  }
  if (p.block == 1 && p.width.stride == 2 && p.width.dilation == 1) {
    return JoinSeconds<average, known>(p, line, row, windows);
  }
  for (std::int64_t j = 0; j < windows; ++j) {
    const float* x = line + j * p.width.stride * p.block;
    JoinAlong<average, known>(p, x, row, j * p.block, p.block);
  }
}

/// Window by window, which tells what is no number from what is not there.
void LargestOfEach(const PoolRows& p, const Lines& lines, float* y) {
  for (const PoolSpan& span : p.width.spans) {
    for (std::int64_t c = 0; c < p.block; ++c) {
      const float* x = lines.x + span.first * p.block + c;
      float most = *x;
      for (std::int64_t a = 0; a < lines.depth.size; ++a) {
        for (std::int64_t b = 0; b < lines.height.size; ++b) {
          const float* line = x + a * lines.deep + b * lines.down;
          for (std::int64_t k = 0; k < span.size; ++k) {
            const float number = line[k * p.width.dilation * p.block];
            most = number > most ? number : most;
          }
        }
      }
      *y++ = most;
    }
  }
}

/// A window of blocks whose first is at `x`, of lines of so many taps.
template <bool average, int known, int block>
HWY_INLINE void JoinBlock(const PoolRows& p, const Lines& lines, const float* x, std::int64_t taps,
                          float count, float* y) {
  const hn::CappedTag<float, block> tag;
  if (known > 0) taps = known;
  const std::int64_t height = lines.height.size, step = p.width.dilation * block;
  for (int i = 0; i < block; i += static_cast<int>(hn::MaxLanes(tag))) {
    const float* line = x + i;
    auto result = average ? hn::Zero(tag) : hn::LoadU(tag, line);
    for (std::int64_t b = 0; b < height; ++b, line += lines.down) {
      for (std::int64_t k = 0; k < taps; ++k) {
        result = Join<average>(result, hn::LoadU(tag, line + k * step));
      }
    }
    hn::StoreU(average ? hn::Div(result, hn::Set(tag, count)) : result, tag, y + i);
  }
}

/// The windows of rows of blocks, each by itself.
template <bool average, int block>
void RowsOfBlocks(const PoolRows& p, std::int64_t begin, std::int64_t end, const float* x,
                  float* y) {
  WithCount(p.width.kernel, [&](auto known) HWY_ATTR {
    ForRows(p, begin, end, x, [&](const Lines& lines, std::int64_t) HWY_ATTR {
      const float count = lines.depth.count * lines.height.count;
      for (const PoolSpan& span : p.width.spans) {
        const float* const first = lines.x + span.first * block;
        if (span.size == p.width.kernel) {
          JoinBlock<average, decltype(known)::value, block>(p, lines, first, span.size,
                                                            count * span.count, y);
        } else {
          JoinBlock<average, 0, block>(p, lines, first, span.size, count * span.count, y);
        }
        y += block;
      }
    });
  });
}

/// Whether windows of blocks share so little that to join lines first spares nothing.
bool AreApart(const PoolRows& p) {
  constexpr std::int64_t kMost = 16;
  return (p.block == 8 || p.block == 16) && p.depth.kernel == 1 && p.width.stride > 1 &&
         p.height.kernel * p.width.kernel <= kMost;
}

/// First all lines, then all rows: what was just stored is not read by other pieces at once.
template <bool average>
void Rows(const PoolRows& p, std::int64_t begin, std::int64_t end, const float* x, float* room,
          float* y) {
  const std::int64_t size = static_cast<std::int64_t>(p.width.spans.size()) * p.block;
  const std::int64_t covered = std::min(p.width.input, p.width.reach() - p.width.pad) * p.block;
  if (AreApart(p)) {
    return p.block == 8 ? RowsOfBlocks<average, 8>(p, begin, end, x, y)
                        : RowsOfBlocks<average, 16>(p, begin, end, x, y);
  }
  float* const lines_at = room + p.width.pad * p.block;
  bool none = false;
  ForRows(p, begin, end, x, [&](const Lines& lines, std::int64_t i) HWY_ATTR {
    none |= JoinLines<average>(lines, covered, lines_at + i * p.line());
  });
  if (none) {
    return ForRows(p, begin, end, x, [&](const Lines& lines, std::int64_t i) HWY_ATTR {
      LargestOfEach(p, lines, y + i * size);
    });
  }
  WithCount(p.width.kernel, [&](auto known) HWY_ATTR {
    ForRows(p, begin, end, x, [&](const Lines& lines, std::int64_t i) HWY_ATTR {
      const Row row{y + i * size, lines.depth.count * lines.height.count};
      JoinColumns<average, decltype(known)::value>(p, room + i * p.line(), row);
    });
  });
}

void RunPoolRows(const PoolRows& p, std::int64_t begin, std::int64_t end, const float* x,
                 float* room, float* y) {
  p.average() ? Rows<true>(p, begin, end, x, room, y) : Rows<false>(p, begin, end, x, room, y);
}

std::int64_t MostLanes() { return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(RunPoolRows);
HWY_EXPORT(MostLanes);

CountedVector<float> PoolRoom(const PoolRows& pool, std::int64_t rows) {
  const std::int64_t beyond = 2 * HWY_DYNAMIC_DISPATCH(MostLanes)();
  const float empty = pool.average() ? 0 : -std::numeric_limits<float>::infinity();
  return CountedVector<float>(static_cast<std::size_t>(rows * pool.line() + beyond), empty);
}

void RunPoolRows(const PoolRows& pool, std::int64_t begin, std::int64_t end, const float* x,
                 CountedVector<float>& room, float* y) {
  HWY_DYNAMIC_DISPATCH(RunPoolRows)(pool, begin, end, x, room.data(), y);
}

}  // namespace slipway::runtime
#endif
