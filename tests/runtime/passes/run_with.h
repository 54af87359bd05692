// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "runtime/graph/optimize.h"
#include "runtime/graph/runner.h"
#include "tests/runtime/model_files.h"

namespace slipway::runtime {

inline Model ParseModel(const std::string& bytes) {
  auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  if (!model) ADD_FAILURE() << model.error().message;
  return *std::move(model);
}

/// What a run with some passes gave, and how many places each changed.
struct Ran {
  std::vector<Value> outputs;
  std::map<std::string, std::int64_t> changes;
};

inline Ran RunWith(const Model& model, const Feeds& feeds, const PassOptions& passes) {
  Ran ran;
  auto device = MakeDeviceContext(Device::kCpu, 1);
  EXPECT_TRUE(device);
  auto optimized = Optimize(*model.graph(), {}, passes, **device);
  EXPECT_TRUE(optimized) << optimized.error().message;
  GraphRunner runner(optimized->graph, *device, {.passes = passes});
  std::vector<Value> inputs;
  for (const auto& [name, value] : feeds) inputs.push_back(value);
  const std::vector<bool> wanted(model.outputs().size(), true);
  auto outputs = runner.Run(inputs, wanted);
  EXPECT_TRUE(outputs) << outputs.error().message;
  if (!outputs) return ran;
  ran.outputs = *std::move(outputs);
  ran.changes = optimized->changes;
  const auto plan = runner.PlanFor(inputs, wanted);
  for (const auto& [pass, count] : (*plan)->changes) ran.changes[pass] += count;
  return ran;
}

inline Value Random(const Shape& shape, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 2);
  std::vector<float> elements(static_cast<std::size_t>(*ElementCount(shape)));
  for (float& element : elements) element = normal(random);
  return Floats(shape, std::move(elements));
}

/// Elements differ by at most `error` times the larger of 1 and the element.
inline void ExpectNear(const std::vector<Value>& expected, const std::vector<Value>& actual,
                       float error = 2e-6F) {
  ASSERT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].tensor()->shape(), actual[i].tensor()->shape());
    const auto a = FloatsOf(expected[i]), b = FloatsOf(actual[i]);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t k = 0; k < a.size(); ++k) {
      EXPECT_NEAR(a[k], b[k], error * std::max(1.0F, std::abs(a[k])));
    }
  }
}

/// The model of `bytes` gives for `feeds` what it gives without passes, and `pass` changes `count`
/// places.
inline void ExpectPass(const std::string& bytes, const Feeds& feeds, const std::string& pass,
                       std::int64_t count, float error, const PassOptions& passes = {}) {
  const auto model = Model::Parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(model) << model.error().message;
  const Ran without = RunWith(*model, feeds, {.enabled = false});
  const Ran with = RunWith(*model, feeds, passes);
  ExpectNear(without.outputs, with.outputs, error);
  EXPECT_EQ(with.changes.at(pass), count);
}

}  // namespace slipway::runtime
