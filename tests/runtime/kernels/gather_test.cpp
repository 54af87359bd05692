// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/gather.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "runtime/kernels/strided.h"

namespace slipway::runtime {
namespace {

struct Problem {
  Shape data, indices;
  std::size_t axis;
};

std::vector<std::int64_t> Numbers(std::int64_t count, std::int64_t dim) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < count; ++i) numbers.push_back(i * 7919 % (2 * dim) - dim);
  return numbers;
}

/// As the standard has it, one element after the other.
std::vector<std::int64_t> Places(const Problem& p, const std::vector<std::int64_t>& indices) {
  const Strides data = ContiguousStrides(p.data), own = ContiguousStrides(p.indices);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(indices.size()); ++i) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < p.data.size(); ++d) {
      const std::int64_t index = indices[static_cast<std::size_t>(i)];
      const std::int64_t at = index < 0 ? index + p.data[d] : index;
      place += data[d] * (d == p.axis ? at : i / own[d] % p.indices[d]);
    }
    places.push_back(place);
  }
  return places;
}

const std::vector<Problem> kProblems = {
    {{5}, {7}, 0},
    {{5}, {1}, 0},
    {{4, 600}, {3, 600}, 0},
    {{4, 6}, {4, 600}, 1},
    {{4, 6, 5}, {4, 9, 5}, 1},
    {{4, 6, 5}, {3, 9, 2}, 1},
    {{40, 1, 5}, {40, 1, 1}, 2},
    {{3, 4, 5, 6}, {3, 4, 5, 6}, 3},
    {{3, 4, 5, 6}, {2, 3, 4, 5}, 0},
};

TEST(IndexedElements, LieWhereTheIndicesSay) {
  for (const Problem& p : kProblems) {
    std::int64_t count = 1;
    for (const std::int64_t dim : p.indices) count *= dim;
    const std::vector<std::int64_t> numbers = Numbers(count, p.data[p.axis]);
    const std::vector<std::int32_t> narrow(numbers.begin(), numbers.end());
    const std::vector<std::int64_t> expected = Places(p, numbers);
    for (const Tensor& indices : {Tensor::FromVector(DType::kInt64, p.indices, numbers),
                                  Tensor::FromVector(DType::kInt32, p.indices, narrow)}) {
      const auto elements = IndexedElements::Of(p.data, indices, p.axis);
      ASSERT_TRUE(elements) << elements.error().message;
      ASSERT_EQ(elements->size(), count);
      std::vector<std::int64_t> places;
      const auto add = [&](std::int64_t i, std::int64_t place) {
        ASSERT_EQ(i, static_cast<std::int64_t>(places.size()));
        places.push_back(place);
      };
      elements->ForEach(0, count / 3, add);
      elements->ForEach(count / 3, count, add);
      EXPECT_EQ(places, expected);
    }
  }
}

TEST(IndexedElements, NameTheFirstIndexOutOfRange) {
  constexpr std::int64_t kLeast = INT64_MIN, kMost = INT64_MAX;
  for (const std::int64_t wrong :
       {std::int64_t{3}, std::int64_t{-4}, kLeast, kMost, kLeast + 2, kMost - 2}) {
    const Tensor indices =
        Tensor::FromVector(DType::kInt64, {4}, std::vector<std::int64_t>{-3, 2, wrong, 99});
    for (const auto& answer : {IndexedElements::Of({3}, indices, 0).error().message,
                               NormalizedIndices(indices, 3).error().message}) {
      EXPECT_EQ(answer, "index " + std::to_string(wrong) + " out of range [-3, 3)");
    }
  }
}

}  // namespace
}  // namespace slipway::runtime
