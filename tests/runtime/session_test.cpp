// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runtime/graph/explain.h"
#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Error RunError(Session& session, const Feeds& feeds, std::vector<std::string> outputs = {}) {
  auto result = session.Run(feeds, outputs);
  EXPECT_FALSE(result);
  return result ? Error{} : std::move(result).error();
}

TEST(Session, WrongFeedsAreNamed) {
  auto session = MakeSession(LoadModel("add"));
  const Value good = Floats({1, 2}, {1, 2});
  Error error = RunError(*session, {});
  EXPECT_EQ(error.id, "Input.Missing");
  EXPECT_EQ(error.message, "input 'x' (float[n,2]) is missing");
  error = RunError(*session, {{"x", good}, {"z", good}});
  EXPECT_EQ(error.id, "Input.Unknown");
  EXPECT_EQ(error.message, "the model has no input 'z'; its inputs are: x");
  error = RunError(*session, {{"x", good}, {"x", good}});
  EXPECT_EQ(error.id, "Input.Twice");
  error = RunError(*session, {{"x", Int64s({1, 2}, {1, 2})}});
  EXPECT_EQ(error.id, "Input.WrongType");
  EXPECT_EQ(error.message, "input 'x' wants float[n,2] and got int64[1,2]");
  error = RunError(*session, {{"x", Value()}});
  EXPECT_EQ(error.id, "Input.WrongType");
  error = RunError(*session, {{"x", Floats({1, 3}, {1, 2, 3})}});
  EXPECT_EQ(error.id, "Input.WrongShape");
  EXPECT_EQ(error.message, "input 'x' wants float[n,2] and got float[1,3]");
  error = RunError(*session, {{"x", Floats({2}, {1, 2})}});
  EXPECT_EQ(error.id, "Input.WrongShape");
  error = RunError(*session, {{"x", good}}, {"q"});
  EXPECT_EQ(error.id, "Output.Unknown");
  EXPECT_TRUE(session->Run({{"x", good}}));
}

TEST(Session, EndsAtItsDeadlineAndWhenCancelled) {
  auto session = MakeSession(LoadModel("loop"));
  const auto feeds = [](std::int64_t trips) {
    return Feeds{
        {"m", Int64s({}, {trips})}, {"start", Floats({2}, {0, 1})}, {"x", Floats({2}, {1, 10})}};
  };
  constexpr std::int64_t kForever = std::int64_t{1} << 40;
  const auto began = std::chrono::steady_clock::now();
  auto late =
      session->Run(feeds(kForever), {}, {.deadline = began + std::chrono::milliseconds(50)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().id, "Run.DeadlineExceeded");
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));

  std::atomic<bool> cancelled = false;
  std::thread other([&cancelled] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cancelled = true;
  });
  const auto ended = session->Run(feeds(kForever), {}, {.cancelled = &cancelled});
  other.join();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().id, "Run.Cancelled");
  EXPECT_TRUE(session->Run(feeds(3)));
}

TEST(Session, OtherDevicesAreRefused) {
  const auto session = Session::Create(LoadModel("add"), {.device = Device::kCuda});
  if (session) GTEST_SKIP() << "this build has the device cuda";
  EXPECT_EQ(session.error().id, "Device.Unavailable");
  EXPECT_THAT(session.error().message, HasSubstr("cpu"));
}

TEST(Session, GivesTheOutputsAskedForInThatOrder) {
  auto session = MakeSession(LoadModel("pass_through"));
  const Feeds feeds = {{"x", Floats({2}, {-1, 3})}};
  const std::vector<std::string> names = {"s", "x", "r"};
  const auto outputs = session->Run(feeds, names);
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_THAT(FloatsOf((*outputs)[0]), ElementsAre(0, 3));
  EXPECT_THAT(FloatsOf((*outputs)[1]), ElementsAre(-1, 3));
  EXPECT_THAT(FloatsOf((*outputs)[2]), ElementsAre(0, 3));
}

TEST(Session, OutputsAreTheCallersOwn) {
  for (const bool passes : {true, false}) {
    auto session = MakeSession(LoadModel("pass_through"), {.passes = passes});
    const Value x = Floats({2}, {-1, 3});
    auto first = session->Run({{"x", x}});
    ASSERT_TRUE(first) << first.error().message;
    for (Value& value : *first) std::ranges::fill(value.tensor()->data<float>(), 77.0F);
    EXPECT_THAT(FloatsOf(x), ElementsAre(-1, 3));
    for (std::size_t i = 0; i < first->size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_NE((*first)[i].tensor()->raw(), (*first)[j].tensor()->raw());
      }
    }
    const auto second = session->Run({{"x", x}});
    ASSERT_TRUE(second);
    EXPECT_THAT(FloatsOf((*second)[1]), ElementsAre(0, 3));
    EXPECT_NE(FloatsOf((*second)[3])[0], 77.0F);
  }
}

