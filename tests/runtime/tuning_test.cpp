// SPDX-License-Identifier: Apache-2.0
#include "runtime/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/file.h"
#include "runtime/kernels/blocked.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"
#include "tests/support/tempdir.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using tiny::Net;

/// A clock by which everything takes as long: kernels stay as they are by rule.
class TickingClock final : public Clock {
 public:
  TimePoint Now() override { return {}; }
  std::chrono::steady_clock::time_point Steady() override {
    return now_ += std::chrono::milliseconds(1);
  }
  void Sleep(std::chrono::milliseconds) override {}

 private:
  std::chrono::steady_clock::time_point now_ = {};
};

/// Convolutions of several kinds, of which the rule takes some by Winograd's way, and products.
Model Network() {
  Net net(1);
  std::string v = net.Add("Relu", {net.Convolve("x", {.in = 16, .out = 64})});
  v = net.Add("Relu", {net.Convolve(v, {.in = 64, .out = 64})});
  v = net.Add("Add", {net.Convolve(v, {.in = 64, .out = 64}), v});
  v = net.Convolve(v, {.in = 64, .out = 32, .kernel = 1, .pad = 0});
  v = net.Add("GlobalAveragePool", {net.Convolve(v, {.in = 32, .out = 48, .stride = 2})});
  v = net.Add("Flatten", {v});
  for (const auto& shape : {tiny::Ints{48, 1100}, tiny::Ints{1100, 200}, tiny::Ints{200, 400}}) {
    v = net.Add("MatMul", {v, net.Weights(shape, -1, 1)});
  }
  const std::string bytes = net.Model({v}, 20, {1, 16, 28, 28});
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

Feeds Image(std::int64_t side = 28) { return {{"x", Random({1, 16, side, side}, 3)}}; }

struct Told {
  std::vector<float> answer;
  std::string text;
};

Told Ask(const Model& model, const Tuning& tuning, const SessionOptions& options = {},
         const Feeds& feeds = Image()) {
  const auto session = CreateSession(model, options, tuning);
  if (!session) {
    ADD_FAILURE() << session.error().message;
    return {};
  }
  const auto answer = (*session)->Run(feeds);
  const auto text = (*session)->Explain(feeds);
  if (!answer || !text) {
    ADD_FAILURE() << (answer ? text.error().message : answer.error().message);
    return {};
  }
  return {FloatsOf((*answer)[0]), *text};
}

/// All that there is to measure, with the kernels that the rule takes.
std::shared_ptr<MeasuredKernels> ByRule(const Model& model, const SessionOptions& options = {}) {
  auto measured = std::make_shared<MeasuredKernels>();
  TickingClock clock;
  const auto session = CreateSession(
      model, options, {.measured = measured, .budget = std::chrono::hours(1), .clock = &clock});
  EXPECT_TRUE(session);
  return measured;
}

/// The same with other kernels.
std::shared_ptr<MeasuredKernels> With(const MeasuredKernels& measured, const std::string& kernel,
                                      const std::string& instead) {
  const std::string text =
      std::regex_replace(measured.Text(), std::regex("\"kernel\": \"" + kernel + "\""),
                         "\"kernel\": \"" + instead + "\"");
  auto other = std::make_shared<MeasuredKernels>();
  const auto added = other->AddText(text);
  EXPECT_TRUE(added) << added.error().message;
  return other;
}

TEST(Tuning, MeasuresWhenASessionIsMadeAndKeepsTheBits) {
  const Model model = Network();
  const auto measured = std::make_shared<MeasuredKernels>();
  const auto session =
      CreateSession(model, {}, {.measured = measured, .budget = std::chrono::seconds(60)});
  ASSERT_TRUE(session);
  EXPECT_GE(measured->size(), 3U);
  EXPECT_TRUE(measured->changed());
  const std::size_t known = measured->size();
  const Told here = Ask(model, {.measured = measured});
  EXPECT_THAT(here.text, HasSubstr("    measured: "));
  const auto answer = (*session)->Run(Image());
  ASSERT_TRUE(answer);
  EXPECT_EQ(FloatsOf((*answer)[0]), here.answer);
  EXPECT_EQ(measured->size(), known);

  testing::TempDir folder;
  const auto file = folder.path() / "model.choices.json";
  ASSERT_TRUE(SaveMeasured(file, *measured));
  EXPECT_FALSE(measured->changed());
  const auto stored = ReadMeasured(file);
  ASSERT_TRUE(stored) << stored.error().message;
  const Told there = Ask(model, {.measured = *stored});
  EXPECT_EQ(there.answer, here.answer);
  EXPECT_FALSE((*stored)->changed());
}

TEST(Tuning, WhatTiesStaysAsItIsByRule) {
  const Model model = Network();
  const auto measured = ByRule(model);
  EXPECT_GE(measured->size(), 3U);
  EXPECT_EQ(Ask(model, {.measured = measured}).answer, Ask(model, {}).answer);
}

TEST(Tuning, TakesWhatIsStored) {
  if (ChannelBlock() == 0) GTEST_SKIP() << "there are no blocks on this processor";
  const Model model = Network();
  const auto rule = ByRule(model);
  const Told plain = Ask(model, {});
  EXPECT_THAT(plain.text, HasSubstr(" conv_blocked_winograd -> "));
  EXPECT_THAT(plain.text, Not(HasSubstr("measured")));
  const auto sums = With(*rule, "conv_blocked_winograd", "conv_blocked_dnnl");
  const Told told = Ask(model, {.measured = sums});
  EXPECT_THAT(told.text, Not(HasSubstr(" conv_blocked_winograd -> ")));
  EXPECT_NE(told.answer, plain.answer);
  EXPECT_EQ(told.answer, Ask(model, {}, {.accuracy = Accuracy::kStrict}).answer);
}

TEST(Tuning, WinogradIsMeasuredWhereTheRuleLeavesItOutButNotWhereSumsAreAskedFor) {
  if (ChannelBlock() == 0) GTEST_SKIP() << "there are no blocks on this processor";
  Net net(2);
  std::string v = net.Add("Relu", {net.Convolve("x", {.in = 16, .out = 32})});
  const std::string bytes = net.Model({net.Convolve(v, {.in = 32, .out = 20})}, 20, {1, 16, 5, 5});
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model);
  const Feeds small = Image(5);
  const auto rule = ByRule(*model);
  EXPECT_THAT(rule->Text(), HasSubstr("algorithm=any"));
  EXPECT_THAT(rule->Text(), HasSubstr("\"conv_blocked_winograd\": "));
  const auto other = With(*rule, "conv_blocked_dnnl", "conv_blocked_winograd");
  const Told told = Ask(*model, {.measured = other}, {}, small);
  EXPECT_THAT(told.text, HasSubstr(" conv_blocked_winograd -> "));
  const Told plain = Ask(*model, {}, {}, small);
  EXPECT_THAT(plain.text, Not(HasSubstr(" conv_blocked_winograd -> ")));
  ExpectNear({Floats({static_cast<std::int64_t>(plain.answer.size())}, plain.answer)},
             {Floats({static_cast<std::int64_t>(told.answer.size())}, told.answer)}, 1e-4F);

  const SessionOptions strict{.accuracy = Accuracy::kStrict};
  EXPECT_THAT(ByRule(*model, strict)->Text(), Not(HasSubstr("winograd")));
  EXPECT_THAT(Ask(*model, {.measured = other}, strict, small).text,
              Not(HasSubstr(" conv_blocked_winograd -> ")));
}

