// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/runtime.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kPixels = 64;

/// Convolutions, pooling, a product and a softmax, on images of one channel.
std::unique_ptr<Session> Digits() {
  const auto file = std::filesystem::path(SLIPWAY_SOURCE_DIR) / "templates/digits/digits.onnx";
  const auto model = Model::Load(file);
  EXPECT_TRUE(model) << model.error().message;
  auto session = Session::Create(*model, {.threads = 1});
  EXPECT_TRUE(session) << session.error().message;
  return *std::move(session);
}

std::vector<float> Scores(Session& session, int seed, std::int64_t images) {
  Tensor image = *Tensor::Make(DType::kFloat32, {images, 1, 8, 8});
  const auto pixels = image.data<float>();
  for (std::int64_t i = 0; i < images * kPixels; ++i) {
    pixels[static_cast<std::size_t>(i)] = static_cast<float>((i * 7 + seed * 13) % 17);
  }
  Feeds feeds;
  feeds.emplace_back(session.model().inputs()[0].name, std::move(image));
  const auto values = session.Run(feeds);
  if (!values) return {};
  const auto scores = (*values)[0].tensor()->data<float>();
  return {scores.begin(), scores.end()};
}

TEST(DnnlCallTest, RunsAtOneTimeDoNotShareTheirArguments) {
  constexpr int kSeeds = 6, kThreads = 6, kRuns = 300;
  const auto session = Digits();
  std::vector<std::vector<float>> expected;
  for (int seed = 0; seed < kSeeds; ++seed) {
    expected.push_back(Scores(*session, seed, seed % 3 + 1));
    ASSERT_EQ(expected.back().size(), static_cast<std::size_t>(seed % 3 + 1) * 10);
  }
  ASSERT_NE(expected[0], expected[3]);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int run = 0; run < kRuns; ++run) {
        const int seed = (run + thread) % kSeeds;
        const auto scores = Scores(*session, seed, seed % 3 + 1);
        if (scores != expected[static_cast<std::size_t>(seed)]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace slipway::runtime
