// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/numbers.h"

#include <memory>

#include "runtime/kernels/convert.h"
#include "runtime/kernels/dispatch.h"

namespace slipway::runtime {

Doubles DoublesOf(const Tensor* tensor) {
  if (tensor == nullptr) return {};
  Doubles values(At(tensor->size()));
  (void)Dispatch(decltype(NumericList() + TypeList<bool>()){}, tensor->dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto in = tensor->data<T>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      values[i] = static_cast<double>(static_cast<Compute<T>>(in[i]));
    }
  });
  return values;
}

Result<void> StoreDoubles(KernelContext& context, std::span<const double> values, Tensor& to) {
  // The conversion reads alone; a tensor only has no way to say so.
  auto* data = const_cast<double*>(values.data());
  return ConvertElements(
      context, Tensor::Wrap(DType::kFloat64, {static_cast<std::int64_t>(values.size())}, {}, data),
      to);
}

Result<std::int64_t> ScalarInt(const NodeFacts& node, const Tensor* tensor, std::size_t index,
                               std::string_view name, std::int64_t fallback) {
  if (!node.Has(index) || tensor == nullptr) return fallback;
  if (tensor->size() != 1) {
    return Invalid("input `", name, "` of shape ", tensor->shape(), " is not one number");
  }
  return IntsOf(tensor)[0];
}

Result<DType> DTypeAttribute(const NodeFacts& node, std::string_view name, DType fallback,
                             DTypeSet allowed) {
  const std::int64_t number = node.attributes.Int(name, static_cast<int>(fallback));
  Result<DType> dtype = DTypeFromNumber(number);
  if (dtype && allowed.Has(*dtype)) return dtype;
  return Invalid("attribute `", name, "` is ", number, ", which the operator does not make");
}

}  // namespace slipway::runtime