TEST(Tuning, KernelsThatCannotServeAreLeftOut) {
  const Model model = Network();
  const auto rule = ByRule(model);
  const Told plain = Ask(model, {});
  for (const char* kernel : {"no_such", "conv_reference", "conv_depthwise", ""}) {
    const Told told = Ask(model, {.measured = With(*rule, "[a-z_]*", kernel)});
    EXPECT_EQ(told.answer, plain.answer) << kernel;
    EXPECT_THAT(told.text, HasSubstr("by rule: what is stored, '" + std::string(kernel) + "'"));
  }
  const Told other = Ask(model, {.measured = rule}, {.threads = 3});
  EXPECT_THAT(other.text, HasSubstr("by rule: it was not measured"));
}

TEST(Tuning, EndsWhenItsTimeIsSpent) {
  const Model model = Network();
  const std::size_t all = ByRule(model)->size();
  std::size_t before = 0;
  for (const int budget : {1, 20, 45}) {
    const auto measured = std::make_shared<MeasuredKernels>();
    TickingClock clock;
    const Tuning tuning{
        .measured = measured, .budget = std::chrono::milliseconds(budget), .clock = &clock};
    ASSERT_TRUE(CreateSession(model, {}, tuning));
    EXPECT_GE(measured->size(), before);
    EXPECT_LT(measured->size(), all);
    before = measured->size();
  }
  EXPECT_GT(before, 0U);
}

