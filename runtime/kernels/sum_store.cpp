// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/sum_store.h"

#include <algorithm>
#include <cmath>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sums_simd.h"

namespace slipway::runtime {

Result<SumStore> SumStore::Make(const NodeFacts& node, const QuantizedPorts& ports,
                                KernelContext& context, std::span<const std::int64_t> added) {
  SumStore store;
  store.y_ = &context.output(0);
  store.added_.assign(added.begin(), added.end());
  if (!ports.scaled()) return store;
  store.scaling_ =
      TRY(SumScaling::Make(node, ports, context, static_cast<std::int64_t>(added.size())));
  store.wide_.assign(added.begin(), added.end());
  store.finite_ = std::ranges::all_of(store.scaling_.scales(),
                                      [](double scale) { return std::isfinite(scale); });
  return store;
}

template <class T>
void SumStore::PutBytes(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
                        T* to) const {
  if (finite_) {
    return SumsToBytes(sums,
                       {.scales = scaling_.scales().data() + column,
                        .added = wide_.data() + column,
                        .step = step,
                        .zero = scaling_.zero(),
                        .least = scaling_.range().least,
                        .most = scaling_.range().most},
                       to);
  }
  for (const std::int32_t sum : sums) {
    *to++ = static_cast<T>(scaling_(column, sum + added_[At(column)]));
    column += step;
  }
}

void SumStore::Put(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
                   std::int64_t at) const {
  if (y_->dtype() == DType::kInt8) {
    return PutBytes(sums, column, step, y_->data<std::int8_t>().data() + at);
  }
  if (y_->dtype() == DType::kUint8) {
    return PutBytes(sums, column, step, y_->data<std::uint8_t>().data() + at);
  }
  std::int32_t* to = y_->data<std::int32_t>().data() + at;
  for (const std::int32_t sum : sums) {
    *to++ = static_cast<std::int32_t>(sum + added_[At(column)]);
    column += step;
  }
}

}  // namespace slipway::runtime