TEST(Session, InitialisersMayBeReplaced) {
  auto session = MakeSession(LoadModel("overridable"));
  const Value x = Floats({1, 2}, {1, 2});
  const auto plain = session->Run({{"x", x}});
  const auto fed = session->Run({{"x", x}, {"w", Floats({2}, {10, 20})}});
  const auto again = session->Run({{"x", x}});
  ASSERT_TRUE(plain && fed && again);
  EXPECT_THAT(FloatsOf((*fed)[0]), ElementsAre(11, 22));
  EXPECT_EQ(FloatsOf((*plain)[0]), FloatsOf((*again)[0]));
  EXPECT_NE(FloatsOf((*plain)[0]), FloatsOf((*fed)[0]));
  EXPECT_FALSE(session->Run({{"x", x}, {"w", Floats({3}, {1, 2, 3})}}));
}

TEST(Session, DeclaredOutputShapesNeedNotHold) {
  const auto outputs = RunModel("wrong_declared", {{"x", Floats({2}, {-1, 1})}});
  EXPECT_THAT(FloatsOf(outputs[0]), ElementsAre(0, 1));
}

TEST(Session, Strings) {
  const Value x(Tensor::FromVector(DType::kString, {2}, std::vector<std::string>{"a", "b"}));
  const auto outputs = RunModel("strings", {{"x", x}});
  const auto got = outputs[0].tensor()->data<std::string>();
  EXPECT_EQ(std::vector<std::string>(got.begin(), got.end()),
            (std::vector<std::string>{"a", "b", "tail"}));
}

TEST(Session, ShapesThatDependOnData) {
  for (const bool passes : {true, false}) {
    auto session = MakeSession(LoadModel("dynamic"), {.passes = passes});
    const Value x = Floats({6}, {-1, 2, 3, -4, 5, 6});
    for (const Shape& shape : {Shape{2, 3}, Shape{3, 2}, Shape{6}, Shape{1, 6, 1}, Shape{2, 3}}) {
      const auto rank = static_cast<std::int64_t>(shape.size());
      const auto outputs = session->Run({{"x", x}, {"shape", Int64s({rank}, shape)}});
      ASSERT_TRUE(outputs) << outputs.error().message;
      EXPECT_EQ((*outputs)[0].tensor()->shape(), shape);
      EXPECT_THAT(FloatsOf((*outputs)[0]), ElementsAre(11, 13, 14, 11, 16, 17));
      const auto shape_out = (*outputs)[1].tensor()->data<std::int64_t>();
      EXPECT_EQ(Shape(shape_out.begin(), shape_out.end()), shape);
    }
    const auto bad = session->Run({{"x", x}, {"shape", Int64s({1}, {7})}});
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("Reshape"));
  }
}

TEST(Session, ShapeSubgraphsAreComputedWhilePlanning) {
  auto session = MakeSession(LoadModel("shape_subgraph"));
  for (std::int64_t n : {1, 4, 3}) {
    const Feeds feeds = {{"x", Floats({n, 2, 3}, std::vector<float>(std::size_t(n) * 6, 1))}};
    const auto outputs = session->Run(feeds);
    ASSERT_TRUE(outputs) << outputs.error().message;
    const auto text = session->Explain(feeds);
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("4 nodes evaluated while planning"));
    EXPECT_EQ((*outputs)[0].tensor()->shape(), (Shape{n, 6}));
  }
}

TEST(Session, ManyThreadsAndShapes) {
  auto session = MakeSession(LoadModel("residual"), {.threads = 1});
  const auto run = [&](std::int64_t size) {
    std::vector<float> elements(static_cast<std::size_t>(3 * size * size));
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i % 7) - 3;
    const auto outputs = session->Run({{"x", Floats({1, 3, size, size}, std::move(elements))}});
    return outputs ? FloatsOf((*outputs)[0]) : std::vector<float>();
  };
  std::vector<std::vector<float>> expected;
  for (std::int64_t size = 3; size < 9; ++size) expected.push_back(run(size));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        const std::size_t which = static_cast<std::size_t>(t + i) % expected.size();
        if (run(static_cast<std::int64_t>(which) + 3) != expected[which]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(expected[0].empty());
  EXPECT_EQ(wrong, 0);
}

