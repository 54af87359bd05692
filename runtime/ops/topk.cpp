// SPDX-License-Identifier: Apache-2.0
// TopK: opsets 1 (`k` is an attribute), 10, 11 (`largest`, `sorted`), 24.
// Spec: https://onnx.ai/onnx/operators/onnx__TopK.html
// Always sorted; equal elements come in the order of their indices; NaN counts as the largest.
#include <algorithm>

#include "runtime/bounds.h"
#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sort.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Shape> ShapeFor(const NodeFacts& node, std::int64_t k) {
  Shape shape = node.shape(0);
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), RankOf(shape))));
  if (k < 0 || k > shape[axis]) {
    return Invalid("k is ", k, " for dimension ", axis, " of ", shape);
  }
  shape[axis] = k;
  return shape;
}

Result<Facts> Infer(const NodeFacts& node) {
  if (node.Has(1) && CountOf(node.shape(1), 0, node.shape(1).size()) != 1) {
    return Invalid("input `K` of ", node.shape(1), " is not one number");
  }
  if (DependsOnData(node, 1)) {
    return OutputFacts(node, {TensorFacts(node.dtype(0)), TensorFacts(DType::kInt64)});
  }
  const std::int64_t k =
      node.op->since < 10 ? node.attributes.Int("k", 0) : (*ConstantInts(node, 1))[0];
  const Shape shape = TRY(ShapeFor(node, k));
  return OutputFacts(node, {TensorFacts(node.dtype(0), shape), TensorFacts(DType::kInt64, shape)});
}

template <class C>
bool Before(C a, C b, bool largest) {
  const bool a_nan = a != a;
  const bool b_nan = b != b;
  if (a_nan || b_nan) return largest ? a_nan && !b_nan : b_nan && !a_nan;
  return largest ? a > b : a < b;
}

template <class C>
struct Item {
  C value;
  std::int64_t index;
};

/// The rows of one tensor: `count` elements `inner` apart, of which k are kept.
struct Rows {
  std::int64_t count, inner, k;
  bool largest;
};

/// Whether the best are found by going through the row with them at hand: nearly all others are
/// told apart by one comparison with the last of them.
bool KeepsFew(const Rows& rows) {
  constexpr std::int64_t kFew = 512;
  return rows.k > 0 && rows.k <= kFew && 16 * rows.k <= rows.count;
}

constexpr std::int64_t kBlock = 16;

/// Whether one of kBlock elements that lie together is before `last`, perhaps.
template <bool largest, class T>
bool MayBeBefore(const T* x, Compute<T> last) {
  int some = 0;
  for (std::int64_t i = 0; i < kBlock; ++i) {
    const auto value = static_cast<Compute<T>>(x[i]);
    some |= largest ? !(value <= last) : !(value >= last);
  }
  return some != 0;
}

/// `order` becomes the places of the best, in order; false where the run is to end.
template <bool largest, class T>
bool KeepBest(const Rows& rows, const T* x, CountedVector<std::int64_t>& order) {
  using C = Compute<T>;
  const auto before = [](const Item<C>& a, const Item<C>& b) {
    if (Before(a.value, b.value, largest)) return true;
    return !Before(b.value, a.value, largest) && a.index < b.index;
  };
  CountedVector<Item<C>> heap(At(rows.k));
  const auto item = [&](std::int64_t i) { return Item<C>{static_cast<C>(x[i * rows.inner]), i}; };
  for (std::int64_t i = 0; i < rows.k; ++i) heap[At(i)] = item(i);
  std::make_heap(heap.begin(), heap.end(), before);
  Pause pause;
  const auto meet = [&](const Item<C>& next) {
    if (!Before(next.value, heap.front().value, largest)) return;
    std::pop_heap(heap.begin(), heap.end(), before);
    heap.back() = next;
    std::push_heap(heap.begin(), heap.end(), before);
  };
  for (std::int64_t i = rows.k; i < rows.count; i += kBlock) {
    if (pause.MustStop(kBlock)) return false;
    const std::int64_t end = std::min(i + kBlock, rows.count);
    const bool whole = rows.inner == 1 && end - i == kBlock;
    if (whole && !MayBeBefore<largest>(x + i, heap.front().value)) continue;
    for (std::int64_t j = i; j < end; ++j) meet(item(j));
  }
  std::sort_heap(heap.begin(), heap.end(), before);
  order.resize(heap.size());
  std::ranges::transform(heap, order.begin(), &Item<C>::index);
  return true;
}

