// SPDX-License-Identifier: Apache-2.0
#include "runtime/run_into.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "tests/runtime/model_files.h"
#include "tests/runtime/tiny_model.h"

namespace slipway::runtime {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

Model ModelOfNodes(const std::vector<tiny::Node>& nodes, const std::vector<tiny::Port>& inputs,
                   const std::vector<tiny::Port>& outputs, std::int64_t opset = 20) {
  const std::string bytes = tiny::ModelOf(tiny::GraphOf(nodes, inputs, outputs), opset);
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

Value Int32s(Shape shape, std::vector<std::int32_t> elements) {
  return Value(Tensor::FromVector(DType::kInt32, std::move(shape), std::move(elements)));
}

/// A tensor over a part of `memory`, which nobody else owns.
Value Over(std::vector<float>& memory, Shape shape, std::size_t first = 0) {
  return Value(Tensor::Wrap(DType::kFloat32, std::move(shape), nullptr, memory.data() + first));
}

/// A run with memory for some outputs.
Result<std::vector<Value>> RunOver(Session& session, const Feeds& feeds,
                                   std::span<const std::string> names, std::vector<Value> memory) {
  TRY(RunInto(session, feeds, names, memory));
  return memory;
}

std::vector<Value> Must(Result<std::vector<Value>> run) {
  if (run) return *std::move(run);
  ADD_FAILURE() << run.error().message;
  return {};
}

TEST(RunInto, WritesOutputsWhereTheyAreWanted) {
  for (const bool passes : {true, false}) {
    auto session = MakeSession(LoadModel("pass_through"), {.passes = passes});
    const Feeds feeds = {{"x", Floats({2}, {-1, 3})}};
    const std::vector<std::string> names = {"s", "x", "r"};
    std::vector<float> s(2, 9), x(2, 9);
    const std::vector<Value> memory = {Over(s, {2}), Over(x, {2}), Value()};
    const auto outputs = Must(RunOver(*session, feeds, names, memory));
    ASSERT_EQ(outputs.size(), 3U);
    EXPECT_EQ(outputs[0].tensor()->raw(), s.data());
    EXPECT_EQ(outputs[1].tensor()->raw(), x.data());
    EXPECT_THAT(s, ElementsAre(0, 3));
    EXPECT_THAT(x, ElementsAre(-1, 3));
    EXPECT_THAT(FloatsOf(outputs[2]), ElementsAre(0, 3));
  }
}

TEST(RunInto, MakesNoMemoryOfItsOwnForThem) {
  // An output of a planned shape, one whose shape depends on data, and a view.
  const Model model =
      ModelOfNodes({{"Neg", {"a"}, {"n"}},
                    {"Expand", {"one", "size"}, {"e"}},
                    {"Abs", {"a"}, {"b"}},
                    {"Constant", {}, {"axes"}, {{"value_ints", tiny::Ints{0}}}},
                    {"Unsqueeze", {"b", "axes"}, {"u"}}},
                   {{"a"}, {"one"}, {"size", DType::kInt64}}, {{"n"}, {"e"}, {"u"}});
  const auto session = MakeSession(model, {.limits = {.memory_bytes = kMiB}});
  std::vector<float> a(kMiB, 2), n(kMiB), e(kMiB), u(kMiB);
  const Feeds feeds = {
      {"a", Over(a, {kMiB})}, {"one", Floats({1}, {7})}, {"size", Int64s({1}, {kMiB})}};
  const auto refused = session->Run(feeds);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Run.MemoryLimit");
  const std::vector<Value> memory = {Over(n, {kMiB}), Over(e, {kMiB}), Over(u, {1, kMiB})};
  Must(RunOver(*session, feeds, {}, memory));
  EXPECT_THAT(n, Each(-2));
  EXPECT_THAT(e, Each(7));
  EXPECT_THAT(u, Each(2));
}

TEST(RunInto, MemoryOfAnInputIsReadBeforeItIsWritten) {
  const Model model = ModelOfNodes({{"Neg", {"a"}, {"n"}}, {"ReduceSum", {"a"}, {"s"}}}, {{"a"}},
                                   {{"n"}, {"a"}, {"s"}});
  for (const std::size_t shift : {0U, 1U}) {
    for (const bool passes : {true, false}) {
      const auto session = MakeSession(model, {.passes = passes});
      std::vector<float> all = {1, 2, 3, 4, 5};
      const std::vector<Value> memory = {Over(all, {4}, shift), Value(), Value()};
      const auto outputs = Must(RunOver(*session, {{"a", Over(all, {4})}}, {}, memory));
      ASSERT_EQ(outputs.size(), 3U);
      EXPECT_THAT(FloatsOf(outputs[0]), ElementsAre(-1, -2, -3, -4));
      EXPECT_THAT(FloatsOf(outputs[1]), ElementsAre(1, 2, 3, 4));
      EXPECT_THAT(FloatsOf(outputs[2]), ElementsAre(10));
    }
  }
}

TEST(RunInto, OutputsMayChangePlaces) {
  const Model model = ModelOfNodes({{"Identity", {"a"}, {"x"}}, {"Identity", {"b"}, {"y"}}},
                                   {{"a"}, {"b"}}, {{"x"}, {"y"}});
  const auto session = MakeSession(model);
  std::vector<float> a = {1, 2}, b = {3, 4};
  const Feeds feeds = {{"a", Over(a, {2})}, {"b", Over(b, {2})}};
  Must(RunOver(*session, feeds, {}, {Over(b, {2}), Over(a, {2})}));
  EXPECT_THAT(a, ElementsAre(3, 4));
  EXPECT_THAT(b, ElementsAre(1, 2));
}

TEST(RunInto, WrongMemoryIsNamed) {
  const Model model =
      ModelOfNodes({{"Neg", {"a"}, {"n"}}, {"Abs", {"a"}, {"b"}}}, {{"a"}}, {{"n"}, {"b"}});
  const auto session = MakeSession(model);
  std::vector<float> all(8);
  const std::vector<std::string> twice = {"n", "n"};
  const auto refused = [&](std::vector<Value> memory, std::span<const std::string> names = {}) {
    const auto run = RunOver(*session, {{"a", Floats({2}, {1, 2})}}, names, memory);
    EXPECT_FALSE(run);
    if (run) return std::string();
    EXPECT_EQ(run.error().id, "Output.WrongMemory");
    EXPECT_EQ(run.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(run.error().fix.empty());
    return run.error().message;
  };
  EXPECT_EQ(refused({Over(all, {3}), Value()}),
            "output 'n' is float[2], the memory for it float[3]");
  EXPECT_EQ(refused({Value(), Int64s({2}, {1, 2})}),
            "output 'b' is float[2], the memory for it int64[2]");
  EXPECT_THAT(refused({Over(all, {2}), Over(all, {2}, 1)}), HasSubstr("'n' and 'b' overlaps"));
  EXPECT_THAT(refused({Over(all, {2})}), HasSubstr("for 1 outputs, wanted are 2"));
  EXPECT_THAT(refused({Over(all, {2}), Value()}, twice), HasSubstr("'n' is wanted twice"));
  EXPECT_THAT(
      refused(
          {Value(Tensor::FromVector(DType::kString, {1}, std::vector<std::string>{"a"})), Value()}),
      HasSubstr("is of text"));
  EXPECT_THAT(refused({Value(std::make_shared<const Sequence>()), Value()}),
              HasSubstr("is no tensor"));
  EXPECT_TRUE(RunOver(*session, {{"a", Floats({2}, {1, 2})}}, {},
                      std::vector<Value>{Over(all, {2}), Over(all, {2}, 2)}));
}

/// Attention to a cache of `kRoom` tokens, whose number is data or known when planning.
struct Cached {
  static constexpr std::int64_t kHeads = 2, kHead = 8, kRoom = 4096;
  static constexpr std::size_t kSize = kHeads * kRoom * kHead;

  /// `nodes`: more of them. `total`: a constant, or -1 for an input.
  static Model Make(std::int64_t total, std::vector<tiny::Node> nodes = {},
                    const std::vector<tiny::Port>& more = {}) {
    std::vector<tiny::Port> inputs = {{"q"},  {"k"},  {"v"},
                                      {"pk"}, {"pv"}, {"lengths", DType::kInt32, {1}}};
    if (total < 0) inputs.push_back({"total", DType::kInt32});
    if (total >= 0) {
      nodes.push_back({"Constant", {}, {"wide"}, {{"value_int", total}}});
      nodes.push_back({"Cast", {"wide"}, {"total"}, {{"to", std::int64_t{6}}}});
    }
    nodes.push_back({"GroupQueryAttention",
                     {"q", "k", "v", "pk", "pv", "lengths", "total"},
                     {"y", "nk", "nv"},
                     {{"num_heads", std::int64_t{4}}, {"kv_num_heads", kHeads}},
                     "com.microsoft"});
    std::vector<tiny::Port> outputs = {{"y"}, {"nk"}, {"nv"}};
    outputs.insert(outputs.end(), more.begin(), more.end());
    return ModelOfNodes(nodes, inputs, outputs);
  }

  Feeds Token(std::int64_t past, bool with_total) {
    const auto numbers = [&](Shape shape, std::size_t count) {
      std::vector<float> made(count);
      for (float& number : made) number = std::uniform_real_distribution<float>(-1, 1)(random);
      return Floats(std::move(shape), std::move(made));
    };
    Feeds feeds = {{"q", numbers({1, 1, 32}, 32)},
                   {"k", numbers({1, 1, 16}, 16)},
                   {"v", numbers({1, 1, 16}, 16)},
                   {"pk", Over(keys, kCache)},
                   {"pv", Over(values, kCache)},
                   {"lengths", Int32s({1}, {static_cast<std::int32_t>(past)})}};
    if (with_total) {
      feeds.emplace_back("total", Int32s({}, {static_cast<std::int32_t>(past + 1)}));
    }
    return feeds;
  }

  const Shape kCache = {1, kHeads, kRoom, kHead};
  std::mt19937 random{7};
  std::vector<float> keys = std::vector<float>(kSize), values = std::vector<float>(kSize);
};

TEST(RunInto, AttentionAddsToItsCacheInPlace) {
  for (const bool constant : {false, true}) {
    Cached cached;
    for (std::int64_t past = 3; past < 8; ++past) {
      const Model model = Cached::Make(constant ? past + 1 : -1);
      const Feeds feeds = cached.Token(past, !constant);
      const auto expected = Must(MakeSession(model)->Run(feeds));
      // No room for one more cache.
      const auto session =
          MakeSession(model, {.threads = 1, .limits = {.memory_bytes = 3 * Cached::kSize}});
      const auto copied = session->Run(feeds);
      ASSERT_FALSE(copied);
      EXPECT_EQ(copied.error().id, "Run.MemoryLimit");
      const std::vector<Value> memory = {Value(), Over(cached.keys, cached.kCache),
                                         Over(cached.values, cached.kCache)};
      const auto outputs = Must(RunOver(*session, feeds, {}, memory));
      ASSERT_EQ(outputs.size(), 3U);
      EXPECT_EQ(FloatsOf(outputs[0]), FloatsOf(expected[0]));
      EXPECT_EQ(cached.keys, FloatsOf(expected[1]));
      EXPECT_EQ(cached.values, FloatsOf(expected[2]));
    }
  }
}

TEST(RunInto, ACacheThatOthersReadIsNotChangedUnderThem) {
  // Beside a reader of the past, a view of it, and the past as an output.
  const std::vector<tiny::Node> nodes = {{"ReduceSum", {"pk"}, {"sum"}},
                                         {"Flatten", {"pv"}, {"flat"}},
                                         {"ReduceSum", {"flat"}, {"total_of_flat"}}};
  const Model model = Cached::Make(-1, nodes, {{"sum"}, {"total_of_flat"}, {"pk"}});
  for (const bool reference : {false, true}) {
    Cached cached;
    std::iota(cached.keys.begin(), cached.keys.begin() + 4096, 1.0F);
    std::iota(cached.values.begin(), cached.values.begin() + 4096, 2.0F);
    const Feeds feeds = cached.Token(5, true);
    const auto session = MakeSession(model, {.reference = reference});
    const auto expected = Must(session->Run(feeds));
    const std::vector<Value> memory = {Value(),
                                       Over(cached.keys, cached.kCache),
                                       Over(cached.values, cached.kCache),
                                       Value(),
                                       Value(),
                                       Value()};
    const auto outputs = Must(RunOver(*session, feeds, {}, memory));
    ASSERT_EQ(outputs.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(FloatsOf(outputs[i]), FloatsOf(expected[i])) << i;
    EXPECT_NE(FloatsOf(outputs[1]), FloatsOf(outputs[5]));
  }
}

TEST(RunInto, TensorScatterWritesIntoItsCache) {
  const Model model = ModelOfNodes(
      {{"TensorScatter", {"past", "update", "at"}, {"now"}, {{"mode", std::string("circular")}}}},
      {{"past"}, {"update"}, {"at", DType::kInt64, {1}}}, {{"now"}}, 24);
  const auto session = MakeSession(model, {.threads = 1, .limits = {.memory_bytes = kMiB}});
  const Shape shape{1, kMiB, 1};
  std::vector<float> cache(kMiB, 1);
  const Feeds feeds = {{"past", Over(cache, shape)},
                       {"update", Floats({1, 2, 1}, {5, 6})},
                       {"at", Int64s({1}, {kMiB - 1})}};
  ASSERT_FALSE(session->Run(feeds));
  Must(RunOver(*session, feeds, {}, {Over(cache, shape)}));
  EXPECT_EQ(cache.front(), 6);
  EXPECT_EQ(cache.back(), 5);
  EXPECT_EQ(std::accumulate(cache.begin(), cache.end(), 0.0), kMiB + 9);
}

}  // namespace
}  // namespace slipway::runtime
