// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/product_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "runtime/device/packed_weights.h"
#include "runtime/graph/graph.h"
#include "runtime/work.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

dnnl::memory::desc Described(const Dims& dims, Tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

/// [m, k] times [k, n] with a row added.
ProductDescs Matrices(std::int64_t m, std::int64_t k, std::int64_t n, Tag b) {
  return {.a = Described({m, k}, Tag::ab),
          .b = Described({k, n}, b),
          .y = Described({m, n}, Tag::ab),
          .bias = Described({1, n}, Tag::ab)};
}

/// How often each number of y is made; by parts of no more than `work` operations.
std::vector<int> TimesMade(const ProductDescs& whole, const ProductParts& parts, double work) {
  const Dims all = whole.y.dims();
  std::vector<int> made(whole.y.get_size() / sizeof(float), 0);
  parts.ForEach([&](const ProductParts::Place& at) {
    const ProductParts::Columns& columns = parts.columns()[at.column];
    const ProductDescs part = parts.Descs(columns);
    Dims size = part.y.dims();
    EXPECT_EQ(size.back(), columns.count);
    EXPECT_EQ(part.b.dims().back(), columns.count);
    EXPECT_EQ(at.bias, columns.begin);
    const std::int64_t count =
        std::accumulate(size.begin(), size.end(), std::int64_t{1}, std::multiplies());
    EXPECT_LE(2.0 * static_cast<double>(count * whole.a.dims().back()), work);
    const std::int64_t rows = count / size.back();
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t j = 0; j < size.back(); ++j) {
        ++made.at(static_cast<std::size_t>(at.y + row * parts.row_step() + j));
      }
    }
  });
  return made;
}

TEST(ProductParts, MakeEveryNumber) {
  struct Case {
    std::int64_t m, k, n;
    double most;
    Tag b;
    bool apart;
    std::size_t columns;
  };
  const Case cases[] = {
      {300, 16, 200, 1e9, Tag::ab, false, 1},      {300, 16, 200, 2e5, Tag::ab, false, 2},
      {300, 16, 200, 2e5, Tag::ba, false, 2},      {300, 16, 200, 1e6, Tag::BA16a64b, false, 1},
      {301, 16, 70, 4e5, Tag::BA16a64b, false, 1}, {300, 16, 200, 2e5, Tag::BA16a64b, true, 2},
      {20, 40, 1000, 2e5, Tag::BA16a64b, true, 8}, {20, 1000, 130, 2e5, Tag::BA16a64b, true, 3}};
  for (const Case& c : cases) {
    const ProductDescs whole = Matrices(c.m, c.k, c.n, c.b);
    const ProductParts parts(whole, c.most);
    EXPECT_EQ(parts.apart(), c.apart);
    EXPECT_EQ(parts.columns().size(), c.columns) << c.m << ' ' << c.n << ' ' << c.most;
    const std::vector<int> made = TimesMade(whole, parts, 2 * c.most);
    for (std::int64_t j = 0; j < c.n; ++j) EXPECT_EQ(made[static_cast<std::size_t>(j)], 1) << j;
    EXPECT_EQ(std::ranges::count(made, 0), 0);
  }
}

TEST(ProductParts, HaveTheirColumnsInThePackedWhole) {
  constexpr std::int64_t kDepth = 40, kPadded = 48;
  const ProductParts parts(Matrices(20, kDepth, 1000, Tag::BA16a64b), 2e5);
  ASSERT_GT(parts.columns().size(), 2U);
  for (const ProductParts::Columns& columns : parts.columns()) {
    EXPECT_EQ(columns.begin % 64, 0);
    EXPECT_EQ(columns.b, columns.begin * kPadded);
    EXPECT_EQ(parts.Descs(columns).b, Described({kDepth, columns.count}, Tag::BA16a64b));
  }
}

TEST(ProductParts, HaveTheirMatricesOfABatch) {
  const ProductDescs whole{.a = Described({6, 5, 8}, Tag::abc),
                           .b = Described({6, 8, 70}, Tag::aBc16b),
                           .y = Described({6, 5, 70}, Tag::abc)};
  const ProductParts parts(whole, 2 * 2.0 * 5 * 8 * 70);
  std::vector<std::int64_t> begins;
  parts.ForEach([&](const ProductParts::Place& at) { begins.push_back(at.b); });
  EXPECT_EQ(begins, (std::vector<std::int64_t>{0, 2 * 16 * 70, 4 * 16 * 70}));
  EXPECT_EQ(parts.Descs(parts.columns()[0]).b, Described({2, 8, 70}, Tag::aBc16b));
  EXPECT_EQ(std::ranges::count(TimesMade(whole, parts, 1e9), 1), 6 * 5 * 70);
}

struct Matrix {
  std::int64_t depth, width;
  bool finished;  ///< a row is added, and an activation follows
};

class OnePackedMatrix : public ::testing::TestWithParam<Matrix> {};

TEST_P(OnePackedMatrix, ServesRowsAtOnceAndInParts) {
  constexpr std::int64_t kFew = 16, kCopies = 8;
  const auto [depth, width, finished] = GetParam();
  tiny::Net net(1);
  const std::string some_columns = net.Weights({depth, width / kCopies}, -0.1F, 0.1F);
  const std::string copies = net.Add("Constant", {}, {{"value_ints", tiny::Ints{1, kCopies}}});
  std::string y = net.Add("MatMul", {"x", net.Add("Tile", {some_columns, copies})});
  if (finished) y = net.Add("Relu", {net.Add("Add", {y, net.Weights({width}, -1, 1)})});
  const Model model = ParseModel(net.Model({y}));
  const auto session = MakeSession(model, {.threads = 1});
  const auto work = static_cast<double>(2 * depth * width * kFew);
  const std::int64_t turns = 1 + static_cast<std::int64_t>(WorkAtOnce(1) / work);

  const Value few = Random({kFew, depth}, 1);
  const auto expected = session->Run({{"x", few}});
  ASSERT_TRUE(expected) << expected.error().message;
  const std::int64_t packed = model.graph()->packed->bytes();

  Tensor many = *Tensor::Make(DType::kFloat32, {turns * kFew, depth});
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    std::ranges::copy(FloatsOf(few), many.data<float>().begin() + turn * kFew * depth);
  }
  const Feeds feeds = {{"x", Value(std::move(many))}};
  const auto explained = session->Explain(feeds);
  ASSERT_TRUE(explained) << explained.error().message;
  EXPECT_THAT(*explained, ::testing::HasSubstr("_dnnl ->"));
  const auto made = session->Run(feeds);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(model.graph()->packed->bytes(), packed);
  const auto numbers = (*made)[0].tensor()->data<float>();
  const auto count = static_cast<std::size_t>(kFew * width);
  for (std::size_t at = 0; at < numbers.size(); at += count) {
    const auto some = numbers.subspan(at, count);
    ExpectNear(*expected, {Floats({kFew, width}, {some.begin(), some.end()})}, 1e-5F);
  }
}

INSTANTIATE_TEST_SUITE_P(WideAndNarrow, OnePackedMatrix,
                         ::testing::Values(Matrix{256, 1000, false}, Matrix{256, 1000, true},
                                           Matrix{512, 10504, true}));

}  // namespace
}  // namespace slipway::runtime
