// SPDX-License-Identifier: Apache-2.0
// Sessions of models whose inputs have fixed shapes let go of weights that kernels hold, and make
// them again where that was too soon.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "runtime/kernels/blocked.h"
#include "tests/runtime/passes/net.h"
#include "tests/runtime/passes/run_with.h"

namespace slipway::runtime {
namespace {

using tiny::Net;

const tiny::Ints kShape = {1, 32, 8, 8};

/// Outputs `early` and `late`; one constant is shared by two convolutions, another is an output.
Model MakeModel(const tiny::Ints& shape) {
  Net net(1);
  const std::string w = net.Weights({32, 32, 3, 3}, -0.1F, 0.1F);
  const auto convolve = [&](const std::string& x) {
    return net.Add("Relu", {net.Add("Conv", {x, w}, {{"pads", tiny::Ints(4, 1)}})});
  };
  const std::string early = convolve("x");
  const std::string late = net.Convolve(convolve(early), {.in = 32, .out = 64});
  const std::string bytes = net.Model({early, late, w}, 20, shape);
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

std::vector<Value> RunFor(Session& session, const Feeds& feeds,
                          const std::vector<std::string>& outputs = {}) {
  auto made = session.Run(feeds, outputs);
  if (!made) ADD_FAILURE() << made.error().message;
  return made ? *std::move(made) : std::vector<Value>();
}

TEST(FixedShapes, WeightsThatKernelsHoldAreLetGoOf) {
  if (ChannelBlock() == 0) GTEST_SKIP() << "oneDNN works on rows on this processor";
  const Feeds feeds = {{"x", Random(Shape(kShape), 1)}};
  const auto fixed = MakeSession(MakeModel(kShape)), open = MakeSession(MakeModel({}));
  ExpectNear(RunFor(*open, feeds), RunFor(*fixed, feeds));
  EXPECT_LE(fixed->MemoryBytes() + 64 * 32 * 9 * 4, open->MemoryBytes());
}

TEST(FixedShapes, OtherOutputsAreMadeAllTheSame) {
  const Model model = MakeModel(kShape);
  const Feeds feeds = {{"x", Random(Shape(kShape), 1)}};
  const auto wanted = RunFor(*MakeSession(model, {.passes = false, .reference = true}), feeds);
  ASSERT_EQ(wanted.size(), 3U);
  std::vector<std::string> names;
  for (const ValueInfo& output : model.outputs()) names.push_back(output.name);
  const auto session = MakeSession(model);
  for (int turn = 0; turn < 2; ++turn) {
    ExpectNear({wanted[1]}, RunFor(*session, feeds, {names[1]}), 1e-5F);
    ExpectNear(wanted, RunFor(*session, feeds), 1e-5F);
    ExpectNear({wanted[2], wanted[0], wanted[0]},
               RunFor(*session, feeds, {names[2], names[0], names[0]}), 1e-5F);
    EXPECT_TRUE(session->Explain(feeds));
    EXPECT_TRUE(session->WorkingBytes(feeds));
  }
}

TEST(FixedShapes, ThreadsAskForDifferentOutputsAtOnce) {
  const Model model = MakeModel(kShape);
  const Feeds feeds = {{"x", Random(Shape(kShape), 1)}};
  std::vector<Value> wanted;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto session = MakeSession(model, {.threads = 1});
    wanted.push_back(RunFor(*session, feeds, {model.outputs()[i].name}).at(0));
  }
  for (int round = 0; round < 8; ++round) {
    const auto session = MakeSession(model, {.threads = 1});
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t run = 0; run < 6; ++run) {
          const std::size_t which = (t + run) % 2;
          const auto made = session->Run(feeds, std::vector{model.outputs()[which].name});
          const bool right = made && FloatsOf((*made)[0]) == FloatsOf(wanted[which]);
          wrong += right ? 0 : 1;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

/// Where memory is short what is kept for other runs is dropped, the only plan too.
TEST(FixedShapes, ShortMemoryIsAnErrorAndNoMore) {
  const Model model = MakeModel(kShape);
  const Feeds feeds = {{"x", Random(Shape(kShape), 1)}};
  const auto wanted = RunFor(*MakeSession(model), feeds);
  const auto used = [&] {
    const auto session = MakeSession(model);
    RunFor(*session, feeds);
    return session->MemoryBytes();
  }();
  int failed = 0;
  for (std::int64_t bytes = used / 4; bytes < 3 * used; bytes += used / 8) {
    const auto session = Session::Create(model, {.limits = {.memory_bytes = bytes}});
    for (int run = 0; session && run < 3; ++run) {
      const auto made = (*session)->Run(feeds);
      if (made) {
        ExpectNear(wanted, *made, 1e-6F);
      } else {
        EXPECT_EQ(made.error().id, "Run.MemoryLimit") << made.error().message;
        ++failed;
      }
    }
  }
  EXPECT_GT(failed, 0);
}

}  // namespace
}  // namespace slipway::runtime
