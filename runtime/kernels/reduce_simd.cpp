// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/reduce_simd.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "runtime/kernels/reduce_simd.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::runtime::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Of accumulators: their number is that of the elements that are taken at once.
template <class A>
using Tag = hn::ScalableTag<A>;
template <class A>
using SomeTag = hn::CappedTag<A, 4>;
template <class A>
using OneTag = hn::CappedTag<A, 1>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A reduction takes a vector of elements by Step and joins accumulators by Join. What is kNeutral
/// changes nothing, as an element and as an accumulator.
struct Sum {
  using Accumulator = double;
  static constexpr float kNeutral = 0;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Step(D, V sum, V x) {
    return hn::Add(sum, x);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Join(D, V a, V b) {
    return hn::Add(a, b);
  }
};

struct SumOfSizes : Sum {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Step(D, V sum, V x) {
    return hn::Add(sum, hn::Abs(x));
  }
};

struct SumOfSquares : Sum {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Step(D, V sum, V x) {
    return hn::MulAdd(x, x, sum);
  }
};

struct Product {
  using Accumulator = double;
  static constexpr float kNeutral = 1;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Step(D, V product, V x) {
    return hn::Mul(product, x);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Join(D, V a, V b) {
    return hn::Mul(a, b);
  }
};

template <bool largest>
struct Most {
  using Accumulator = float;
  static constexpr float kNeutral = largest ? -kInfinity : kInfinity;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Step(D, V best, V x) {
    const auto is_better = largest ? hn::Gt(x, best) : hn::Lt(x, best);
    return hn::IfThenElse(hn::Or(is_better, hn::IsNaN(x)), x, best);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V Join(D tag, V a, V b) {
    return Step(tag, a, b);
  }
};

template <class D>
HWY_INLINE hn::Vec<D> Elements(D tag, const float* x) {
  if constexpr (std::is_same_v<hn::TFromD<D>, double>) {
    return hn::PromoteTo(tag, hn::LoadU(hn::Rebind<float, D>(), x));
  } else {
    return hn::LoadU(tag, x);
  }
}

/// All lanes joined, one half with the other.
template <class F, std::size_t lanes, class A = typename F::Accumulator>
HWY_INLINE A Joined(hn::Vec<hn::CappedTag<A, lanes>> all) {
  if constexpr (lanes == 1) {
    return hn::GetLane(all);
  } else {
    const hn::CappedTag<A, lanes / 2> half;
    A numbers[lanes];
    hn::StoreU(all, hn::CappedTag<A, lanes>(), numbers);
    return Joined<F, lanes / 2>(
        F::Join(half, hn::LoadU(half, numbers), hn::LoadU(half, numbers + lanes / 2)));
  }
}

/// What is left of a row from `first` on, fewer than a vector of them, and neutral ones.
template <class F, class D>
HWY_INLINE hn::Vec<D> Rest(D tag, const float* x, std::int64_t first, std::int64_t count) {
  constexpr std::int64_t kLanes = hn::MaxLanes(D());
  if (count >= kLanes) {
    const auto is_taken = hn::FirstN(tag, static_cast<std::size_t>(first - (count - kLanes)));
    const auto neutral = hn::Set(tag, static_cast<hn::TFromD<D>>(F::kNeutral));
    return hn::IfThenElse(is_taken, neutral, Elements(tag, x + count - kLanes));
  }
  float rest[kLanes];
  std::fill(std::copy(x + first, x + count, rest), rest + kLanes, F::kNeutral);
  return Elements(tag, rest);
}

/// In four accumulators that do not wait for one another.
template <class F, class A = typename F::Accumulator>
A Row(const float* x, std::int64_t count) {
  const Tag<A> tag;
  constexpr std::int64_t kLanes = hn::MaxLanes(Tag<A>());
  auto a = hn::Set(tag, static_cast<A>(F::kNeutral)), b = a, c = a, d = a;
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
    a = F::Step(tag, a, Elements(tag, x + i));
    b = F::Step(tag, b, Elements(tag, x + i + kLanes));
    c = F::Step(tag, c, Elements(tag, x + i + 2 * kLanes));
    d = F::Step(tag, d, Elements(tag, x + i + 3 * kLanes));
  }
  for (; i + kLanes <= count; i += kLanes) a = F::Step(tag, a, Elements(tag, x + i));
  if (i < count) b = F::Step(tag, b, Rest<F>(tag, x, i, count));
  return Joined<F, kLanes>(F::Join(tag, F::Join(tag, a, b), F::Join(tag, c, d)));
}

template <bool largest, class D, class V = hn::Vec<D>>
HWY_INLINE V Better(D, V a, V b) {
  return largest ? hn::Max(a, b) : hn::Min(a, b);
}

/// The extreme of at least a vector of numbers; false where some may be none: then a sum of all is
/// none.
template <bool largest>
HWY_INLINE bool ExtremeOfNumbers(const float* x, std::int64_t count, float& extreme) {
  const Tag<float> tag;
  constexpr std::int64_t kLanes = hn::MaxLanes(Tag<float>());
  auto a = hn::LoadU(tag, x), b = a, all = a, rest = hn::Zero(tag);
  const auto take = [&](std::int64_t at, auto& best, auto& sum) HWY_ATTR {
    const auto numbers = hn::LoadU(tag, x + at);
    best = Better<largest>(tag, best, numbers);
    sum = hn::Add(sum, numbers);
  };
  std::int64_t i = kLanes;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    take(i, a, all);
    take(i + kLanes, b, rest);
  }
  for (; i + kLanes <= count; i += kLanes) take(i, a, all);
  if (i < count) take(count - kLanes, b, rest);
  if (!hn::AllFalse(tag, hn::IsNaN(hn::Add(all, rest)))) return false;
  const auto best = Better<largest>(tag, a, b);
  extreme = hn::GetLane(largest ? hn::MaxOfLanes(tag, best) : hn::MinOfLanes(tag, best));
  return true;
}

template <bool largest>
void ExtremesOf(const float* x, std::int64_t rows, std::int64_t count, float* extremes) {
  for (std::int64_t r = 0; r < rows; ++r, x += count) {
    const bool is_long = count >= static_cast<std::int64_t>(hn::MaxLanes(Tag<float>()));
    if (is_long && ExtremeOfNumbers<largest>(x, count, extremes[r])) continue;
    extremes[r] = Row<Most<largest>>(x, count);
  }
}

template <class F, class A = typename F::Accumulator>
void Rows(const float* x, std::int64_t rows, std::int64_t count, A* results) {
  for (std::int64_t r = 0; r < rows; ++r) results[r] = Row<F>(x + r * count, count);
}

/// Takes `rows` rows at once, as accumulators are loaded and stored every time.
template <class F, int rows, class A = typename F::Accumulator>
HWY_INLINE void TakeRows(const ColumnsOf& from, const float* x, A* results) {
  const auto take = [&](auto tag, std::int64_t column) HWY_ATTR {
    auto result = hn::LoadU(tag, results + column);
    for (int r = 0; r < rows; ++r) {
      result = F::Step(tag, result, Elements(tag, x + r * from.step + column));
    }
    hn::StoreU(result, tag, results + column);
  };
  constexpr std::int64_t kLanes = hn::MaxLanes(Tag<A>());
  std::int64_t c = 0;
  for (; c + kLanes <= from.columns; c += kLanes) take(Tag<A>(), c);
  constexpr std::int64_t kSome = hn::MaxLanes(SomeTag<A>());
  for (; c + kSome <= from.columns; c += kSome) take(SomeTag<A>(), c);
  for (; c < from.columns; ++c) take(OneTag<A>(), c);
}

template <class F, class A = typename F::Accumulator>
void Columns(const ColumnsOf& from, A* results) {
  constexpr int kAtOnce = 4;
  std::fill_n(results, from.columns, static_cast<A>(F::kNeutral));
  std::int64_t r = 0;
  for (; r + kAtOnce <= from.count; r += kAtOnce) {
    TakeRows<F, kAtOnce>(from, from.x + r * from.step, results);
  }
  for (; r < from.count; ++r) TakeRows<F, 1>(from, from.x + r * from.step, results);
}

void TotalsOfRows(Total which, const float* x, std::int64_t rows, std::int64_t count,
                  double* totals) {
  switch (which) {
    case Total::kSum:
      return Rows<Sum>(x, rows, count, totals);
    case Total::kSumOfSizes:
      return Rows<SumOfSizes>(x, rows, count, totals);
    case Total::kSumOfSquares:
      return Rows<SumOfSquares>(x, rows, count, totals);
    case Total::kProduct:
      return Rows<Product>(x, rows, count, totals);
  }
}

void TotalsOfColumns(Total which, const ColumnsOf& from, double* totals) {
  switch (which) {
    case Total::kSum:
      return Columns<Sum>(from, totals);
    case Total::kSumOfSizes:
      return Columns<SumOfSizes>(from, totals);
    case Total::kSumOfSquares:
      return Columns<SumOfSquares>(from, totals);
    case Total::kProduct:
      return Columns<Product>(from, totals);
  }
}

void ExtremesOfRows(Extreme which, const float* x, std::int64_t rows, std::int64_t count,
                    float* extremes) {
  which == Extreme::kMax ? ExtremesOf<true>(x, rows, count, extremes)
                         : ExtremesOf<false>(x, rows, count, extremes);
}

void ExtremesOfColumns(Extreme which, const ColumnsOf& from, float* extremes) {
  which == Extreme::kMax ? Columns<Most<true>>(from, extremes)
                         : Columns<Most<false>>(from, extremes);
}

}  // namespace
}  // namespace slipway::runtime::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::runtime {

HWY_EXPORT(TotalsOfRows);
HWY_EXPORT(ExtremesOfRows);
HWY_EXPORT(TotalsOfColumns);
HWY_EXPORT(ExtremesOfColumns);

void ResultsOfRows(Total which, const float* x, std::int64_t rows, std::int64_t count,
                   double* results) {
  HWY_DYNAMIC_DISPATCH(TotalsOfRows)(which, x, rows, count, results);
}

void ResultsOfRows(Extreme which, const float* x, std::int64_t rows, std::int64_t count,
                   float* results) {
  HWY_DYNAMIC_DISPATCH(ExtremesOfRows)(which, x, rows, count, results);
}

void ResultsOfColumns(Total which, const ColumnsOf& from, double* results) {
  HWY_DYNAMIC_DISPATCH(TotalsOfColumns)(which, from, results);
}

void ResultsOfColumns(Extreme which, const ColumnsOf& from, float* results) {
  HWY_DYNAMIC_DISPATCH(ExtremesOfColumns)(which, from, results);
}

}  // namespace slipway::runtime
#endif
