// SPDX-License-Identifier: Apache-2.0
// Unique (opsets 11, 28). Spec: https://onnx.ai/onnx/operators/onnx__Unique.html
// As in NumPy NaN is the largest number and equal to itself; complex numbers are in order of
// their real, then imaginary parts.
#include <algorithm>
#include <complex>
#include <functional>
#include <numeric>
#include <optional>
#include <string>

#include "base/limits.h"
#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sort.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

template <class T>
int Order(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    const int real = Order(a.real(), b.real());
    return real != 0 ? real : Order(a.imag(), b.imag());
  } else if constexpr (kIsHalf<T>) {
    return Order(static_cast<float>(a), static_cast<float>(b));
  } else {
    if constexpr (std::is_floating_point_v<T>) {
      const bool none = a != a;
      if (none || b != b) return none == (b != b) ? 0 : none ? 1 : -1;
    }
    return a < b ? -1 : b < a ? 1 : 0;
  }
}

/// The items along an axis, or the elements of the flattened tensor: how they lie in it.
struct Items {
  std::int64_t count = 0, outer = 1, inner = 1;

  static Items Of(const Shape& shape, std::optional<std::size_t> axis) {
    if (!axis) return {.count = CountOf(shape, 0, shape.size())};
    return {.count = shape[*axis],
            .outer = CountOf(shape, 0, *axis),
            .inner = CountOf(shape, *axis + 1, shape.size())};
  }
};

using Ordering = std::function<int(std::int64_t, std::int64_t)>;

Result<Ordering> OrderingOf(const Tensor& x, const Items& items) {
  using List = decltype(NumericList() +
                        TypeList<bool, std::string, std::complex<float>, std::complex<double>>());
  Ordering ordering;
  TRY(Dispatch(List{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    ordering = [data = x.data<T>().data(), items](std::int64_t a, std::int64_t b) {
      for (std::int64_t o = 0; o < items.outer; ++o) {
        const T* left = data + (o * items.count + a) * items.inner;
        const T* right = data + (o * items.count + b) * items.inner;
        for (std::int64_t i = 0; i < items.inner; ++i) {
          if (const int order = Order(left[i], right[i]); order != 0) return order;
        }
      }
      return 0;
    };
  }));
  return ordering;
}

/// Which items are kept, and what becomes of all.
struct Found {
  CountedVector<std::int64_t> first, inverse, counts;
};

Result<Found> FindUnique(const Items& items, const Ordering& ordering, bool sorted) {
  CountedVector<std::int64_t> order(At(items.count));
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const int by_value = ordering(a, b);
    return by_value != 0 ? by_value < 0 : a < b;
  };
  if (!SortItems(std::span<std::int64_t>(order), items.outer * items.inner, before)) {
    TRY(MayGoOn());
  }
  Found found;
  found.inverse.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || ordering(order[i - 1], order[i]) != 0) {
      found.first.push_back(order[i]);
      found.counts.push_back(0);
    }
    found.inverse[At(order[i])] = static_cast<std::int64_t>(found.first.size()) - 1;
    ++found.counts.back();
  }
  if (sorted) return found;
  CountedVector<std::int64_t> by_place(found.first.size());
  std::iota(by_place.begin(), by_place.end(), 0);
  const auto earlier = [&](std::int64_t a, std::int64_t b) {
    return found.first[At(a)] < found.first[At(b)];
  };
  if (!SortItems(std::span<std::int64_t>(by_place), 1, earlier)) TRY(MayGoOn());
  Found placed{.first = {}, .inverse = found.inverse, .counts = {}};
  CountedVector<std::int64_t> rank(by_place.size());
  for (std::size_t i = 0; i < by_place.size(); ++i) {
    rank[At(by_place[i])] = static_cast<std::int64_t>(i);
    placed.first.push_back(found.first[At(by_place[i])]);
    placed.counts.push_back(found.counts[At(by_place[i])]);
  }
  for (std::int64_t& at : placed.inverse) at = rank[At(at)];
  return placed;
}

Result<std::optional<std::size_t>> AxisOf(const NodeFacts& node) {
  if (!node.attributes.Has("axis")) return std::optional<std::size_t>();
  const std::int64_t axis = node.attributes.Int("axis", 0);
  return std::optional<std::size_t>(At(TRY(NormalizeAxis(axis, RankOf(node.shape(0))))));
}

Result<Facts> Infer(const NodeFacts& node) {
  TRY(AxisOf(node));
  const ValueFacts list = TensorFacts(DType::kInt64);
  return OutputFacts(node, {TensorFacts(node.dtype(0)), list, list, list});
}

Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const auto axis = TRY(AxisOf(node));
  const Items items = Items::Of(x.shape(), axis);
  if (x.size() == 0 && items.count > limits::kGraphNodes) {
    return Invalid("an empty input of ", x.shape(), " has too many items");
  }
  const bool sorted = node.attributes.Int("sorted", 1) != 0;
  const auto ordering = TRY(OrderingOf(x, items));
  const Found found = TRY(FindUnique(items, ordering, sorted));
  const auto count = static_cast<std::int64_t>(found.first.size());
  Shape shape = axis ? x.shape() : Shape{count};
  if (axis) shape[*axis] = count;
  Tensor* y = TRY(context.Allocate(0, x.dtype(), shape));
  for (std::int64_t o = 0; o < items.outer; ++o) {
    for (std::int64_t i = 0; i < count; ++i) {
      CopyElements(x, (o * items.count + found.first[At(i)]) * items.inner, *y,
                   (o * count + i) * items.inner, items.inner);
    }
  }
  const CountedVector<std::int64_t>* lists[] = {&found.first, &found.inverse, &found.counts};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!Wanted(node, i + 1)) continue;
    const auto size = static_cast<std::int64_t>(lists[i]->size());
    Tensor* out = TRY(context.Allocate(i + 1, DType::kInt64, {size}));
    std::ranges::copy(*lists[i], out->data<std::int64_t>().begin());
  }
  return {};
}

constexpr Kernel kKernels[] = {{.name = "unique", .run = Run}};

consteval OpDef Row(int since, std::span<const TypeRule> types) {
  return {.type = "Unique",
          .since = since,
          .signature = "X:T -> Y:T, indices?:int64, inverse_indices?:int64, counts?:int64",
          .types = types,
          .attributes = "axis:int, sorted:int=1",
          .infer = Infer,
          .kernels = kKernels};
}

}  // namespace

OpList ops_unique() {
  static constexpr auto kOps = Versions({Row(11, kT<kClassicTypes>), Row(28, kT<kTypes13>)});
  return kOps;
}

}  // namespace slipway::runtime
