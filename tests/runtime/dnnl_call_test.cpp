// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/runtime.h"

namespace slipway::runtime {
namespace {

using ::testing::HasSubstr;

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

/// So many that oneDNN serves, and more by `seed`.
std::int64_t ImagesOf(int seed) { return 16 + seed % 3; }

Feeds FeedsOf(const Session& session, int seed) {
  const std::int64_t images = ImagesOf(seed);
  Tensor image = *Tensor::Make(DType::kFloat32, {images, 1, 8, 8});
  const auto pixels = image.data<float>();
  for (std::int64_t i = 0; i < images * kPixels; ++i) {
    pixels[static_cast<std::size_t>(i)] = static_cast<float>((i * 7 + seed * 13) % 17);
  }
  Feeds feeds;
  feeds.emplace_back(session.model().inputs()[0].name, std::move(image));
  return feeds;
}

std::vector<float> Scores(Session& session, int seed) {
  const auto values = session.Run(FeedsOf(session, seed));
  if (!values) return {};
  const auto scores = (*values)[0].tensor()->data<float>();
  return {scores.begin(), scores.end()};
}

TEST(DnnlCallTest, RunsAtOneTimeDoNotShareTheirArguments) {
  constexpr int kSeeds = 6, kThreads = 6, kRuns = 300;
  const auto session = Digits();
  const auto explained = session->Explain(FeedsOf(*session, 0));
  ASSERT_TRUE(explained) << explained.error().message;
  ASSERT_THAT(*explained, HasSubstr("_dnnl ->"));
  std::vector<std::vector<float>> expected;
  for (int seed = 0; seed < kSeeds; ++seed) {
    expected.push_back(Scores(*session, seed));
    ASSERT_EQ(expected.back().size(), static_cast<std::size_t>(ImagesOf(seed)) * 10);
  }
  ASSERT_NE(expected[0], expected[3]);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int run = 0; run < kRuns; ++run) {
        const int seed = (run + thread) % kSeeds;
        const auto scores = Scores(*session, seed);
        if (scores != expected[static_cast<std::size_t>(seed)]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace slipway::runtime
