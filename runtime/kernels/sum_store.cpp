// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/sum_store.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "runtime/kernels/byte_matrix.h"
#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/sums_simd.h"

namespace slipway::runtime {

namespace {

/// What is added to sums of bytes that fit 32 bits then still.
constexpr std::int64_t kMostAdded = 1 << 29;

}  // namespace

Result<SumParameters> SumParameters::Make(const NodeFacts& node, const QuantizedPorts& ports,
                                          KernelContext& context,
                                          std::span<const std::int64_t> added) {
  SumParameters made;
  made.added.assign(added.begin(), added.end());
  const std::size_t padded = At(PaddedColumns(static_cast<std::int64_t>(added.size())));
  std::ranges::transform(added, std::back_inserter(made.dot_added),
                         [](std::int64_t number) { return static_cast<std::int32_t>(number); });
  made.dot_added.resize(padded);
  made.fit_dot = true;
  if (!ports.scaled()) return made;
  made.scaling =
      TRY(SumScaling::Make(node, ports, context, static_cast<std::int64_t>(added.size())));
  made.wide.assign(added.begin(), added.end());
  made.finite =
      std::ranges::all_of(made.scaling.scales(), [](double scale) { return std::isfinite(scale); });
  made.fit_dot = std::ranges::all_of(made.scaling.scales(), IsDotScale) &&
                 std::ranges::all_of(
                     added, [](std::int64_t number) { return std::abs(number) <= kMostAdded; });
  if (!made.fit_dot) return made;
  made.dot_scales = made.scaling.scales();
  made.dot_scales.resize(padded);
  made.dot_near.assign(made.dot_scales.begin(), made.dot_scales.end());
  return made;
}

ByteDotSums SumStore::ForDot(std::int64_t first, std::int64_t at, std::int64_t stride) const {
  const bool scaled = !p_->dot_scales.empty();
  return {.added = p_->dot_added.data() + first,
          .scales = scaled ? p_->dot_scales.data() + first : nullptr,
          .near = scaled ? p_->dot_near.data() + first : nullptr,
          .zero = static_cast<std::int32_t>(p_->scaling.zero()),
          .least = static_cast<std::int32_t>(p_->scaling.range().least),
          .most = static_cast<std::int32_t>(p_->scaling.range().most),
          .y = static_cast<std::byte*>(y_->raw()) + at * (scaled ? 1 : 4),
          .y_stride = stride};
}

void SumStore::Products(ByteDot dot, std::int64_t first, std::int64_t at,
                        std::int64_t stride) const {
  if (!p_->fit_dot) return PutProducts(dot, first, at, stride);
  dot.to = ForDot(first, at, stride);
  RunByteDot(dot);
}

void SumStore::PutProducts(ByteDot dot, std::int64_t first, std::int64_t at,
                           std::int64_t stride) const {
  constexpr std::int64_t kRows = 16;
  static constexpr std::array<std::int32_t, kByteDotPanel> kNothing = {};
  std::array<std::int32_t, kRows * kByteDotPanel> sums;
  dot.to = {.added = kNothing.data(), .y = sums.data(), .y_stride = kByteDotPanel};
  const std::int64_t rows = dot.rows;
  for (std::int64_t row = 0; row < rows; row += kRows, dot.a += kRows * dot.a_stride) {
    dot.rows = std::min(kRows, rows - row);
    RunByteDot(dot);
    for (std::int64_t i = 0; i < dot.rows; ++i) {
      const auto of_row = std::span(sums).subspan(At(i * kByteDotPanel), At(dot.columns));
      Put(of_row, dot.a_signed ? first + row + i : first, dot.a_signed ? 0 : 1,
          at + (row + i) * stride);
    }
  }
}

template <class T>
void SumStore::PutBytes(std::span<const std::int32_t> sums, std::int64_t column, std::int64_t step,
                        T* to) const {
  if (p_->finite) {
    return SumsToBytes(sums,
                       {.scales = p_->scaling.scales().data() + column,
                        .added = p_->wide.data() + column,
                        .step = step,
                        .zero = p_->scaling.zero(),
                        .least = p_->scaling.range().least,
                        .most = p_->scaling.range().most},
                       to);
  }
  for (const std::int32_t sum : sums) {
    *to++ = static_cast<T>(p_->scaling(column, sum + p_->added[At(column)]));
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
    *to++ = static_cast<std::int32_t>(sum + p_->added[At(column)]);
    column += step;
  }
}

SumStores::SumStores(const NodeFacts& node, const QuantizedPorts& ports)
    : node_(node), ports_(ports), constant_(true) {
  for (const std::size_t input : {ports.a_zero, ports.b, ports.b_zero, ports.a_scale, ports.b_scale,
                                  ports.y_scale, ports.y_zero, ports.bias}) {
    const bool open = input != 0 && node.Has(input) && node.inputs[input].constant == nullptr;
    constant_ = constant_ && !open;
  }
}

}  // namespace slipway::runtime
