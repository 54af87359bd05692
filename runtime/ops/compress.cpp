// SPDX-License-Identifier: Apache-2.0
// Compress (opsets 9, 11, 28), NonZero (9, 13).
// Spec: https://onnx.ai/onnx/operators/onnx__Compress.html, onnx__NonZero.html
#include <algorithm>
#include <complex>

#include "runtime/kernels/dispatch.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/strided.h"
#include "runtime/kernels/types.h"

namespace slipway::runtime {
namespace {

Result<Facts> InferCompress(const NodeFacts& node) {
  TRY(CheckVector(node, 1, "condition"));
  if (node.attributes.Has("axis")) {
    TRY(NormalizeAxis(node.attributes.Int("axis", 0), RankOf(node.shape(0))));
  }
  return Facts{TensorFacts(node.dtype(0))};
}

Result<void> RunCompress(const NodeFacts& node, KernelContext& context) {
  const Tensor& in = *context.input(0);
  const auto condition = context.input(1)->data<bool>();
  const bool flat = !node.attributes.Has("axis");
  const Shape shape = flat ? Shape{in.size()} : in.shape();
  const auto axis = flat ? 0 : At(TRY(NormalizeAxis(node.attributes.Int("axis", 0), in.rank())));
  if (static_cast<std::int64_t>(condition.size()) > shape[axis]) {
    return Invalid("condition of ", condition.size(), " for a dimension of ", shape[axis]);
  }
  const std::int64_t kept = std::count(condition.begin(), condition.end(), true);
  Shape to = shape;
  to[axis] = kept;
  Tensor* out = TRY(context.Allocate(0, in.dtype(), to));
  if (out->size() == 0) return {};
  const std::int64_t outer = CountOf(shape, 0, axis);
  const std::int64_t inner = CountOf(shape, axis + 1, shape.size());
  std::int64_t at = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < condition.size(); ++i) {
      if (!condition[i]) continue;
      const std::int64_t from = o * shape[axis] + static_cast<std::int64_t>(i);
      CopyElements(in, from * inner, *out, at++ * inner, inner);
    }
  }
  return {};
}

Result<Facts> InferNonZero(const NodeFacts&) { return Facts{TensorFacts(DType::kInt64)}; }

template <class T>
CountedVector<std::int64_t> NonZeroElements(const Tensor& x) {
  CountedVector<std::int64_t> found;
  const auto in = x.data<T>();
  for (std::size_t i = 0; i < in.size(); ++i) {
    bool zero = false;
    if constexpr (kIsHalf<T>) {
      zero = static_cast<float>(in[i]) == 0;
    } else {
      zero = in[i] == T{};
    }
    if (!zero) found.push_back(static_cast<std::int64_t>(i));
  }
  return found;
}

Result<void> RunNonZero(const NodeFacts&, KernelContext& context) {
  const Tensor& x = *context.input(0);
  using List = decltype(NumericList() +
                        TypeList<bool, std::string, std::complex<float>, std::complex<double>>());
  CountedVector<std::int64_t> found;
  TRY(Dispatch(List{}, x.dtype(),
               [&](auto tag) { found = NonZeroElements<typename decltype(tag)::type>(x); }));
  const auto count = static_cast<std::int64_t>(found.size());
  Tensor* out = TRY(context.Allocate(0, DType::kInt64, {x.rank(), count}));
  auto to = out->data<std::int64_t>();
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::int64_t rest = found[i];
    for (std::size_t d = x.shape().size(); d-- > 0;) {
      to[d * found.size() + i] = rest % x.shape()[d];
      rest /= x.shape()[d];
    }
  }
  return {};
}

constexpr Kernel kCompress[] = {{.name = "compress", .run = RunCompress}};
constexpr Kernel kNonZero[] = {{.name = "non_zero", .run = RunNonZero}};

consteval OpDef Compress(int since, std::span<const TypeRule> types) {
  return {.type = "Compress",
          .since = since,
          .signature = "input:T, condition:T1 -> output:T",
          .types = types,
          .attributes = "axis:int",
          .infer = InferCompress,
          .kernels = kCompress};
}

consteval OpDef NonZero(int since, std::span<const TypeRule> types) {
  return {.type = "NonZero",
          .since = since,
          .signature = "X:T -> Y:int64",
          .types = types,
          .infer = InferNonZero,
          .kernels = kNonZero};
}

}  // namespace

OpList ops_compress() {
  static constexpr auto kOps = Versions({
      Compress(9, kTT1<kClassicTypes, kBoolType>),
      Compress(11, kTT1<kClassicTypes, kBoolType>),
      Compress(28, kTT1<kTypes13, kBoolType>),
      NonZero(9, kT<kClassicTypes>),
      NonZero(13, kT<kTypes13>),
  });
  return kOps;
}

}  // namespace slipway::runtime
