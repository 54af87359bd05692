// SPDX-License-Identifier: Apache-2.0
#include "runtime/graph/node_context.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>

namespace slipway::runtime {
namespace {

TEST(NodeContext, ParallelForCoversEachIndexOnce) {
  for (int threads : {1, 2, 3, 7}) {
    NodeContext context({.inputs = {}, .outputs = {}, .threads = threads});
    for (std::int64_t count : {0, 1, 2, 5, 64, 1001}) {
      for (std::int64_t grain : {0, 1, 10, 5000}) {
        std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
        std::atomic<int> pieces = 0;
        context.ParallelFor(count, grain, [&](std::int64_t begin, std::int64_t end) {
          ++pieces;
          EXPECT_LT(begin, end);
          for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
        });
        for (const auto& times : seen) EXPECT_EQ(times, 1);
        EXPECT_LE(pieces, threads);
        EXPECT_TRUE(grain <= count / 2 || pieces <= 1);
      }
    }
  }
}

TEST(NodeContext, BodiesWithoutMemoryEndInAnError) {
  for (int threads : {1, 3}) {
    NodeContext context({.inputs = {}, .outputs = {}, .threads = threads});
    context.ParallelFor(64, 1, [](std::int64_t begin, std::int64_t) {
      if (begin == 0) throw std::bad_alloc();
    });
    const auto ended = context.TakeError();
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::kResourceExhausted);
    context.ParallelFor(64, 1, [](std::int64_t, std::int64_t) {});
    EXPECT_TRUE(context.TakeError());
  }
}

TEST(NodeContext, ValuesThatAreSetNeverPointIntoTheArena) {
  auto arena = Tensor::Make(DType::kUint8, {256});
  ASSERT_TRUE(arena);
  auto* memory = static_cast<std::byte*>(arena->raw());
  const Value inside(Tensor::Wrap(DType::kFloat32, {4}, arena->owner(), memory + 64));
  const Value outside(Tensor::FromVector<float>(DType::kFloat32, {1}, {1}));
  Value outputs[2];
  Value* const slots[] = {&outputs[0], &outputs[1]};
  NodeContext context({.inputs = {}, .outputs = slots, .arena = arena->raw(), .arena_bytes = 256});
  context.Set(0, inside);
  context.Set(1, outside);
  context.Set(7, outside);
  ASSERT_TRUE(context.TakeError());
  EXPECT_NE(outputs[0].tensor()->raw(), inside.tensor()->raw());
  EXPECT_EQ(outputs[0].tensor()->shape(), (Shape{4}));
  EXPECT_EQ(outputs[1].tensor()->raw(), outside.tensor()->raw());
}

TEST(NodeContext, OutputsPlannedInTheArenaStayThere) {
  auto arena = Tensor::Make(DType::kUint8, {256});
  ASSERT_TRUE(arena);
  Value output(Tensor::Wrap(DType::kFloat32, {2}, arena->owner(), arena->raw()));
  Value* const slots[] = {&output};
  NodeContext context({.inputs = {}, .outputs = slots, .arena = arena->raw(), .arena_bytes = 256});
  context.Set(0, Value(Tensor::FromVector<float>(DType::kFloat32, {2}, {1, 2})));
  ASSERT_TRUE(context.TakeError());
  EXPECT_EQ(output.tensor()->raw(), arena->raw());
  EXPECT_EQ(output.tensor()->data<float>()[1], 2);
  context.Set(0, Value(Tensor::FromVector<float>(DType::kFloat32, {1}, {1})));
  EXPECT_FALSE(context.TakeError());
}

TEST(NodeContext, AbsentInputsAreNull) {
  const Value one(Tensor::FromVector<float>(DType::kFloat32, {1}, {1}));
  const Value* const inputs[] = {&one, nullptr};
  NodeContext context({.inputs = inputs, .outputs = {}});
  EXPECT_EQ(context.inputs(), 2U);
  EXPECT_NE(context.input(0), nullptr);
  EXPECT_EQ(context.input(1), nullptr);
  EXPECT_TRUE(context.input_value(1).is_none());
  EXPECT_EQ(context.input(9), nullptr);
}

}  // namespace
}  // namespace slipway::runtime
