// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/integer_packed.h"

#include <algorithm>

#include "runtime/kernels/infer_helpers.h"
#include "runtime/kernels/integer_simd.h"

namespace slipway::runtime {
namespace {

/// Rows at once: enough for the packed matrix to be read seldom, few enough to stay in the cache.
constexpr std::int64_t kRows = 32;
/// Multiplications that are worth a thread.
constexpr std::int64_t kGrainWork = 1 << 20;

template <class F>
void WithBytes(const Tensor& tensor, F&& use) {
  if (tensor.dtype() == DType::kInt8) return use(tensor.data<std::int8_t>().data());
  use(tensor.data<std::uint8_t>().data());
}

}  // namespace

std::vector<std::int32_t> BytesOf(const Tensor* tensor) {
  std::vector<std::int32_t> numbers;
  if (tensor == nullptr) return numbers;
  WithBytes(*tensor, [&](const auto* bytes) { numbers.assign(bytes, bytes + tensor->size()); });
  return numbers;
}

void Widen(const Tensor& from, std::int64_t offset, std::int64_t count, std::int32_t zero,
           std::int16_t* to) {
  WithBytes(from, [&](const auto* bytes) {
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = static_cast<std::int16_t>(bytes[offset + i] - zero);
    }
  });
}

PackedBytes PackedBytes::Pack(const Tensor& from, std::int64_t matrix,
                              std::span<const std::int32_t> zeros) {
  PackedBytes packed;
  packed.depth_ = from.dim(from.rank() - 2);
  packed.width_ = from.dim(from.rank() - 1);
  packed.pairs_ = (packed.depth_ + 1) / 2;
  packed.columns_ = (packed.width_ + kIntegerPad - 1) / kIntegerPad * kIntegerPad;
  packed.numbers_.assign(At(packed.pairs_ * packed.columns_ * 2), 0);
  WithBytes(from, [&](const auto* bytes) {
    for (std::int64_t k = 0; k < packed.depth_; ++k) {
      const auto* row = bytes + (matrix * packed.depth_ + k) * packed.width_;
      std::int16_t* to = packed.numbers_.data() + k / 2 * packed.columns_ * 2 + k % 2;
      for (std::int64_t j = 0; j < packed.width_; ++j) {
        const std::int32_t zero = zeros.empty() ? 0 : zeros[zeros.size() == 1 ? 0 : At(j)];
        to[2 * j] = static_cast<std::int16_t>(row[j] - zero);
      }
    }
  });
  return packed;
}

void PackedBytes::Product(KernelContext& context, std::int64_t rows, const Fill& fill,
                          const Store& store) const {
  const std::int64_t work = kRows * std::max<std::int64_t>(1, pairs_ * columns_ * 2);
  const std::int64_t blocks = (rows + kRows - 1) / kRows;
  const std::int64_t grain = std::max<std::int64_t>(1, kGrainWork / work);
  context.ParallelFor(blocks, grain, [&](std::int64_t begin, std::int64_t end) {
    WideNumbers a(At(kRows * row_numbers()), 0);
    CountedVector<std::int32_t> sums(At(kRows * columns_));
    for (std::int64_t block = begin; block < end; ++block) {
      if (MustStop()) return;
      const std::int64_t row = block * kRows;
      const std::int64_t count = std::min(kRows, rows - row);
      fill(row, count, a.data());
      Multiply({.a = a.data(),
                .b = numbers_.data(),
                .y = sums.data(),
                .rows = count,
                .pairs = pairs_,
                .columns = columns_});
      store(row, count, sums.data());
    }
  });
}

}  // namespace slipway::runtime