TEST(Session, MoreShapesThanPlansAreKept) {
  auto session = MakeSession(LoadModel("add"));
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t n = 0; n < 100; ++n) {
      const auto outputs = session->Run(
          {{"x", Floats({n, 2}, std::vector<float>(static_cast<std::size_t>(2 * n), 1))}});
      ASSERT_TRUE(outputs);
      EXPECT_EQ((*outputs)[0].tensor()->shape(), (Shape{n, 2}));
    }
  }
}

TEST(Session, ExplainsAndProfiles) {
  auto session = MakeSession(LoadModel("residual"), {.profile = true});
  const Feeds feeds = {{"x", Floats({1, 3, 4, 4}, std::vector<float>(48, 1))}};
  ASSERT_TRUE(session->Run(feeds));
  ASSERT_TRUE(session->Run(feeds));
  const auto text = session->Explain(feeds);
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("pass fuse_conv_batchnorm: 1 changes"));
  EXPECT_THAT(*text, HasSubstr("working memory"));
  const auto profile = session->Profile();
  ASSERT_FALSE(profile.empty());
  for (const NodeProfile& row : profile) EXPECT_EQ(row.runs, 2) << row.node;
  const auto bytes = session->WorkingBytes(feeds);
  ASSERT_TRUE(bytes);
  EXPECT_GT(*bytes, 0);
  const auto flops = SessionFlops(*session, feeds);
  ASSERT_TRUE(flops);
  EXPECT_EQ(*flops, 2 * 16 * (4 * 27 + 4 * 36 + 4 * 2) + 2 * 4 * 16);
}

TEST(ControlFlow, If) {
  auto session = MakeSession(LoadModel("if"));
  const Value x = Floats({2}, {1, 2});
  const auto yes = session->Run({{"c", Bool(true)}, {"x", x}});
  const auto no = session->Run({{"c", Bool(false)}, {"x", x}});
  ASSERT_TRUE(yes) << yes.error().message;
  ASSERT_TRUE(no) << no.error().message;
  EXPECT_THAT(FloatsOf((*no)[0]), ElementsAre(2, 4));
  const auto scaled = FloatsOf((*yes)[0]);
  EXPECT_FLOAT_EQ(scaled[1], 2 * scaled[0]);
  EXPECT_NE(scaled[0], 2);
}

TEST(ControlFlow, LoopStacksWhatItsTripsGive) {
  auto session = MakeSession(LoadModel("loop"));
  const auto run = [&](std::int64_t trips) {
    auto outputs = session->Run(
        {{"m", Int64s({}, {trips})}, {"start", Floats({2}, {0, 1})}, {"x", Floats({2}, {1, 10})}});
    EXPECT_TRUE(outputs) << outputs.error().message;
    return outputs ? *std::move(outputs) : std::vector<Value>(2);
  };
  const auto three = run(3);
  EXPECT_THAT(FloatsOf(three[0]), ElementsAre(3, 31));
  EXPECT_EQ(three[1].tensor()->shape(), (Shape{3, 2}));
  EXPECT_THAT(FloatsOf(three[1]), ElementsAre(0, 0, 2, 21, 6, 62));
  const auto none = run(0);
  EXPECT_THAT(FloatsOf(none[0]), ElementsAre(0, 1));
  EXPECT_EQ(none[1].tensor()->dim(0), 0);
}

TEST(ControlFlow, LoopValuesMayGrow) {
  const auto outputs = RunModel("grow", {{"x", Floats({3}, {1, 2, 3})}});
  EXPECT_EQ(outputs[0].tensor()->shape(), (Shape{12}));
}

TEST(ControlFlow, Scan) {
  const auto outputs = RunModel(
      "scan", {{"start", Floats({2}, {100, 200})}, {"x", Floats({2, 3}, {1, 2, 3, 4, 5, 6})}});
  EXPECT_THAT(FloatsOf(outputs[0]), ElementsAre(106, 215));
  EXPECT_EQ(outputs[1].tensor()->shape(), (Shape{2, 3}));
  EXPECT_THAT(FloatsOf(outputs[1]), ElementsAre(9, 4, 1, 36, 25, 16));
}

TEST(ControlFlow, NestedGraphsSeeAllAroundThem) {
  for (const bool passes : {true, false}) {
    const auto outputs =
        RunModel("nested", {{"c", Bool(true)}, {"x", Floats({2}, {3, 4})}}, {.passes = passes});
    EXPECT_THAT(FloatsOf(outputs[0]), ElementsAre(13, 21));
  }
}

TEST(Functions, AreInlined) {
  const Model model = LoadModel("functions");
  const auto outputs = RunModel("functions", {{"x", Floats({2}, {4, 8})}});
  EXPECT_THAT(FloatsOf(outputs[0]), ElementsAre(7, 14));
  EXPECT_EQ(model.info().nodes, 10);
}

}  // namespace
}  // namespace slipway::runtime
