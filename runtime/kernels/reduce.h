// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/integer_math.h"
#include "runtime/op.h"

/// Reductions of rows. A reduction has an accumulator that starts at Start, takes elements by
/// Step, joins with others by Join and becomes the result by Finish.
namespace slipway::runtime {

/// Sums of floats are kept in double, those of integers in 64 bits.
template <class T>
using Sum64 =
    std::conditional_t<kIsHalf<T> || std::is_floating_point_v<T>, double,
                       std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;

template <class A>
A AddUp(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return WrapAdd(a, b);
  } else {
    return a + b;
  }
}

template <class A>
A Multiply(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return WrapMul(a, b);
  } else {
    return a * b;
  }
}

struct SumOf {
  template <class T>
  static Sum64<T> Start() {
    return 0;
  }
  template <class A>
  static A Step(A sum, A x) {
    return AddUp(sum, x);
  }
  template <class A>
  static A Join(A a, A b) {
    return AddUp(a, b);
  }
  template <class A>
  static A Finish(A sum, std::int64_t) {
    return sum;
  }
};

struct MeanOf : SumOf {
  template <class A>
  static A Finish(A sum, std::int64_t count) {
    if constexpr (std::is_integral_v<A>) {
      return SafeDiv(sum, static_cast<A>(count));
    } else {
      return sum / static_cast<A>(count);
    }
  }
};

struct L1Of : SumOf {
  template <class A>
  static A Step(A sum, A x) {
    if constexpr (std::is_unsigned_v<A>) {
      return AddUp(sum, x);
    } else {
      return x < 0 ? AddUp(sum, Multiply(A{-1}, x)) : AddUp(sum, x == 0 ? A{0} : x);
    }
  }
};

struct SumSquareOf : SumOf {
  template <class A>
  static A Step(A sum, A x) {
    return AddUp(sum, Multiply(x, x));
  }
};

struct L2Of : SumSquareOf {
  template <class A>
  static A Finish(A sum, std::int64_t) {
    return static_cast<A>(std::sqrt(static_cast<double>(sum)));
  }
};

struct LogSumOf : SumOf {
  template <class A>
  static A Finish(A sum, std::int64_t) {
    const double log = std::log(static_cast<double>(sum));
    if constexpr (std::is_integral_v<A>) return std::isfinite(log) ? static_cast<A>(log) : A{0};
    return static_cast<A>(log);
  }
};

struct ProductOf : SumOf {
  template <class T>
  static Sum64<T> Start() {
    return 1;
  }
  template <class A>
  static A Step(A product, A x) {
    return Multiply(product, x);
  }
  template <class A>
  static A Join(A a, A b) {
    return Multiply(a, b);
  }
};

struct MaxOf {
  template <class T>
  static Compute<T> Start() {
    using L = std::numeric_limits<Compute<T>>;
    return L::has_infinity ? -L::infinity() : L::lowest();
  }
  template <class A>
  static A Step(A best, A x) {
    return x > best || x != x ? x : best;
  }
  template <class A>
  static A Join(A a, A b) {
    return a != a ? a : Step(a, b);
  }
  template <class A>
  static A Finish(A best, std::int64_t) {
    return best;
  }
};

struct MinOf : MaxOf {
  template <class T>
  static Compute<T> Start() {
    using L = std::numeric_limits<Compute<T>>;
    return L::has_infinity ? L::infinity() : L::max();
  }
  template <class A>
  static A Step(A best, A x) {
    return x < best || x != x ? x : best;
  }
  template <class A>
  static A Join(A a, A b) {
    return a != a ? a : Step(a, b);
  }
};

/// Keeps the largest element and the sum of exponentials relative to it.
struct LogSumExpOf {};

/// A tensor as [outer, count, inner], of which the middle is reduced.
struct ReducedBox {
  std::int64_t outer = 1, count = 1, inner = 1;
};
/// None where it is none: what is reduced does not lie together.
std::optional<ReducedBox> ReducedBoxOf(const Shape& shape, const std::vector<bool>& reduced);

/// The elements of `x` ordered so that those reduced together are neighbours: `x` itself, or a
/// copy.
Result<Tensor> ReducedInside(KernelContext& context, const Tensor& x,
                             const std::vector<bool>& reduced);

template <class F, class T>
T ReduceRow(const T* row, std::int64_t count) {
  using A = decltype(F::template Start<T>());
  constexpr std::int64_t kLanes = 8;
  std::array<A, kLanes> lanes;
  lanes.fill(F::template Start<T>());
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      lanes[k] = F::Step(lanes[k], static_cast<A>(row[i + static_cast<std::int64_t>(k)]));
    }
  }
  A all = lanes[0];
  for (std::size_t k = 1; k < kLanes; ++k) all = F::Join(all, lanes[k]);
  for (; i < count; ++i)
    all = F::Join(F::Step(F::template Start<T>(), static_cast<A>(row[i])), all);
  return static_cast<T>(F::Finish(all, count));
}

template <class T>
T LogSumExpRow(const T* row, std::int64_t count) {
  double largest = -std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(row[i]);
    if (x > largest || x != x) largest = x;
  }
  if (!std::isfinite(largest)) {
    if constexpr (std::is_integral_v<T>)
      return T{0};
    else
      return static_cast<T>(largest);
  }
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(row[i]) - largest);
  return static_cast<T>(std::log(sum) + largest);
}

/// y[r] = reduction of row r, `count` elements each.
template <class F, class T>
void ReduceRows(KernelContext& context, const T* x, T* y, std::int64_t rows, std::int64_t count) {
  const std::int64_t grain =
      std::max<std::int64_t>(1, (8 << 10) / std::max<std::int64_t>(count, 1));
  context.ParallelFor(rows, grain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if constexpr (std::is_same_v<F, LogSumExpOf>) {
        y[r] = LogSumExpRow(x + r * count, count);
      } else {
        y[r] = ReduceRow<F>(x + r * count, count);
      }
    }
  });
}

}  // namespace slipway::runtime
