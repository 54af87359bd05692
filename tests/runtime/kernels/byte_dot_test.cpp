// SPDX-License-Identifier: Apache-2.0
// Sums of products of bytes and what becomes of them, against plain sums scaled in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "runtime/kernels/byte_dot_simd.h"
#include "runtime/kernels/byte_lines_simd.h"
#include "runtime/kernels/quantize.h"

namespace slipway::runtime {
namespace {

constexpr std::uint8_t kBeyond = 77;

std::size_t At(std::int64_t x) { return static_cast<std::size_t>(x); }

std::vector<std::uint8_t> Bytes(std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes(At(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

/// A parameter for each row or column, those behind the last for whole vectors.
struct Parameters {
  std::vector<std::int32_t> added;
  std::vector<double> scales;
  std::vector<float> near;

  Parameters(std::int64_t count, double scale) {
    for (std::int64_t i = 0; i < count + kByteDotPanel; ++i) {
      added.push_back(static_cast<std::int32_t>(i * 37 - 1000));
      scales.push_back(scale * static_cast<double>(1 + i % 3));
      near.push_back(static_cast<float>(scales.back()));
    }
  }
  ByteDotSums To(const IntegerRange& range, double zero, void* y, std::int64_t stride) const {
    return {.added = added.data(),
            .scales = scales.data(),
            .near = near.data(),
            .zero = static_cast<std::int32_t>(zero),
            .least = static_cast<std::int32_t>(range.least),
            .most = static_cast<std::int32_t>(range.most),
            .y = y,
            .y_stride = stride};
  }
  std::uint8_t ByteOf(std::int64_t sum, std::int64_t at, const IntegerRange& range,
                      double zero) const {
    const auto whole = static_cast<double>(sum + added[At(at)]);
    return static_cast<std::uint8_t>(
        static_cast<int>(QuantizeOne(whole * scales[At(at)], zero, range)));
  }
};

struct Product {
  std::int64_t rows, quads, columns;
  bool a_signed, few = false;

  std::int64_t padded() const { return (columns + kByteDotPad - 1) / kByteDotPad * kByteDotPad; }
  std::int64_t AtB(std::int64_t k, std::int64_t j) const {
    return few ? j * quads * 4 + k : (k / 4 * padded() + j) * 4 + k % 4;
  }
  std::int64_t SumAt(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b,
                     std::int64_t i, std::int64_t j) const {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < quads * 4; ++k) {
      const std::uint8_t left = a[At(i * quads * 4 + k)], right = b[At(AtB(k, j))];
      sum += a_signed ? static_cast<std::int8_t>(left) * right
                      : left * static_cast<std::int8_t>(right);
    }
    return sum;
  }
};

/// Scales that give halves, thirds, and nothing in between; and what saturates.
void ExpectProduct(const Product& p) {
  SCOPED_TRACE(std::to_string(p.rows) + "x" + std::to_string(p.quads) + "x" +
               std::to_string(p.columns) + (p.a_signed ? " a" : " b") + (p.few ? " few" : ""));
  const auto a = Bytes(p.rows * p.quads * 4, 1), b = Bytes(p.quads * 4 * p.padded(), 2);
  const std::int64_t stride = p.columns + 3;
  const ByteDot dot{.a = a.data(),
                    .a_stride = p.quads * 4,
                    .a_signed = p.a_signed,
                    .b = b.data(),
                    .b_stride = p.few ? p.quads * 4 : p.padded() * 4,
                    .few = p.few,
                    .rows = p.rows,
                    .quads = p.quads,
                    .columns = p.columns};
  for (const double scale : {0x1p-10, 1 / 3000.0, 0x1p-7}) {
    for (const bool is_signed : {false, true}) {
      const IntegerRange range = RangeOfInteger(is_signed ? DType::kInt8 : DType::kUint8);
      const double zero = is_signed ? -7 : 131;
      const Parameters parameters(std::max(p.rows, p.columns), scale);
      std::vector<std::uint8_t> y(At(p.rows * stride), kBeyond), expected = y;
      std::vector<std::int32_t> sums(At(p.rows * stride), kBeyond), expected_sums = sums;
      for (std::int64_t i = 0; i < p.rows; ++i) {
        for (std::int64_t j = 0; j < p.columns; ++j) {
          const std::int64_t sum = p.SumAt(a, b, i, j), at = p.a_signed ? i : j;
          expected[At(i * stride + j)] = parameters.ByteOf(sum, at, range, zero);
          expected_sums[At(i * stride + j)] =
              static_cast<std::int32_t>(sum + parameters.added[At(at)]);
        }
      }
      ByteDot to_bytes = dot, to_sums = dot;
      to_bytes.to = parameters.To(range, zero, y.data(), stride);
      RunByteDot(to_bytes);
      EXPECT_EQ(y, expected) << scale;
      to_sums.to = {.added = parameters.added.data(), .y = sums.data(), .y_stride = stride};
      RunByteDot(to_sums);
      EXPECT_EQ(sums, expected_sums);
    }
  }
}

TEST(ByteDot, HasTheSumsAndBytesOfDouble) {
  if (!HasByteDot()) GTEST_SKIP() << "the processor does not add four products at once";
  for (const std::int64_t rows : {1, 5, 13}) {
    for (const std::int64_t columns : {1, 16, 17, 33, 48, 63, 64}) {
      ExpectProduct({.rows = rows, .quads = 7, .columns = columns, .a_signed = true});
      ExpectProduct({.rows = rows, .quads = 7, .columns = columns, .a_signed = false});
    }
    for (const std::int64_t columns : {1, 2, 3, 4}) {
      ExpectProduct({rows, 19, columns, true, true});
      ExpectProduct({rows, 16, columns, true, true});
    }
  }
}

/// Where all sums are halfway between two bytes, or next to that.
TEST(ByteDot, RoundsHalfToEvenAndNothingElse) {
  if (!HasByteDot()) GTEST_SKIP() << "the processor does not add four products at once";
  const std::vector<std::uint8_t> a = {1, 0, 0, 0}, b(64, 0);
  for (const std::int32_t half : {100001, 2000001, 20000001}) {
    for (const int aside : {-1, 0, 1}) {
      const std::vector<std::int32_t> added(16, half);
      // Multiples of 0.5 by scales of half an odd number, or by their neighbours.
      double scale = 5.5 / half;
      if (aside != 0) scale = std::nextafter(scale, aside * 1e9);
      const std::vector<double> scales(16, scale);
      const std::vector<float> near(16, static_cast<float>(scale));
      std::vector<std::uint8_t> y(16);
      RunByteDot({.a = a.data(),
                  .a_stride = 4,
                  .a_signed = true,
                  .b = b.data(),
                  .b_stride = 64,
                  .rows = 1,
                  .quads = 1,
                  .columns = 16,
                  .to = {added.data(), scales.data(), near.data(), 3, 0, 255, y.data(), 16}});
      const double expected = QuantizeOne(half * scale, 3, RangeOfInteger(DType::kUint8));
      EXPECT_EQ(y, std::vector<std::uint8_t>(16, static_cast<std::uint8_t>(expected)))
          << half << " " << aside;
    }
  }
}

struct Windows {
  std::int64_t height, width, kernel, stride, pad;
};

void ExpectWindows(const Windows& w) {
  SCOPED_TRACE(std::to_string(w.height) + "x" + std::to_string(w.width) + " by " +
               std::to_string(w.kernel) + " / " + std::to_string(w.stride));
  constexpr std::uint8_t kFlip = 0x80, kFill = 9;
  const std::int64_t quads = (w.kernel + 3) / 4;
  const auto out = [&](std::int64_t in) { return (in + 2 * w.pad - w.kernel) / w.stride + 1; };
  const std::int64_t rows = w.height + 2 * w.pad, pitch = w.width + 2 * w.pad;
  const std::int64_t height = out(w.height), width = out(w.width);
  const auto x = Bytes(w.height * w.width, 3), weights = Bytes(w.kernel * quads * 4, 4);
  std::vector<std::int32_t> taps(At(w.kernel * quads));
  std::vector<std::uint8_t> padded(At(rows * pitch + kBehindPlane));
  std::vector<std::uint8_t> room(At(LineRoom(height, pitch)));
  const auto weight = [&](std::int64_t i, std::int64_t j) {
    return j < w.kernel ? static_cast<std::int8_t>(weights[At(i * quads * 4 + j)]) : 0;
  };
  for (std::int64_t k = 0; k < w.kernel * quads * 4; ++k) {
    reinterpret_cast<std::uint8_t*>(taps.data())[k] =
        static_cast<std::uint8_t>(weight(k / (quads * 4), k % (quads * 4)));
  }
  const Parameters parameters(1, 0x1p-9);
  const IntegerRange range = RangeOfInteger(DType::kUint8);
  std::vector<std::uint8_t> y(At(height * width + 1), kBeyond), expected = y;
  for (std::int64_t at = 0; at < height * width; ++at) {
    std::int64_t sum = 0;
    for (std::int64_t tap = 0; tap < w.kernel * w.kernel; ++tap) {
      const std::int64_t i = at / width * w.stride + tap / w.kernel - w.pad;
      const std::int64_t j = at % width * w.stride + tap % w.kernel - w.pad;
      const bool inside = i >= 0 && i < w.height && j >= 0 && j < w.width;
      const int byte = inside ? x[At(i * w.width + j)] ^ kFlip : kFill;
      sum += byte * weight(tap / w.kernel, tap % w.kernel);
    }
    expected[At(at)] = parameters.ByteOf(sum, 0, range, 100);
  }
  PadPlane({.from = x.data(),
            .height = w.height,
            .width = w.width,
            .flip = kFlip,
            .fill = kFill,
            .to = padded.data(),
            .top = w.pad,
            .left = w.pad,
            .rows = rows,
            .pitch = pitch});
  RunByteWindows({.x = padded.data(),
                  .pitch = pitch,
                  .taps = taps.data(),
                  .kernel_rows = w.kernel,
                  .quads = quads,
                  .stride = w.stride,
                  .height = height,
                  .width = width,
                  .room = room.data(),
                  .to = parameters.To(range, 100, y.data(), width)});
  EXPECT_EQ(y, expected);
}

TEST(ByteLines, HaveTheBytesOfDouble) {
  if (!HasByteDot()) GTEST_SKIP() << "the processor does not add four products at once";
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t pad : {std::int64_t{0}, kernel / 2}) {
        ExpectWindows({7, 7, kernel, stride, pad});
        ExpectWindows({14, 15, kernel, stride, pad});
        ExpectWindows({9, 70, kernel, stride, pad});
        ExpectWindows({8, 200, kernel, stride, pad});
      }
    }
  }
}

}  // namespace
}  // namespace slipway::runtime
