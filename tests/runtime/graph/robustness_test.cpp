// SPDX-License-Identifier: Apache-2.0
/// Damaged models end in an error or in a model, never in a crash; the latter may be run.
#include <gtest/gtest.h>

#include <random>

#include "base/file.h"
#include "tests/runtime/model_files.h"

namespace slipway::runtime {
namespace {

constexpr std::int64_t kMostBytes = 1 << 20;
constexpr int kFlips = 2000;

void LoadAndRun(const std::string& bytes) {
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) {
    EXPECT_FALSE(model.error().message.empty());
    return;
  }
  std::int64_t elements = 1;
  for (const ValueInfo& info : model->inputs()) {
    for (std::int64_t dim : info.type.shape.value_or(Shape{})) {
      elements = std::min<std::int64_t>(INT32_MAX, elements * std::max<std::int64_t>(1, dim));
    }
  }
  if (elements > 100'000) return;
  const auto session = Session::Create(*model, {.threads = 1});
  if (!session) return;
  const auto feeds = ZeroFeeds(*model, 2);
  if (!feeds) return;
  const auto outputs = (*session)->Run(*feeds);
  EXPECT_TRUE(outputs || !outputs.error().message.empty());
}

class Damaged : public ::testing::TestWithParam<std::string> {
 protected:
  std::string Bytes() const {
    auto text = ReadFile(ModelFile(GetParam()), kMostBytes);
    EXPECT_TRUE(text);
    return *std::move(text);
  }
};

TEST_P(Damaged, EveryPrefix) {
  const std::string bytes = Bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) LoadAndRun(bytes.substr(0, size));
}

TEST_P(Damaged, FlippedBytes) {
  const std::string bytes = Bytes();
  std::mt19937 random(3);
  for (int i = 0; i < kFlips; ++i) {
    std::string damaged = bytes;
    for (unsigned k = 0; k <= random() % 3; ++k) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    LoadAndRun(damaged);
  }
}

INSTANTIATE_TEST_SUITE_P(Model, Damaged,
                         ::testing::Values("residual", "if", "scan", "nested", "functions",
                                           "dynamic", "encodings", "shape_subgraph"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace slipway::runtime