TEST(Tuning, OpenShapesAreMeasuredWhenTheyCome) {
  Net net(5);
  const std::string bytes =
      net.Model({net.Convolve("x", {.in = 16, .out = 16, .kernel = 1, .pad = 0})});
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model);
  const auto measured = std::make_shared<MeasuredKernels>();
  TickingClock clock;
  const auto session = CreateSession(
      *model, {}, {.measured = measured, .budget = std::chrono::hours(1), .clock = &clock});
  ASSERT_TRUE(session);
  EXPECT_EQ(measured->size(), 0U);
  ASSERT_TRUE((*session)->Run({{"x", Random({1, 16, 20, 20}, 1)}}));
  EXPECT_EQ(measured->size(), 1U);
  ASSERT_TRUE((*session)->Run({{"x", Random({2, 16, 20, 20}, 1)}}));
  EXPECT_EQ(measured->size(), 2U);
}

TEST(Tuning, ProductsByOneKernelAreThoseOfAnother) {
  std::uint32_t seed = 1;
  for (const char* kernel : {"conv_product", "conv_grouped", "conv_dnnl", "conv_product",
                             "conv_grouped", "conv_product"}) {
    Net net(seed);
    std::string v = net.Convolve("x", {.in = 16, .out = 16, .kernel = 1, .pad = 0});
    if (seed % 3 == 0) v = net.Add("Relu", {v});
    if (seed % 3 == 1) {
      v = net.Add("Clip", {v, net.Add("Constant", {}, {{"value_float", -0.5F}}),
                           net.Add("Constant", {}, {{"value_float", 0.5F}})});
    }
    if (seed % 3 == 2) v = net.Add("Sigmoid", {v});
    const std::string bytes = net.Model({v}, 20, {1, 16, 28, 28});
    const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(model) << model.error().message;
    const auto measured = With(*ByRule(*model), "[a-z_]*", kernel);
    ASSERT_EQ(measured->size(), 1U);
    const Told told = Ask(*model, {.measured = measured});
    EXPECT_THAT(told.text, HasSubstr(std::string(" ") + kernel + " -> "));
    const auto wanted = MakeSession(*model, {.passes = false, .reference = true})->Run(Image());
    ASSERT_TRUE(wanted);
    ExpectNear(*wanted, {Floats((*wanted)[0].tensor()->shape(), told.answer)}, 1e-5F);
    ++seed;
  }
}

TEST(MeasuredKernels, AreReadAsTheyWereWritten) {
  MeasuredKernels measured("this");
  measured.Add("a node", {.kernel = "one", .microseconds = {{"one", 1.5}, {"two", 3}}});
  measured.Add("another \"node\"\n", {.kernel = "two"});
  MeasuredKernels read("this"), elsewhere("that");
  ASSERT_TRUE(read.AddText(measured.Text()));
  ASSERT_TRUE(elsewhere.AddText(measured.Text()));
  EXPECT_EQ(read.Find("a node"), measured.Find("a node"));
  EXPECT_EQ(read.Find("another \"node\"\n")->kernel, "two");
  EXPECT_FALSE(read.Find("a nod"));
  EXPECT_FALSE(read.changed());
  EXPECT_EQ(read.Text(), measured.Text());
  EXPECT_EQ(elsewhere.size(), 0U);
  EXPECT_EQ(elsewhere.Text(), measured.Text());
}