/// The same, of any k.
template <bool keeps, class T>
bool OrderRow(const Rows& rows, const T* x, CountedVector<std::int64_t>& order) {
  if (keeps && KeepsFew(rows)) {
    return rows.largest ? KeepBest<true>(rows, x, order) : KeepBest<false>(rows, x, order);
  }
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const auto left = static_cast<Compute<T>>(x[a * rows.inner]);
    const auto right = static_cast<Compute<T>>(x[b * rows.inner]);
    if (Before(left, right, rows.largest)) return true;
    return !Before(right, left, rows.largest) && a < b;
  };
  return FirstItems(rows.count, rows.k, before, order);
}

template <bool keeps, class T>
void PickRow(const Rows& rows, const T* x, T* values, std::int64_t* indices,
             CountedVector<std::int64_t>& order) {
  if (!OrderRow<keeps>(rows, x, order)) return;
  for (std::int64_t i = 0; i < rows.k; ++i) {
    const std::int64_t at = order[At(i)];
    if (values != nullptr) values[i * rows.inner] = x[at * rows.inner];
    if (indices != nullptr) indices[i * rows.inner] = at;
  }
}

template <bool keeps>
Result<void> Run(const NodeFacts& node, KernelContext& context) {
  const Tensor& x = *context.input(0);
  const std::int64_t k =
      node.op->since < 10 ? node.attributes.Int("k", 0) : IntsOf(context.input(1))[0];
  const Shape shape = TRY(ShapeFor(node, k));
  Tensor* values = Wanted(node, 0) ? TRY(OutputOf(node, context, 0, x.dtype(), shape)) : nullptr;
  Tensor* indices =
      Wanted(node, 1) ? TRY(OutputOf(node, context, 1, DType::kInt64, shape)) : nullptr;
  const auto axis = At(TRY(NormalizeAxis(node.attributes.Int("axis", -1), x.rank())));
  const Rows rows{x.shape()[axis], CountOf(x.shape(), axis + 1, x.shape().size()), k,
                  node.attributes.Int("largest", 1) != 0};
  const std::int64_t total = CountOf(x.shape(), 0, axis) * rows.inner;
  return Dispatch(NumericList{}, x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = x.data<T>().data();
    T* out = values == nullptr ? nullptr : values->data<T>().data();
    std::int64_t* places = indices == nullptr ? nullptr : indices->data<std::int64_t>().data();
    context.ParallelFor(total, 1, [=](std::int64_t begin, std::int64_t end) {
      CountedVector<std::int64_t> order;
      for (std::int64_t row = begin; row < end && !MustStop(); ++row) {
        const std::int64_t outer = row / rows.inner;
        const std::int64_t column = row % rows.inner;
        const std::int64_t to = outer * rows.k * rows.inner + column;
        PickRow<keeps>(rows, in + outer * rows.count * rows.inner + column,
                       out == nullptr ? nullptr : out + to,
                       places == nullptr ? nullptr : places + to, order);
      }
    });
  });
}

constexpr Kernel kKernels[] = {{.name = "top_k_kept", .run = Run<true>},
                               {.name = "top_k", .run = Run<false>}};

consteval OpDef Row(int since, std::span<const TypeRule> types, std::string_view attributes) {
  return {.type = "TopK",
          .since = since,
          .signature =
              since < 10 ? "X:T -> Values:T, Indices:I" : "X:T, K:int64 -> Values:T, Indices:I",
          .types = types,
          .attributes = attributes,
          .infer = Infer,
          .kernels = kKernels};
}

constexpr std::string_view kAttributes11 = "axis:int=-1, largest:int=1, sorted:int=1";

}  // namespace

OpList ops_topk() {
  static constexpr auto kOps = Versions({
      Row(1, kTI<kFloatTypes, kInt64Type>, "axis:int=-1, k!:int"),
      Row(10, kTI<kFloatTypes, kInt64Type>, "axis:int=-1"),
      Row(11, kTI<kNumericTypes, kInt64Type>, kAttributes11),
      Row(24, kTI<kNumericTypesB, kInt64Type>, kAttributes11),
  });
  return kOps;
}

}  // namespace slipway::runtime
