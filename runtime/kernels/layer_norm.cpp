// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/layer_norm.h"

#include <algorithm>
#include <span>

#include "runtime/bounds.h"
#include "runtime/kernels/layer_norm_simd.h"

namespace slipway::runtime {
namespace {

std::int64_t RoomBytes(std::int64_t width) {
  return (width * static_cast<std::int64_t>(sizeof(double)) + 63) / 64 * 64;
}

void RunRow(const LayerRows& all, std::int64_t row, double* room) {
  const std::int64_t at = row * all.width;
  const RowInput input{
      .x = all.x + at,
      .skip = all.skip == nullptr ? nullptr : all.skip + row % all.skip_rows * all.width,
      .bias = all.bias,
      .count = all.width};
  const RowMoments moments = NormalizeRow(input,
                                          {.epsilon = all.epsilon,
                                           .centered = all.centered,
                                           .scale = all.scale,
                                           .shift = all.shift,
                                           .sum = all.sum == nullptr ? nullptr : all.sum + at,
                                           .y = all.y == nullptr ? nullptr : all.y + at},
                                          room);
  if (all.mean != nullptr) all.mean[row] = static_cast<float>(moments.mean);
  if (all.inverse != nullptr) all.inverse[row] = static_cast<float>(moments.inverse);
}

}  // namespace

std::int64_t LayerRowsScratch(std::int64_t width, std::int64_t threads) {
  return RoomBytes(width) * threads;
}

void RunLayerRows(KernelContext& context, const LayerRows& all) {
  const std::span<std::byte> scratch = context.scratch();
  const std::int64_t room = RoomBytes(all.width);
  constexpr std::int64_t kLeastNumbers = 1 << 12;
  const std::int64_t shares = all.rows * all.width / kLeastNumbers + 1;
  const std::int64_t workers =
      std::min({static_cast<std::int64_t>(scratch.size()) / room, shares, all.rows});
  context.ParallelFor(workers, 1, [&](std::int64_t begin, std::int64_t end) {
    Pause pause;
    for (std::int64_t w = begin; w < end; ++w) {
      auto* const numbers = reinterpret_cast<double*>(scratch.data() + w * room);
      for (std::int64_t row = w * all.rows / workers; row < (w + 1) * all.rows / workers; ++row) {
        if (pause.MustStop(all.width)) return;
        RunRow(all, row, numbers);
      }
    }
  });
}

bool IsOneRow(const Shape& parameter, const Shape& x, std::size_t axis) {
  const auto trimmed = [](std::span<const std::int64_t> dims) {
    while (!dims.empty() && dims.front() == 1) dims = dims.subspan(1);
    return dims;
  };
  return std::ranges::equal(trimmed(parameter), trimmed(std::span(x).subspan(axis)));
}

}  // namespace slipway::runtime