TEST(MeasuredKernels, FilesOfOthersStay) {
  testing::TempDir folder;
  const auto file = folder.path() / "some.choices.json";
  MeasuredKernels one("one"), two("two"), again("one");
  one.Add("node", {.kernel = "a"});
  one.Add("only", {.kernel = "a"});
  two.Add("node", {.kernel = "b"});
  again.Add("node", {.kernel = "c"});
  ASSERT_TRUE(SaveMeasured(file, one));
  ASSERT_TRUE(SaveMeasured(file, two));
  ASSERT_TRUE(SaveMeasured(file, again));
  MeasuredKernels read("one"), other("two");
  const auto text = ReadFile(file, 1 << 20);
  ASSERT_TRUE(text);
  ASSERT_TRUE(read.AddText(*text) && other.AddText(*text));
  EXPECT_EQ(read.Find("node")->kernel, "c");
  EXPECT_EQ(read.Find("only")->kernel, "a");
  EXPECT_EQ(other.Find("node")->kernel, "b");
  EXPECT_EQ(ChoicesFileOf("a/model.onnx"), "a/model.choices.json");
}

TEST(MeasuredKernels, DamagedFilesAreOneErrorAndAreReplaced) {
  MeasuredKernels whole("m");
  whole.Add("node", {.kernel = "a", .microseconds = {{"a", 1}}});
  std::vector<std::string> texts = {
      "",
      "null",
      "[]",
      "{}",
      R"({"format": 2, "machines": {}})",
      R"({"format": 1})",
      R"({"format": 1, "machines": []})",
      R"({"format": 1, "machines": {"m": 3}})",
      R"({"format": 1, "machines": {"m": {"n": {}}}})",
      R"({"format": 1, "machines": {"m": {"n": {"kernel": 1}}}})",
      R"({"format": 1, "machines": {"m": {"n": {"kernel": "a", "us": {"a": "fast"}}}}})",
      R"({"format": 1, "machines": {"m": {"n": {"kernel": "a", "us": {"a": 1e300}}}}})",
      R"({"format": 1, "machines": {"m": {"n": {"kernel": "a", "us": {"a": -1}}}}})",
      R"({"format": 1, "machines": {}, "more": 1})",
      std::string(100'000, '[')};
  const std::string text = whole.Text();
  for (std::size_t size = 1; size + 2 < text.size(); ++size) texts.push_back(text.substr(0, size));
  testing::TempDir folder;
  const auto file = folder.path() / "model.choices.json";
  for (const std::string& damaged : texts) {
    ASSERT_TRUE(WriteFileAtomic(file, damaged));
    const auto read = ReadMeasured(file);
    ASSERT_FALSE(read) << damaged;
    EXPECT_EQ(read.error().id, "Choices.Invalid") << damaged;
    EXPECT_THAT(read.error().message, HasSubstr(file.string()));
  }
  ASSERT_TRUE(WriteFileAtomic(file, "some model"));
  const auto refused = SaveMeasured(file, whole);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "Choices.Invalid");
  EXPECT_EQ(*ReadFile(file, 100), "some model");
  EXPECT_TRUE(whole.changed());
  ASSERT_TRUE(WriteFileAtomic(file, text.substr(0, 20)));
  ASSERT_TRUE(SaveMeasured(file, whole));
  EXPECT_TRUE(ReadMeasured(file));
  EXPECT_TRUE(ReadMeasured(folder.path() / "none.json"));
  EXPECT_FALSE(ReadMeasured(folder.path()));
}

}  // namespace
}  // namespace slipway::runtime
